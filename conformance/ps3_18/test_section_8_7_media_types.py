"""PS3.18 §8.7: media types and the choice among them."""

import pytest

from conformance.archive import Archive
from conformance.multipart import decode
from conformance.requirement import requires
from conformance.service import JSON, Service, is_problem

XML_TYPE = 'multipart/related; type="application/dicom+xml"'


def chosen(service: Service, archive: Archive, accept: str | None) -> str:
    """The media type in which metadata comes; the status if it does not."""
    response = service.get(archive.ct[0].path + "/metadata", accept=accept)
    if response.status_code != 200:
        return str(response.status_code)
    return str(response.headers["content-type"].split(";")[0])


@requires("PS3.18 §8.7.5")
@pytest.mark.parametrize(
    "accept",
    [None, "*/*", "application/*", JSON, "application/json", "Application/DICOM+JSON", JSON + ";charset=utf-8"],
)
def test_metadata_comes_as_json(service: Service, archive: Archive, accept: str | None) -> None:
    assert chosen(service, archive, accept) == JSON


@requires("PS3.18 §8.7.3.5")
@pytest.mark.parametrize(
    "accept",
    [
        XML_TYPE,
        "multipart/related; type=application/dicom+xml",
        'Multipart/Related; TYPE="application/DICOM+xml"',
        'multipart/related;type="application/dicom+xml";charset=utf-8',
        "multipart/*",
    ],
)
def test_metadata_comes_as_xml(service: Service, archive: Archive, accept: str) -> None:
    assert chosen(service, archive, accept) == "multipart/related"


@requires("PS3.18 §8.7.5")
@pytest.mark.parametrize(
    "accept",
    ["image/png", "text/*", "application/zip", 'multipart/related; type="image/jpeg"', JSON + ";q=0", "*/*;q=0"],
)
def test_metadata_in_a_type_that_cannot_be_made_answers_406(service: Service, archive: Archive, accept: str) -> None:
    assert chosen(service, archive, accept) == "406"


@requires("RFC 9110 §12.4.2")
@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (f"{JSON};q=0.2, {XML_TYPE};q=0.9", "multipart/related"),
        (f"{XML_TYPE};q=0.2, {JSON};q=0.9", JSON),
        (f"{JSON};q=0.001, {XML_TYPE};q=0", JSON),
        (f"{JSON};q=0, */*", "multipart/related"),
        (f"{XML_TYPE};q=0.5, image/png", "multipart/related"),
        (f"text/html, {JSON};q=0.1", JSON),
    ],
)
def test_the_highest_q_that_can_be_met_wins(service: Service, archive: Archive, accept: str, expected: str) -> None:
    assert chosen(service, archive, accept) == expected


@requires("PS3.18 §8.7.6")
@pytest.mark.parametrize("accept", [f"*/*, {XML_TYPE}", f"{XML_TYPE}, */*", f"application/*, {XML_TYPE}"])
def test_at_equal_q_the_more_specific_range_wins(service: Service, archive: Archive, accept: str) -> None:
    assert chosen(service, archive, accept) == "multipart/related"


@requires("RFC 9110 §12.5.1", "B")
@pytest.mark.parametrize("accept", [f"{XML_TYPE}, {JSON}", f"{JSON}, {XML_TYPE}"])
def test_at_equal_q_and_specificity_the_default_wins(service: Service, archive: Archive, accept: str) -> None:
    assert chosen(service, archive, accept) == JSON


@requires("RFC 9110 §12.5.1", "B")
@pytest.mark.parametrize(
    "accept", ['multipart/related; type="application/dicom', "/json", "application/", "application", JSON + ";q=x"]
)
def test_a_malformed_accept_answers_400(service: Service, archive: Archive, accept: str) -> None:
    assert chosen(service, archive, accept) == "400"


