"""PS3.18 §10.5.2: metadata in JSON or XML with bulk data apart."""

import json
from typing import Any

import httpx
import numpy as np
import pytest
from pydicom.dataset import Dataset

from conformance import samples
from conformance.archive import PDF, jpeg_frames
from conformance.multipart import decode, encode
from conformance.requirement import requires
from conformance.samples import make, new_uid, read, transfer_syntax_of
from conformance.service import JSON, OCTETS, STORED, DicomJson, Service, value, values

TYPE = 'type="application/dicom+json"; boundary=conformance-boundary'
XML_TYPE = 'type="application/dicom+xml"; boundary=conformance-boundary'
PIXELS = (np.arange(5 * 4, dtype="<u2") * 100).tobytes()
REFERENCED, FAILED = "00081199", "00081198"


def image() -> Dataset:
    dataset = make(samples.SECONDARY_CAPTURE, "OT", PatientName="Müller^Jürgen=山田")
    samples.add_pixels(dataset, PIXELS, 5, 4, BitsAllocated=16)
    return dataset


def as_json(dataset: Dataset, tag: str | None = None, uri: str = "") -> DicomJson:
    """DICOM JSON with one value replaced by a reference."""
    found: DicomJson = dataset.to_json_dict()
    if tag:
        found[tag] = {"vr": found[tag]["vr"], "BulkDataURI": uri}
    return found


def metadata(*datasets: DicomJson) -> tuple[str, bytes]:
    return "Content-Type: application/dicom+json", json.dumps(list(datasets)).encode()


def bulk(location: str, data: bytes, media_type: str = "application/octet-stream") -> tuple[str, bytes]:
    return f"Content-Type: {media_type}\r\nContent-Location: {location}", data


def store(service: Service, *parts: tuple[str, bytes], parameters: str = TYPE) -> httpx.Response:
    return service.store_body(encode(parts), parameters)


def path(dataset: Dataset) -> str:
    return f"/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}/instances/{dataset.SOPInstanceUID}"


def retrieved(service: Service, dataset: Dataset) -> Dataset:
    return read(decode(service.get(path(dataset), accept=STORED))[0].body)


@requires("PS3.18 §10.5.2.1")
def test_metadata_with_bulk_data_makes_an_instance(service: Service) -> None:
    dataset = image()
    store(service, metadata(as_json(dataset, "7FE00010", "bulk/1")), bulk("bulk/1", PIXELS))
    assert retrieved(service, dataset).PixelData == PIXELS


@requires("PS3.18 §10.5.2.1")
def test_the_instance_has_the_attributes_of_the_metadata(service: Service) -> None:
    dataset = image()
    store(service, metadata(as_json(dataset, "7FE00010", "bulk/1")), bulk("bulk/1", PIXELS))
    assert retrieved(service, dataset).PatientName == "Müller^Jürgen=山田"


@requires("PS3.18 §10.5.2.1")
def test_the_instance_is_explicit_little_endian(service: Service) -> None:
    dataset = image()
    store(service, metadata(as_json(dataset, "7FE00010", "bulk/1")), bulk("bulk/1", PIXELS))
    body = decode(service.get(path(dataset), accept=STORED))[0].body
    assert transfer_syntax_of(body) == samples.EXPLICIT


@requires("PS3.18 §10.5.2.1")
def test_bulk_data_may_come_before_the_end_and_be_shared(service: Service) -> None:
    first, second = image(), image()
    sets = [as_json(one, "7FE00010", "urn:shared") for one in (first, second)]
    store(service, metadata(*sets), bulk("urn:shared", PIXELS))
    assert [retrieved(service, one).PixelData for one in (first, second)] == [PIXELS] * 2


@requires("PS3.18 §10.5.2.1", "B")
def test_bulk_data_before_the_metadata_is_used_too(service: Service) -> None:
    dataset = image()
    response = store(service, bulk("b", PIXELS), metadata(as_json(dataset, "7FE00010", "b")))
    assert response.status_code in (200, 400)


@requires("PS3.18 §10.5.2.1")
def test_metadata_without_bulk_data_makes_an_instance(service: Service) -> None:
    dataset = make(samples.BASIC_TEXT_SR, "SR")
    assert store(service, metadata(as_json(dataset))).status_code == 200


@requires("PS3.18 §F.2.7")
def test_inline_binary_is_decoded(service: Service) -> None:
    dataset = image()
    store(service, metadata(as_json(dataset)))
    assert retrieved(service, dataset).PixelData == PIXELS


