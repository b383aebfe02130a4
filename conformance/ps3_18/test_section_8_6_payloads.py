"""PS3.18 §8.6: multipart payloads as RFC 2046 and RFC 2387 want them, in answers and in requests."""

import re

import httpx
import pytest

from conformance.archive import Archive
from conformance.multipart import decode, encode, parameter
from conformance.requirement import requires
from conformance.samples import Sample, make, sample
from conformance.service import DICOM, OCTETS, STORED, XML, Service


def answers(service: Service, archive: Archive) -> dict[str, httpx.Response]:
    return {
        "instances": service.get(archive.ct[0].series_path, accept=DICOM),
        "frames": service.get(archive.odd.path + "/frames/1,2,3", accept=OCTETS),
        "metadata": service.get(archive.ct[0].series_path + "/metadata", accept=XML),
    }


NAMES = ["instances", "frames", "metadata"]
TYPES = {"instances": "application/dicom", "frames": "application/octet-stream", "metadata": "application/dicom+xml"}


@requires("RFC 2387 §3.1")
@pytest.mark.parametrize("name", NAMES)
def test_the_content_type_names_the_type_of_the_parts(service: Service, archive: Archive, name: str) -> None:
    assert parameter(answers(service, archive)[name].headers["content-type"], "type") == TYPES[name]


@requires("RFC 2046 §5.1.1")
@pytest.mark.parametrize("name", NAMES)
def test_the_boundary_has_1_to_70_allowed_characters(service: Service, archive: Archive, name: str) -> None:
    boundary = parameter(answers(service, archive)[name].headers["content-type"], "boundary")
    assert re.fullmatch(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]", boundary or "")


@requires("RFC 2046 §5.1.1")
@pytest.mark.parametrize("name", NAMES)
def test_delimiters_are_lines_of_crlf_and_the_last_is_closed(service: Service, archive: Archive, name: str) -> None:
    assert len(decode(answers(service, archive)[name])) == 3


@requires("PS3.18 §8.6.1.2.1")
@pytest.mark.parametrize("name", NAMES)
def test_every_part_has_the_content_type_of_the_whole(service: Service, archive: Archive, name: str) -> None:
    assert {part.content_type for part in decode(answers(service, archive)[name])} == {TYPES[name]}


@requires("RFC 9110 §8.6")
@pytest.mark.parametrize("name", NAMES)
def test_a_content_length_of_a_part_is_exact(service: Service, archive: Archive, name: str) -> None:
    parts = decode(answers(service, archive)[name])
    assert [int(part.headers.get("content-length", len(part.body))) for part in parts] == [
        len(part.body) for part in parts
    ]


@requires("RFC 2046 §5.1.1")
def test_the_boundary_does_not_occur_in_a_part(service: Service, archive: Archive) -> None:
    response = service.get(archive.ct[0].series_path, accept=STORED)
    boundary = (parameter(response.headers["content-type"], "boundary") or "").encode()
    assert not [part for part in decode(response) if b"--" + boundary in part.body]


def stored(service: Service, one: Sample, body: bytes, parameters: str) -> bool:
    return service.store_body(body, parameters).status_code == 200 and service.get(one.path).status_code == 200


HEAD = "Content-Type: application/dicom"


@requires("RFC 2046 §5.1.1")
@pytest.mark.parametrize("boundary", ["b", "x" * 70, "a'()+_,-./:=?z", "with space inside"])
def test_a_boundary_of_any_legal_form_is_understood(service: Service, boundary: str) -> None:
    one = sample(make())
    body = encode([(HEAD, one.data)], boundary)
    assert stored(service, one, body, f'type="application/dicom"; boundary="{boundary}"')


@requires("RFC 2046 §5.1.1")
def test_a_boundary_without_quotes_is_understood(service: Service) -> None:
    one = sample(make())
    assert stored(service, one, encode([(HEAD, one.data)], "bare"), "type=application/dicom; boundary=bare")


@requires("RFC 2046 §5.1.1")
def test_text_before_the_first_delimiter_is_skipped(service: Service) -> None:
    one = sample(make())
    body = b"This is a preamble.\r\nOf two lines.\r\n" + encode([(HEAD, one.data)], "b")
    assert stored(service, one, body, 'type="application/dicom"; boundary=b')


@requires("RFC 2046 §5.1.1")
def test_text_after_the_last_delimiter_is_skipped(service: Service) -> None:
    one = sample(make())
    body = encode([(HEAD, one.data)], "b") + b"This is an epilogue."
    assert stored(service, one, body, 'type="application/dicom"; boundary=b')


@requires("RFC 2046 §5.1.1")
def test_white_space_after_a_delimiter_is_skipped(service: Service) -> None:
    one = sample(make())
    body = b"--b \t\r\n" + HEAD.encode() + b"\r\n\r\n" + one.data + b"\r\n--b-- \r\n"
    assert stored(service, one, body, 'type="application/dicom"; boundary=b')


@requires("RFC 2046 §5.1.1")
def test_something_like_a_delimiter_inside_a_line_is_content(service: Service) -> None:
    one = sample(make(PatientComments="before --b after"))
    assert stored(service, one, encode([(HEAD, one.data)], "b"), 'type="application/dicom"; boundary=b')


@requires("RFC 9110 §5.1")
def test_header_names_of_parts_are_compared_without_case(service: Service) -> None:
    one = sample(make())
    body = encode([("CONTENT-TYPE: Application/DICOM", one.data)], "b")
    assert stored(service, one, body, 'type="application/dicom"; boundary=b')


@requires("PS3.18 §8.6.1.2.1", "B")
def test_a_part_without_content_type_has_the_type_of_the_whole(service: Service) -> None:
    one = sample(make())
    body = encode([("Content-Length: " + str(len(one.data)), one.data)], "b")
    assert stored(service, one, body, 'type="application/dicom"; boundary=b')