@requires("RFC 9110 §5.6.1")
@pytest.mark.parametrize("accept", [f", {JSON}", f"{JSON},", f"{JSON} ,,  text/html"])
def test_empty_elements_of_the_accept_list_are_skipped(service: Service, archive: Archive, accept: str) -> None:
    assert chosen(service, archive, accept) == JSON


@requires("PS3.18 §8.7.5")
@pytest.mark.parametrize("accept", ["image/png", "text/csv;q=0.5", "application/zip"])
def test_a_search_in_a_type_that_cannot_be_made_answers_406(service: Service, accept: str) -> None:
    assert service.get("/studies?limit=1", accept=accept).status_code == 406


@requires("PS3.18 §8.7.5")
@pytest.mark.parametrize("accept", ["text/plain", JSON, 'multipart/related; type="application/pdf"'])
def test_an_instance_in_a_type_that_cannot_be_made_answers_406(service: Service, archive: Archive, accept: str) -> None:
    assert service.get(archive.ct[0].path, accept=accept).status_code == 406


@requires("PS3.18 §8.7.5")
@pytest.mark.parametrize("accept", [JSON, "text/plain", 'multipart/related; type="application/dicom"'])
def test_frames_in_a_type_that_cannot_be_made_answer_406(service: Service, archive: Archive, accept: str) -> None:
    assert service.get(archive.odd.path + "/frames/1", accept=accept).status_code == 406


@requires("PS3.18 §8.7.3.5.2")
@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        "multipart/*",
        "multipart/related",
        'multipart/related; type="application/dicom"',
        "multipart/related;type=application/dicom",
        'multipart/related; type="*/*"',
        'multipart/related; type="application/*"',
        'multipart/related; type="application/dicom"; transfer-syntax="*"',
        "multipart/related; type=application/dicom; transfer-syntax=1.2.840.10008.1.2.1",
        'text/html, multipart/related; type="application/dicom";q=0.3',
    ],
)
def test_instances_come_as_multipart_dicom(service: Service, archive: Archive, accept: str | None) -> None:
    response = service.get(archive.ct[0].series_path, accept=accept)
    assert [part.content_type for part in decode(response)] == ["application/dicom"] * 3


@requires("PS3.18 §8.7.3.5.2")
@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        "multipart/related",
        'multipart/related; type="application/octet-stream"',
        'multipart/related; type="application/octet-stream"; transfer-syntax=*',
        'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1',
        'multipart/related; type="*/*"',
        'multipart/related; type="image/jpeg";q=0.3, multipart/related; type="application/octet-stream";q=0.4',
        'multipart/related; type="video/mp4", multipart/related; type="application/octet-stream";q=0.4',
    ],
)
def test_native_frames_come_as_multipart_octets(service: Service, archive: Archive, accept: str | None) -> None:
    response = service.get(archive.odd.path + "/frames/1,2", accept=accept)
    assert [part.content_type for part in decode(response)] == ["application/octet-stream"] * 2


@requires("PS3.18 §8.7.4", "B")
@pytest.mark.parametrize("resource", ["rendered", "thumbnail", "frames/1/rendered"])
@pytest.mark.parametrize("accept", ["image/jpeg", "image/png"])
def test_rendering_answers_an_image_or_says_why_not(
    service: Service, archive: Archive, resource: str, accept: str
) -> None:
    response = service.get(f"{archive.ct[0].path}/{resource}", accept=accept)
    image = response.status_code == 200 and response.headers["content-type"].startswith(accept)
    assert image or (response.status_code == 406 and is_problem(response))


@requires("PS3.18 §8.7.3.3")
@pytest.mark.parametrize("media_type", ["image/jls", "image/jp2", "image/dicom-rle"])
def test_frames_in_a_compression_are_transcoded_or_refused_with_a_reason(
    service: Service, archive: Archive, media_type: str
) -> None:
    response = service.get(archive.ct[0].path + "/frames/1", accept=f'multipart/related; type="{media_type}"')
    assert response.status_code == 200 or (response.status_code == 406 and is_problem(response))
