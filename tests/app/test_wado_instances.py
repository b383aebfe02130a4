"""WADO-RS studies, series and instances over a real store."""

import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    generate_uid,
)

from tests.app.dicomweb_harness import ROOT, Archive, Instance, open_archive, parts_of, split_parts
from tests.builders import fake_jpeg, make_encapsulated, make_instance

DICOM = 'multipart/related; type="application/dicom"'
STORED = DICOM + "; transfer-syntax=*"
EXPLICIT = f"{DICOM}; transfer-syntax={ExplicitVRLittleEndian}"


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path) as opened:
        yield opened


def syntax_of(data: bytes) -> str:
    return str(pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True).file_meta.TransferSyntaxUID)


async def series(archive: Archive, count: int = 3) -> list[Instance]:
    study, one_series = generate_uid(), generate_uid()
    files = [
        make_instance(StudyInstanceUID=study, SeriesInstanceUID=one_series, InstanceNumber=number)
        for number in range(1, count + 1)
    ]
    return await archive.add(*files)


async def test_an_instance_comes_as_a_part(archive: Archive) -> None:
    (one,) = await archive.add(make_instance())
    for accept in (None, "*/*", DICOM, STORED, EXPLICIT):
        response = await archive.get(one.path, accept)
        (part,) = split_parts(response)
        assert part.body == one.data
        assert part.headers["content-type"] == f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"
        assert part.headers["content-location"] == ROOT + one.path
        assert int(response.headers["content-length"]) == len(response.content)


async def test_an_instance_comes_alone(archive: Archive) -> None:
    (one,) = await archive.add(make_instance())
    response = await archive.get(one.path, "application/dicom")
    assert response.content == one.data
    assert response.headers["content-type"] == f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"
    part = await archive.get(one.path, "application/dicom", range="bytes=128-131")
    assert (part.status_code, part.content) == (206, b"DICM")
    head = await archive.send("HEAD", one.path, "application/dicom")
    assert (head.content, head.headers["content-length"]) == (b"", str(len(one.data)))


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
async def test_other_native_encodings_come_as_explicit_little_endian(archive: Archive, syntax: str) -> None:
    (one,) = await archive.add(make_instance(transfer_syntax_uid=syntax))
    for accept in (None, DICOM, EXPLICIT):
        (part,) = split_parts(await archive.get(one.path, accept))
        assert syntax_of(part.body) == ExplicitVRLittleEndian
        assert part.headers["content-type"].endswith("=" + ExplicitVRLittleEndian)
        assert pydicom.dcmread(io.BytesIO(part.body)).PixelData[:4] == b"\0\0\1\0"
    (part,) = split_parts(await archive.get(one.path, STORED))
    assert part.body == one.data
    assert part.headers["content-type"].endswith("=" + syntax)


async def test_representations_of_one_instance_have_different_tags(archive: Archive) -> None:
    (one,) = await archive.add(make_instance(transfer_syntax_uid=ImplicitVRLittleEndian))
    accepts = (DICOM, STORED, "application/dicom", "application/dicom; transfer-syntax=*", "application/zip")
    tags = [(await archive.get(one.path, accept)).headers["etag"] for accept in accepts]
    assert len(set(tags)) == len(accepts)


async def test_compressed_instances_come_as_stored(archive: Archive) -> None:
    (one,) = await archive.add(make_encapsulated([fake_jpeg(b"x" * 50)]))
    for accept in (None, DICOM, STORED, f"{DICOM}; transfer-syntax={JPEGBaseline8Bit}"):
        assert split_parts(await archive.get(one.path, accept))[0].body == one.data
    refused = await archive.get(one.path, EXPLICIT)
    assert refused.status_code == 406
    assert "cannot be decoded" in refused.json()["detail"]