@requires("PS3.18 §10.5.2.1")
def test_a_single_data_set_outside_of_an_array_is_accepted_or_refused(service: Service) -> None:
    dataset = make()
    part = ("Content-Type: application/dicom+json", json.dumps(as_json(dataset)).encode())
    assert store(service, part).status_code in (200, 400)


@requires("PS3.18 §10.5.3")
def test_a_missing_bulk_part_fails_that_instance_only(service: Service) -> None:
    broken, whole = image(), image()
    sets = [as_json(broken, "7FE00010", "missing"), as_json(whole, "7FE00010", "there")]
    response = store(service, metadata(*sets), bulk("there", PIXELS))
    found = response.json()
    names = [value(item, "00081155") for tag in (REFERENCED, FAILED) for item in values(found, tag)]
    assert (response.status_code, names) == (202, [whole.SOPInstanceUID, broken.SOPInstanceUID])


@requires("PS3.18 §10.5.2.1", "B")
def test_bulk_data_at_another_address_is_never_fetched(service: Service) -> None:
    dataset = image()
    response = store(service, metadata(as_json(dataset, "7FE00010", "http://127.0.0.1:9/secret")))
    assert (response.status_code, len(values(response.json(), FAILED))) == (409, 1)


@requires("PS3.18 §10.5.2.1", "B")
def test_bulk_data_in_a_file_of_the_server_is_never_read(service: Service) -> None:
    dataset = image()
    response = store(service, metadata(as_json(dataset, "7FE00010", "file:///etc/hostname")))
    assert (response.status_code, len(values(response.json(), FAILED))) == (409, 1)


@requires("PS3.18 §10.5.2.1")
def test_an_encapsulated_document_comes_back(service: Service) -> None:
    dataset = make(samples.ENCAPSULATED_PDF, "DOC", EncapsulatedDocument=PDF)
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    store(service, metadata(as_json(dataset, "00420011", "doc")), bulk("doc", PDF, "application/pdf"))
    assert retrieved(service, dataset).EncapsulatedDocument.rstrip(b"\0") == PDF


@requires("PS3.18 §10.5.2.1", "O")
def test_a_jpeg_is_encapsulated_in_its_transfer_syntax(service: Service) -> None:
    dataset = make(samples.SECONDARY_CAPTURE, "OT")
    samples.add_pixels(dataset, bytes(256), 16, 16)
    sets = as_json(dataset, "7FE00010", "jpeg")
    store(service, metadata(sets), bulk("jpeg", jpeg_frames()[0], "image/jpeg"))
    body = decode(service.get(path(dataset), accept=STORED))[0].body
    assert transfer_syntax_of(body) in (samples.JPEG, samples.EXPLICIT)


@requires("PS3.18 §10.5.2.1", "O")
def test_a_jpeg_comes_back_as_a_frame(service: Service) -> None:
    dataset = make(samples.SECONDARY_CAPTURE, "OT")
    samples.add_pixels(dataset, bytes(256), 16, 16)
    store(service, metadata(as_json(dataset, "7FE00010", "jpeg")), bulk("jpeg", jpeg_frames()[0], "image/jpeg"))
    accept = 'multipart/related; type="image/jpeg"; transfer-syntax=*'
    frame = decode(service.get(path(dataset) + "/frames/1", accept=accept))[0].body
    assert frame.rstrip(b"\0") == jpeg_frames()[0].rstrip(b"\0")


@requires("PS3.18 §10.5.2.1")
def test_an_instance_of_another_study_is_refused(service: Service) -> None:
    body = encode([metadata(as_json(make()))])
    assert service.store_body(body, TYPE, path=f"/studies/{new_uid()}").status_code == 409


BROKEN: dict[str, Any] = {
    "not json": b"{",
    "a number": b"42",
    "null": b"null",
    "no object in the array": b"[1]",
    "an empty array": b"[]",
    "an unknown vr": b'[{"00080018": {"vr": "ZZ", "Value": ["1.2"]}}]',
    "a tag that is none": b'[{"xyz": {"vr": "UI", "Value": ["1.2"]}}]',
    "no vr": b'[{"00080018": {"Value": ["1.2"]}}]',
    "a value that is no array": b'[{"00080018": {"vr": "UI", "Value": "1.2"}}]',
    "no utf-8": b'[{"00080018": {"vr": "UI", "Value": ["\xff"]}}]',
}


