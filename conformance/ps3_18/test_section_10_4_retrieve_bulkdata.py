"""PS3.18 §10.4.1.1.4 and §10.4.1.1.5: bulk data and pixel data, whole and in ranges."""

import struct
from functools import cache

import pytest
from pydicom.dataset import Dataset

from conformance.archive import BLOB, PDF, Archive
from conformance.cost import Clock, at_most
from conformance.multipart import decode
from conformance.requirement import requires
from conformance.samples import BIG_ENDIAN, RAW_DATA, Sample, make, sample
from conformance.service import OCTETS, Service

COUNT = 2000
ORIGINAL = {
    "OB": bytes(range(250)) * 8,
    "OW": struct.pack(f"<{COUNT}H", *range(COUNT)),
    "OL": struct.pack(f"<{COUNT}I", *range(COUNT)),
    "OV": struct.pack(f"<{COUNT}Q", *range(COUNT)),
    "OF": struct.pack(f"<{COUNT}f", *range(COUNT)),
    "OD": struct.pack(f"<{COUNT}d", *range(COUNT)),
    "UN": bytes(range(200)) * 10,
}
TAGS = {vr: 0x00131000 + number for number, vr in enumerate(ORIGINAL, 1)}
WIDTH = {"OB": 1, "OW": 2, "OL": 4, "OV": 8, "OF": 4, "OD": 8, "UN": 1}


def swapped(data: bytes, width: int) -> bytes:
    return b"".join(data[start : start + width][::-1] for start in range(0, len(data), width))


@cache
def stored(service: Service, transfer_syntax: str | None = None) -> Sample:
    """An instance with a long value of every binary VR, at the top and in a sequence."""
    dataset = make(RAW_DATA, "OT")
    big = transfer_syntax == BIG_ENDIAN
    for vr, data in ORIGINAL.items():
        block = dataset.private_block(0x0013, "CONFORMANCE BULK", create=True)
        block.add_new(TAGS[vr] & 0xFF, vr, swapped(data, WIDTH[vr]) if big else data)
    item = Dataset()
    item.EncapsulatedDocument = BLOB
    dataset.ContentSequence = [Dataset(), item]
    one = sample(dataset, transfer_syntax) if transfer_syntax else sample(dataset)
    assert service.store(one.data).status_code == 200
    return one


def bulk(service: Service, one: Sample, tag: int, accept: str | None = OCTETS) -> bytes:
    uri = service.metadata(one.path)[0][f"{tag:08X}"]["BulkDataURI"]
    return decode(service.get(service.relative(uri), accept=accept))[0].body


@requires("PS3.18 §10.4.1.1.5")
@pytest.mark.parametrize("vr", list(ORIGINAL))
def test_bulk_data_is_the_exact_value(service: Service, vr: str) -> None:
    assert bulk(service, stored(service), TAGS[vr]) == ORIGINAL[vr]


@requires("PS3.18 §10.4.1.1.5")
@pytest.mark.parametrize("vr", [vr for vr in ORIGINAL if vr != "UN"])
def test_bulk_data_stored_in_big_endian_comes_in_little_endian(service: Service, vr: str) -> None:
    assert bulk(service, stored(service, BIG_ENDIAN), TAGS[vr]) == ORIGINAL[vr]


@requires("PS3.18 §10.4.1.1.5")
def test_bulk_data_inside_a_sequence_has_a_uri_that_works(service: Service) -> None:
    item = service.metadata(stored(service).path)[0]["0040A730"]["Value"][1]
    path = service.relative(item["00420011"]["BulkDataURI"])
    assert decode(service.get(path, accept=OCTETS))[0].body == BLOB


@requires("PS3.18 §10.4.1.1.5")
def test_float_pixel_data_is_bulk_data(service: Service, archive: Archive) -> None:
    assert bulk(service, archive.floats, 0x7FE00008) == archive.floats.dataset.FloatPixelData


@requires("PS3.18 §10.4.1.1.5")
def test_pixel_data_is_bulk_data(service: Service, archive: Archive) -> None:
    assert bulk(service, archive.ct[0], 0x7FE00010) == archive.ct[0].dataset.PixelData


def document(service: Service, archive: Archive) -> str:
    return service.relative(service.metadata(archive.pdf.path)[0]["00420011"]["BulkDataURI"])


@requires("PS3.18 §8.7.3.5.2")
@pytest.mark.parametrize("accept", [None, "*/*", OCTETS, 'multipart/related; type="*/*"'])
def test_bulk_data_comes_as_a_part(service: Service, archive: Archive, accept: str | None) -> None:
    response = service.get(document(service, archive), accept=accept)
    assert [part.body.rstrip(b"\0") for part in decode(response)] == [PDF]


@requires("PS3.18 §8.7.3.5.2", "B")
def test_bulk_data_comes_as_a_single_part_when_asked(service: Service, archive: Archive) -> None:
    response = service.get(document(service, archive), accept="application/octet-stream")
    assert response.headers["content-type"].split(";")[0] == "application/octet-stream"
    assert response.content.rstrip(b"\0") == PDF