@pytest.mark.parametrize("uid", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("stored", [ImplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian])
async def test_implicit_and_big_endian_cannot_be_named(archive: Archive, stored: str, uid: str) -> None:
    (one,) = await archive.add(make_instance(transfer_syntax_uid=stored))
    assert (await archive.get(one.path, f"{DICOM}; transfer-syntax={uid}")).status_code == 406


async def test_a_series_and_a_study_come_in_order(archive: Archive) -> None:
    instances = await series(archive)
    (other,) = await archive.add(make_instance(StudyInstanceUID=instances[0].study, SeriesNumber=9))
    response = await archive.get(instances[0].series_path)
    assert [part.body for part in split_parts(response)] == [one.data for one in instances]
    assert int(response.headers["content-length"]) == len(response.content)
    response = await archive.get(instances[0].study_path)
    assert [part.body for part in split_parts(response)] == [one.data for one in [*instances, other]]
    assert [part.media_type for part in parts_of(response)] == ["application/dicom"] * 4
    again = await archive.get(instances[0].study_path, if_none_match=response.headers["etag"])
    assert again.status_code == 304
    await archive.add(make_instance(StudyInstanceUID=instances[0].study))
    changed = await archive.get(instances[0].study_path, if_none_match=response.headers["etag"])
    assert changed.status_code == 200


async def test_a_series_of_several_encodings(archive: Archive) -> None:
    study, one_series = generate_uid(), generate_uid()
    shared: dict[str, Any] = {"StudyInstanceUID": study, "SeriesInstanceUID": one_series}
    plain, implicit, jpeg = await archive.add(
        make_instance(**shared, InstanceNumber=1),
        make_instance(**shared, InstanceNumber=2, transfer_syntax_uid=ImplicitVRLittleEndian),
        make_encapsulated([fake_jpeg(b"y" * 30)], **shared, InstanceNumber=3),
    )
    found = [syntax_of(part.body) for part in split_parts(await archive.get(plain.series_path))]
    assert found == [ExplicitVRLittleEndian, ExplicitVRLittleEndian, JPEGBaseline8Bit]
    stored = split_parts(await archive.get(plain.series_path, STORED))
    assert [part.body for part in stored] == [plain.data, implicit.data, jpeg.data]
    found = [syntax_of(part.body) for part in split_parts(await archive.get(plain.series_path, EXPLICIT))]
    assert found == [ExplicitVRLittleEndian, ExplicitVRLittleEndian, JPEGBaseline8Bit]  # what cannot be decoded
    both = f"{EXPLICIT}, {DICOM}; transfer-syntax={JPEGBaseline8Bit}"
    found = [syntax_of(part.body) for part in split_parts(await archive.get(plain.series_path, both))]
    assert found == [ExplicitVRLittleEndian, ExplicitVRLittleEndian, JPEGBaseline8Bit]


async def test_a_series_cannot_come_alone(archive: Archive) -> None:
    instances = await series(archive)
    refused = await archive.get(instances[0].series_path, "application/dicom")
    assert refused.status_code == 406
    assert "application/zip" in refused.json()["detail"]


def files_in(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert opened.testzip() is None
        return {info.filename: opened.read(info) for info in opened.infolist()}


async def test_a_zip_archive(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("services.contents", "services.zip_stream"):
        monkeypatch.setattr(f"dicomweb_server.{module}.WHOLE_SIZE", 100_000)
    instances = await series(archive)
    (large,) = await archive.add(make_instance(rows=400, columns=400, StudyInstanceUID=instances[0].study))
    response = await archive.get(large.study_path, "application/zip; transfer-syntax=*")
    assert response.headers["content-type"] == "application/zip"
    assert int(response.headers["content-length"]) == len(response.content)
    assert files_in(response.content) == {f"{one.series}/{one.uid}.dcm": one.data for one in [*instances, large]}
    single = await archive.get(large.path, "application/zip")
    assert list(files_in(single.content).values()) == [large.data]


async def test_a_zip_archive_of_reencoded_instances(archive: Archive) -> None:
    (one,) = await archive.add(make_instance(transfer_syntax_uid=ImplicitVRLittleEndian))
    (name,) = files_in((await archive.get(one.study_path, "application/zip")).content).items()
    assert syntax_of(name[1]) == ExplicitVRLittleEndian


async def test_what_is_not_there_answers_404(archive: Archive) -> None:
    (one,) = await archive.add(make_instance())
    (other,) = await archive.add(make_instance())
    for path in (
        f"/studies/{generate_uid()}",
        f"{one.study_path}/series/{other.series}",
        f"{other.study_path}/series/{one.series}/instances/{one.uid}",
        f"{one.study_path}/series/{other.series}/instances/{one.uid}",
        f"{one.series_path}/instances/{other.uid}",
        "/studies/..%2f..%2fetc",
        "/studies/1.2%00",
        "/studies/" + "1." * 500 + "1",
    ):
        response = await archive.get(path)
        assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json"), path


async def test_a_lost_file_does_not_hide_the_others(archive: Archive) -> None:
    instances = await series(archive)
    assert archive.store.blobs.unplaced.place_all()
    for file in (archive.store.blobs._folder).rglob("*.dcm"):
        if file.read_bytes() == instances[1].data:
            file.unlink()
    response = await archive.get(instances[0].series_path)
    assert response.status_code == 206
    assert [part.body for part in split_parts(response)] == [instances[0].data, instances[2].data]
    assert response.headers["warning"].startswith(f"299 {ROOT}: ")
    assert "etag" not in response.headers
    lost = await archive.get(instances[1].path)
    assert (lost.status_code, lost.json()["reason"]) == (500, "STORAGE_DAMAGED")


async def test_deletion(archive: Archive) -> None:
    first, second, third = await series(archive)
    gone = await archive.send("DELETE", first.path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert "content-type" not in gone.headers
    assert (await archive.get(first.path)).status_code == 404
    assert (await archive.send("DELETE", first.path)).status_code == 404
    assert [part.body for part in split_parts(await archive.get(second.series_path))] == [second.data, third.data]
    assert (await archive.send("DELETE", second.series_path)).status_code == 204
    assert (await archive.get(second.study_path)).status_code == 404
    (other,) = await archive.add(make_instance())
    assert (await archive.send("DELETE", other.study_path)).status_code == 204
    assert (await archive.get(other.study_path + "/metadata")).status_code == 404