@requires("PS3.18 §10.5.3")
@pytest.mark.parametrize("name", list(BROKEN))
def test_broken_metadata_answers_400_or_409(service: Service, name: str) -> None:
    assert store(service, ("Content-Type: application/dicom+json", BROKEN[name])).status_code in (400, 409)


NATIVE = """<?xml version="1.0" encoding="UTF-8"?>
<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve">
<DicomAttribute tag="00080005" vr="CS" keyword="SpecificCharacterSet">
<Value number="1">ISO_IR 192</Value></DicomAttribute>
<DicomAttribute tag="00080016" vr="UI" keyword="SOPClassUID"><Value number="1">{sop_class}</Value></DicomAttribute>
<DicomAttribute tag="00080018" vr="UI" keyword="SOPInstanceUID"><Value number="1">{instance}</Value></DicomAttribute>
<DicomAttribute tag="00080060" vr="CS" keyword="Modality"><Value number="1">DOC</Value></DicomAttribute>
<DicomAttribute tag="00100010" vr="PN" keyword="PatientName"><PersonName number="1"><Alphabetic>
<FamilyName>Müller</FamilyName><GivenName>Jürgen</GivenName></Alphabetic></PersonName></DicomAttribute>
<DicomAttribute tag="0020000D" vr="UI" keyword="StudyInstanceUID"><Value number="1">{study}</Value></DicomAttribute>
<DicomAttribute tag="0020000E" vr="UI" keyword="SeriesInstanceUID"><Value number="1">{series}</Value></DicomAttribute>
<DicomAttribute tag="00420011" vr="OB" keyword="EncapsulatedDocument"><BulkData uri="doc"/></DicomAttribute>
</NativeDicomModel>"""


def native(dataset: Dataset) -> tuple[str, bytes]:
    text = NATIVE.format(
        sop_class=dataset.SOPClassUID,
        instance=dataset.SOPInstanceUID,
        study=dataset.StudyInstanceUID,
        series=dataset.SeriesInstanceUID,
    )
    return "Content-Type: application/dicom+xml", text.encode()


@requires("PS3.18 §10.5.2.1")
def test_xml_metadata_with_bulk_data_makes_an_instance(service: Service) -> None:
    dataset = make(samples.ENCAPSULATED_PDF)
    store(service, native(dataset), bulk("doc", PDF, "application/pdf"), parameters=XML_TYPE)
    found = retrieved(service, dataset)
    assert (found.PatientName, found.EncapsulatedDocument.rstrip(b"\0")) == ("Müller^Jürgen", PDF)


@requires("Hostile input: XML entities", "B")
@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY e "&b;&b;&b;&b;&b;">]>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
    ],
)
def test_entities_and_document_types_are_refused(service: Service, declaration: str) -> None:
    head, body = native(make(samples.ENCAPSULATED_PDF))
    text = body.decode().replace("?>", "?>" + declaration, 1).replace("Müller", "&e;")
    response = store(service, (head, text.encode()), bulk("doc", PDF), parameters=XML_TYPE)
    assert response.status_code in (400, 409)


@requires("PS3.18 §10.5.3")
@pytest.mark.parametrize("body", [b"", b"<x/>", b"<NativeDicomModel", b"\xff\xfe"])
def test_broken_xml_answers_400_or_409(service: Service, body: bytes) -> None:
    response = store(service, ("Content-Type: application/dicom+xml", body), parameters=XML_TYPE)
    assert response.status_code in (400, 409)


@requires("PS3.18 §F.2", "B")
def test_what_was_stored_as_json_comes_back_as_the_same_json(service: Service) -> None:
    dataset = make(SliceLocation=1.5, PixelSpacing=["0.5", "0.25"], PatientName="A^B=C=D")
    sent = as_json(dataset)
    store(service, metadata(sent))
    found = service.get(path(dataset) + "/metadata", accept=JSON).json()[0]
    names = set(sent) - {"00080005"}
    assert {name: found.get(name) for name in names} == {name: sent[name] for name in names}


@requires("PS3.18 §10.5.2.1", "B")
def test_the_bulk_data_of_stored_metadata_has_a_uri_of_this_service(service: Service) -> None:
    dataset = make(samples.ENCAPSULATED_PDF, EncapsulatedDocument=PDF)
    store(service, metadata(as_json(dataset, "00420011", "doc")), bulk("doc", PDF))
    uri = service.metadata(path(dataset))[0]["00420011"]["BulkDataURI"]
    assert decode(service.get(service.relative(uri), accept=OCTETS))[0].body.rstrip(b"\0") == PDF
