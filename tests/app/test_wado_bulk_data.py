"""WADO-RS bulk data and pixel data over a real store."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EncapsulatedPDFStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

from tests.app.dicomweb_harness import ROOT, Archive, open_archive, split_parts
from tests.builders import fake_jpeg, make_dataset, make_encapsulated, make_instance, write_part10

OCTETS = 'multipart/related; type="application/octet-stream"'
PDF = b"%PDF-1.7 " + b"x" * 3000 + b"\n"
PIXELS = b"".join(n.to_bytes(2, "little") for n in range(64))


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path) as opened:
        yield opened


def document() -> bytes:
    item = Dataset()
    item.EncapsulatedDocument = b"nested" * 400
    dataset = make_dataset(
        SOPClassUID=EncapsulatedPDFStorage, Modality="DOC", EncapsulatedDocument=PDF, ContentSequence=[Dataset(), item]
    )
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    return write_part10(dataset)


async def test_a_value_leads_from_metadata_to_its_bytes(archive: Archive) -> None:
    (one,) = await archive.add(document())
    metadata = (await archive.get(one.path + "/metadata")).json()[0]
    uri = metadata["00420011"]["BulkDataURI"].removeprefix(ROOT)
    for accept in (None, "*/*", OCTETS, 'multipart/related; type="*/*"', OCTETS + "; transfer-syntax=*"):
        response = await archive.get(uri, accept)
        (part,) = split_parts(response)
        assert (part.media_type, part.body) == ("application/octet-stream", PDF)
        assert part.headers["content-location"] == ROOT + uri
        assert int(response.headers["content-length"]) == len(response.content)
    nested = metadata["0040A730"]["Value"][1]["00420011"]["BulkDataURI"].removeprefix(ROOT)
    assert (await archive.get(nested, "application/octet-stream")).content == b"nested" * 400


async def test_a_document_comes_in_its_own_type(archive: Archive) -> None:
    (one,) = await archive.add(document())
    path = one.path + "/bulkdata/00420011"
    response = await archive.get(path, 'multipart/related; type="application/pdf"')
    assert (split_parts(response)[0].media_type, split_parts(response)[0].body) == ("application/pdf", PDF)
    alone = await archive.get(path, "application/pdf")
    assert (alone.headers["content-type"], alone.content) == ("application/pdf", PDF)
    tags = {
        (await archive.get(path, accept)).headers["etag"]
        for accept in (None, "application/pdf", "application/octet-stream")
    }
    assert len(tags) == 3
    assert (await archive.get(path, "image/png")).status_code == 406


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
async def test_native_pixel_data_is_one_value_in_little_endian(archive: Archive, syntax: str) -> None:
    (one,) = await archive.add(make_instance(transfer_syntax_uid=syntax))
    assert (await archive.get(one.path + "/bulkdata/7FE00010", "application/octet-stream")).content == PIXELS
    assert (await archive.get(one.path + "/bulkdata/7fe00010", "application/octet-stream")).content == PIXELS
    for path in (one.path, one.series_path, one.study_path):
        (part,) = split_parts(await archive.get(path + "/pixeldata"))
        assert part.body == PIXELS
        assert part.headers["content-location"] == f"{ROOT}{one.path}/bulkdata/7FE00010"
        assert part.body in [found.body for found in split_parts(await archive.get(path + "/bulkdata"))]


async def test_compressed_pixel_data_come_frame_by_frame(archive: Archive) -> None:
    jpegs = [fake_jpeg(bytes([n]) * 60) for n in (1, 2)]
    (one,) = await archive.add(make_encapsulated(jpegs))
    stored = OCTETS + "; transfer-syntax=*"
    for path in ("/bulkdata/7FE00010", "/pixeldata", "/bulkdata"):
        response = await archive.get(one.path + path, stored)
        assert [part.body for part in split_parts(response)] == jpegs
        assert [part.media_type for part in split_parts(response)] == ["image/jpeg"] * 2
        assert 'type="image/jpeg"' in response.headers["content-type"]
        refused = await archive.get(one.path + path, OCTETS)
        assert (refused.status_code, "cannot be decoded" in refused.json()["detail"]) == (406, True)


async def test_a_video_may_be_asked_for_as_octets(archive: Archive) -> None:
    """As OHIF does; but its pictures are not what somebody gets who wants them uncompressed."""
    stream, syntax = bytes(range(200)), "1.2.840.10008.1.2.4.102"
    (one,) = await archive.add(make_encapsulated([stream], transfer_syntax_uid=syntax))
    for path in ("/bulkdata/7FE00010", "/pixeldata", "/bulkdata", "/frames/1"):
        for accept, media_type in ((OCTETS, "application/octet-stream"), (None, "video/mp4")):
            (part,) = split_parts(await archive.get(one.path + path, accept))
            assert (part.media_type, part.body) == (media_type, stream)
            assert part.headers["content-type"].endswith(f"transfer-syntax={syntax}")
        explicit = await archive.get(one.path + path, f"{OCTETS}; transfer-syntax={ExplicitVRLittleEndian}")
        assert explicit.status_code == 406


async def test_all_bulk_data_of_a_study(archive: Archive) -> None:
    study = generate_uid()
    plain, jpeg = (
        make_instance(StudyInstanceUID=study),
        make_encapsulated([fake_jpeg(b"z" * 40)], StudyInstanceUID=study),
    )
    dataset = pydicom.dcmread(io.BytesIO(document()))
    dataset.StudyInstanceUID = study
    instances = await archive.add(plain, jpeg, write_part10(dataset))
    parts = split_parts(await archive.get(instances[0].study_path + "/bulkdata"))
    assert sorted(part.body for part in parts) == sorted([PIXELS, fake_jpeg(b"z" * 40), PDF, b"nested" * 400])
    for part in parts:
        location = part.headers["content-location"].removeprefix(ROOT)
        again = split_parts(await archive.get(location))
        assert [found.body for found in again] == [part.body]
    pixels = split_parts(await archive.get(instances[0].study_path + "/pixeldata"))
    assert sorted(part.body for part in pixels) == sorted([PIXELS, fake_jpeg(b"z" * 40)])


async def test_ranges(archive: Archive) -> None:
    (one,) = await archive.add(document())
    path = one.path + "/bulkdata/00420011"
    alone = await archive.get(path, "application/octet-stream", range="bytes=0-9")
    assert (alone.status_code, alone.content, alone.headers["content-range"]) == (
        206,
        PDF[:10],
        f"bytes 0-9/{len(PDF)}",
    )
    part = await archive.get(path, OCTETS, range="bytes=0-99")
    assert (part.status_code, split_parts(part)[0].body) == (206, PDF[:100])
    assert split_parts(part)[0].headers["content-range"] == f"bytes 0-99/{len(PDF)}"
    tail = await archive.get(path, "application/octet-stream", range="bytes=-3")
    assert tail.content == PDF[-3:]
    several = await archive.get(path, OCTETS, range="bytes=0-9,20-29")
    assert (several.status_code, split_parts(several)[0].body) == (200, PDF)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/bulkdata/00420012", 200),  # small, but there
        ("/bulkdata/00420099", 404),
        ("/bulkdata/0040A730/3/00420011", 404),
        ("/bulkdata/0040A730/1/00420011", 404),
        ("/bulkdata/0040A730", 404),
        ("/bulkdata/0040A730/2", 400),
        ("/bulkdata/0040A730/0/00420011", 400),
        ("/bulkdata/xyz", 400),
        ("/bulkdata/../../../etc/passwd", 404),
        ("/bulkdata/" + "0040A730/1/" * 200 + "00420011", 400),
        ("/pixeldata", 404),
    ],
)
async def test_paths(archive: Archive, path: str, status: int) -> None:
    (one,) = await archive.add(document())
    response = await archive.get(one.path + path)
    assert response.status_code == status
    if status != 200:
        assert response.json()["status"] == status