@requires("PS3.18 §8.7.3.5.2", "B")
@pytest.mark.parametrize(
    "accept",
    [
        'multipart/related; type="application/pdf"',
        'multipart/related; type="application/pdf", multipart/related; type="application/octet-stream"',
    ],
)
def test_an_encapsulated_document_comes_in_its_own_type(service: Service, archive: Archive, accept: str) -> None:
    part = decode(service.get(document(service, archive), accept=accept))[0]
    assert (part.content_type in ("application/pdf", "application/octet-stream"), part.body.rstrip(b"\0")) == (
        True,
        PDF,
    )


@requires("PS3.18 §10.4.3")
def test_a_part_of_bulk_data_has_a_content_location(service: Service, archive: Archive) -> None:
    part = decode(service.get(document(service, archive), accept=OCTETS))[0]
    again = service.get(service.relative(part.headers["content-location"]), accept=OCTETS)
    assert decode(again)[0].body == part.body


RANGES = {"bytes=0-9": (0, 10), "bytes=100-199": (100, 200), "bytes=-8": (-8, None), "bytes=4000-": (4000, None)}


@requires("RFC 9110 §14.2")
@pytest.mark.parametrize("header", list(RANGES))
def test_a_range_of_bulk_data_answers_206(service: Service, archive: Archive, header: str) -> None:
    accept, whole = "application/octet-stream", PDF + b"\0" * (len(PDF) % 2)
    response = service.get(document(service, archive), accept=accept, headers={"Range": header})
    start, stop = RANGES[header]
    assert (response.status_code, response.content) == (206, whole[slice(start, stop)])


@requires("RFC 9110 §14.4")
def test_a_range_says_where_it_lies(service: Service, archive: Archive) -> None:
    path = document(service, archive)
    response = service.get(path, accept="application/octet-stream", headers={"Range": "bytes=0-9"})
    size = len(PDF) + len(PDF) % 2
    assert response.headers.get("content-range") == f"bytes 0-9/{size}"


@requires("RFC 9110 §15.5.17")
def test_a_range_outside_of_the_value_answers_416(service: Service, archive: Archive) -> None:
    path = document(service, archive)
    response = service.get(path, accept="application/octet-stream", headers={"Range": "bytes=99999999-"})
    assert (response.status_code, response.headers.get("content-range", "").startswith("bytes */")) == (416, True)


@requires("RFC 9110 §14.2")
@pytest.mark.parametrize("header", ["bytes=9-0", "lines=1-2", "bytes=x-y", "bytes", "bytes=0-9-10"])
def test_an_invalid_range_is_ignored(service: Service, archive: Archive, header: str) -> None:
    path = document(service, archive)
    response = service.get(path, accept="application/octet-stream", headers={"Range": header})
    assert response.status_code in (200, 416)


@requires("RFC 9110 §14.2", "B")
def test_several_ranges_come_apart_or_as_the_whole(service: Service, archive: Archive) -> None:
    path = document(service, archive)
    response = service.get(path, accept="application/octet-stream", headers={"Range": "bytes=0-9,20-29"})
    apart = response.headers["content-type"].startswith("multipart/byteranges")
    assert (response.status_code, apart) in [(206, True), (200, False)]


@requires("RFC 9110 §14.2", "B")
def test_hundreds_of_ranges_cost_little(service: Service, clock: Clock, archive: Archive) -> None:
    header = "bytes=" + ",".join(f"{start}-{start + 100}" for start in range(600))
    path = document(service, archive)
    with at_most(1, clock):
        response = service.get(path, accept="application/octet-stream", headers={"Range": header})
    assert response.status_code in (200, 206, 400, 416)


@requires("RFC 9110 §13.1.5", "B")
def test_a_range_of_a_changed_representation_gives_the_whole(service: Service, archive: Archive) -> None:
    headers = {"Range": "bytes=0-9", "If-Range": '"another"'}
    response = service.get(document(service, archive), accept="application/octet-stream", headers=headers)
    assert response.status_code == 200


@requires("PS3.18 §10.4.1.1.5")
def test_an_unknown_bulk_data_path_answers_404(service: Service, archive: Archive) -> None:
    path = document(service, archive).replace("00420011", "00420099")
    assert service.get(path, accept=OCTETS).status_code in (400, 404)


@requires("PS3.18 §10.4.1.1.5", "O")
@pytest.mark.parametrize("level", ["study_path", "series_path", "path"])
def test_all_bulk_data_comes_at_once(service: Service, level: str) -> None:
    parts = decode(service.get(getattr(stored(service), level) + "/bulkdata", accept=OCTETS))
    assert {part.body for part in parts} >= set(ORIGINAL.values())


@requires("PS3.18 §10.4.1.1.4", "O")
@pytest.mark.parametrize("level", ["series_path", "path"])
def test_all_pixel_data_comes_at_once(service: Service, archive: Archive, level: str) -> None:
    parts = decode(service.get(getattr(archive.ct[0], level) + "/pixeldata", accept=OCTETS))
    expected = archive.ct if level == "series_path" else archive.ct[:1]
    assert sorted(part.body for part in parts) == sorted(one.dataset.PixelData for one in expected)


@requires("PS3.18 §10.4.1.1.5", "B")
def test_a_bulk_data_uri_of_a_deleted_instance_answers_404(service: Service) -> None:
    one = sample(make(EncapsulatedDocument=BLOB))
    service.store(one.data)
    path = service.relative(service.metadata(one.path)[0]["00420011"]["BulkDataURI"])
    service.send("DELETE", one.path)
    assert service.get(path, accept=OCTETS).status_code in (404, 410)
