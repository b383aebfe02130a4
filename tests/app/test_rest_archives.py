"""Archives and media: streamed and as jobs, read by other software."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit

from dicomweb_server.dicom.orthanc_id import orthanc_id
from dicomweb_server.services.delete import Scope
from dicomweb_server.services.retrieve import RetrieveService
from tests.app.rest_harness import Rest, open_rest
from tests.builders import make_dataset, make_instance, write_part10
from tests.encoded_images import image_file
from tests.file_sets import opened_file_set
from tests.images import described

FILES = [
    write_part10(
        make_dataset(
            PatientID="P1",
            StudyInstanceUID=f"1.{study}",
            SeriesInstanceUID=f"1.{study}.{series}",
            SOPInstanceUID=f"1.{study}.{series}.{number}",
            StudyDescription=f"Head {study}",
            SeriesDescription=f"Plane {series}",
            AccessionNumber="",
            InstanceNumber=number,
            SeriesNumber=series,
        )
    )
    for study in (1, 2)
    for series in (1, 2)
    for number in (1, 2)
]
STUDY, SERIES = orthanc_id("P1", "1.1"), orthanc_id("P1", "1.2", "1.2.1")
PATIENT, INSTANCE = orthanc_id("P1"), orthanc_id("P1", "1.1", "1.1.1", "1.1.1.1")


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with open_rest(tmp_path) as opened:
        await opened.store_by_dicomweb(*FILES)
        async with opened.services.jobs.running():
            yield opened


def said(command: list[str | Path]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    return done.stdout + done.stderr


def entries(content: bytes) -> dict[str, bytes]:
    with ZipFile(BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize(
    ("path", "count"), [(f"/studies/{STUDY}", 4), (f"/series/{SERIES}", 2), (f"/patients/{PATIENT}", 8)]
)
async def test_the_files_as_they_are_stored(rest: Rest, path: str, count: int) -> None:
    for method in ("GET", "POST"):
        response = await rest.send(method, f"{path}/archive")
        assert response.headers["content-type"] == "application/zip"
        assert response.headers["content-disposition"] == f'attachment; filename="{path.split("/")[-1]}.zip"'
        assert int(response.headers["content-length"]) == len(response.content)
        found = entries(response.content)
        assert len(found) == count
        assert set(found.values()) <= set(FILES)
    if count == 4:
        assert list(found) == [
            f"P1 Doe Jane/Head 1/CT Plane {series}/CT00000{number}.dcm" for series in (1, 2) for number in (0, 1)
        ]


async def test_chosen_resources_each_once(rest: Rest) -> None:
    chosen = [STUDY, INSTANCE, SERIES, STUDY]
    for response in (
        await rest.post("/tools/create-archive", chosen),
        await rest.post("/tools/create-archive", {"Resources": chosen, "Filename": "my.zip"}),
        await rest.get(f"/tools/create-archive?resources={','.join(chosen)}&filename=my.zip"),
    ):
        assert len(entries(response.content)) == 6
    assert response.headers["content-disposition"] == 'attachment; filename="my.zip"'
    assert entries((await rest.post("/tools/create-archive", [])).content) == {}


async def test_media(rest: Rest, tmp_path: Path) -> None:
    for number, response in enumerate(
        (
            await rest.get(f"/patients/{PATIENT}/media"),
            await rest.post("/tools/create-media", [PATIENT]),
            await rest.get(f"/patients/{PATIENT}/media?extended"),
            await rest.post("/tools/create-media-extended", {"Resources": [STUDY, orthanc_id("P1", "1.2")]}),
        )
    ):
        found = entries(response.content)
        assert [*found] == [*(f"IMAGES/IM{n}" for n in range(8)), "DICOMDIR"]
        folder = tmp_path / f"media{number}"
        ZipFile(BytesIO(response.content)).extractall(folder)
        with opened_file_set(folder / "DICOMDIR") as file_set:
            uids = {one.load().SOPInstanceUID for one in file_set}
        assert uids == {dcmread(BytesIO(file)).SOPInstanceUID for file in FILES}
        assert ("SeriesDescription" in dcmread(folder / "DICOMDIR").DirectoryRecordSequence[2]) == (number > 1)


@pytest.mark.skipif(shutil.which("dcentvfy") is None, reason="dicom3tools are not installed")
async def test_media_are_in_order_for_dicom3tools(rest: Rest, tmp_path: Path) -> None:
    response = await rest.get(f"/patients/{PATIENT}/media")
    ZipFile(BytesIO(response.content)).extractall(tmp_path)
    images = sorted((tmp_path / "IMAGES").iterdir())
    commands: list[list[str | Path]] = [["dciodvfy", "-new", tmp_path / "DICOMDIR"], ["dcentvfy", *images]]
    for command in commands:
        assert "Error" not in await asyncio.to_thread(said, command)


async def test_a_file_set_needs_no_metadata_at_hand(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    async def damaged(scope: Scope) -> AsyncIterator[list[bytes]]:
        yield [b""] * 4

    monkeypatch.setattr(RetrieveService, "metadata", lambda _self, scope: damaged(scope))
    response = await rest.get(f"/studies/{STUDY}/media")
    directory = dcmread(BytesIO(entries(response.content)["DICOMDIR"]))
    assert [record.DirectoryRecordType for record in directory.DirectoryRecordSequence].count("IMAGE") == 4


async def test_in_another_transfer_syntax(rest: Rest) -> None:
    for path in ("archive", "media"):
        response = await rest.get(f"/studies/{STUDY}/{path}?transcode={ImplicitVRLittleEndian}")
        found = entries(response.content)
        directory = found.pop("DICOMDIR", None)
        assert {dcmread(BytesIO(one)).file_meta.TransferSyntaxUID for one in found.values()} == {ImplicitVRLittleEndian}
    assert directory is not None
    record = dcmread(BytesIO(directory)).DirectoryRecordSequence[3]
    assert record.ReferencedTransferSyntaxUIDInFile == ImplicitVRLittleEndian
    same = await rest.post(f"/studies/{STUDY}/archive", {"Transcode": ExplicitVRLittleEndian})
    assert set(entries(same.content).values()) <= set(FILES)


async def test_what_cannot_be_compressed_is_as_it_is_stored(rest: Rest) -> None:
    await rest.store_by_dicomweb(make_instance(PatientID="P9", StudyInstanceUID="9", SeriesInstanceUID="9.1"))
    chosen = [orthanc_id("P9", "9"), INSTANCE]
    response = await rest.post("/tools/create-media", {"Resources": chosen, "Transcode": JPEG2000Lossless})
    found = entries(response.content)
    directory = dcmread(BytesIO(found.pop("DICOMDIR")))
    files = [dcmread(BytesIO(one)).file_meta.TransferSyntaxUID for one in found.values()]
    assert files == [JPEG2000Lossless, ExplicitVRLittleEndian]
    records = [one for one in directory.DirectoryRecordSequence if one.DirectoryRecordType == "IMAGE"]
    assert [one.ReferencedTransferSyntaxUIDInFile for one in records] == files


async def test_the_quality_of_what_loses_something(rest: Rest) -> None:
    """As it is asked for, streamed and as a job; the DICOMDIR names the files that are there."""
    image = image_file(described(8, rows=64, columns=64), PatientID="P8", StudyInstanceUID="8", SeriesInstanceUID="8.1")
    await rest.store_by_dicomweb(image)
    study, syntax = orthanc_id("P8", "8"), str(JPEGBaseline8Bit)
    sizes = []
    for quality in (10, 95):
        got = await rest.get(f"/studies/{study}/archive?transcode={syntax}&lossy-quality={quality}")
        wish = {"Transcode": syntax, "LossyQuality": quality}
        media = entries((await rest.post(f"/studies/{study}/media", wish)).content)
        job = (await rest.post(f"/studies/{study}/archive", {**wish, "Asynchronous": True})).json()
        await ended(rest, job["ID"])
        output = await rest.get(f"/jobs/{job['ID']}/archive")
        (file,) = entries(got.content).values()
        assert [*entries(output.content).values()] == [file] == [media["IMAGES/IM0"]]
        sizes.append(len(dcmread(BytesIO(file)).PixelData))
        *_, record = dcmread(BytesIO(media["DICOMDIR"])).DirectoryRecordSequence
        meta = dcmread(BytesIO(file)).file_meta
        assert record.ReferencedTransferSyntaxUIDInFile == meta.TransferSyntaxUID == syntax
        assert record.ReferencedSOPInstanceUIDInFile == meta.MediaStorageSOPInstanceUID
        single = orthanc_id("P8", "8", "8.1", dcmread(BytesIO(image)).SOPInstanceUID)
        path = f"/instances/{single}/file?transcode={syntax}&lossy-quality={quality}"
        alone = await rest.get(path)
        assert alone.content == file
        assert (await rest.get(path, if_none_match=alone.headers["etag"])).status_code == 304
    assert sizes[0] * 2 < sizes[1]


async def test_as_a_job(rest: Rest) -> None:
    body = {"Asynchronous": True, "Priority": 7, "Filename": "x.zip", "UserData": {"a": 1}}
    answer = (await rest.post(f"/studies/{STUDY}/archive", body)).json()
    assert answer["Path"] == f"/jobs/{answer['ID']}"
    job = await ended(rest, answer["ID"])
    assert (job["State"], job["Type"], job["Priority"], job["UserData"]) == ("Success", "Archive", 7, {"a": 1})
    assert job["Content"]["Description"] == "REST API"
    assert job["Content"]["InstancesCount"] == 4
    output = await rest.get(f"/jobs/{answer['ID']}/archive")
    assert output.headers["content-disposition"] == 'attachment; filename="x.zip"'
    assert len(output.content) == int(job["Content"]["ArchiveSize"])
    assert len(entries(output.content)) == 4
    media = (await rest.post("/tools/create-media", {"Resources": [STUDY], "Synchronous": False})).json()
    assert (await ended(rest, media["ID"]))["Type"] == "Media"
    assert "DICOMDIR" in entries((await rest.get(f"/jobs/{media['ID']}/archive")).content)
    await rest.services.delete.delete(Scope("1.1"))
    assert (await rest.get(f"/jobs/{answer['ID']}/archive")).status_code == 404


async def ended(rest: Rest, job_id: str) -> Any:
    for _ in range(3000):
        job = await rest.json(f"/jobs/{job_id}")
        if job["State"] in ("Success", "Failure"):
            return job
        await asyncio.sleep(0.01)
    raise AssertionError(job)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"/studies/{STUDY}/archive", "[1]", 400),
        (f"/studies/{STUDY}/archive", "{", 400),
        (f"/studies/{STUDY}/archive", '{"Asynchronous": 1}', 400),
        (f"/studies/{STUDY}/archive", '{"Priority": "high"}', 400),
        (f"/studies/{STUDY}/archive", '{"Priority": 1e9999}', 400),
        (f"/studies/{STUDY}/archive", '{"Transcode": "1.2.3"}', 400),
        (f"/studies/{STUDY}/archive", '{"LossyQuality": 101}', 400),
        (f"/studies/{STUDY}/archive?lossy-quality=0", None, 400),
        (f"/instances/{INSTANCE}/file?transcode=1.2.3", None, 400),
        (f"/instances/{INSTANCE}/file?transcode=1.2.840.10008.1.2.4.50&lossy-quality=101", None, 400),
        (f"/series/{STUDY}/archive", "{}", 404),
        ("/studies/../archive", "{}", 404),
        (f"/instances/{INSTANCE}/archive", "{}", 404),
        ("/tools/create-archive", "", 400),
        ("/tools/create-archive", "{}", 400),
        ("/tools/create-archive", '"x"', 400),
        ("/tools/create-archive", '["nothing"]', 404),
        ("/tools/create-archive", '{"Resources": [1]}', 400),
        ("/tools/create-archive", '{"Resources": {"a": 1}}', 400),
        ("/tools/create-media", '{"Resources": ["nothing"], "Asynchronous": true}', 404),
    ],
)
async def test_bad_input(rest: Rest, path: str, body: str | None, status: int) -> None:
    response = await (rest.get(path) if body is None else rest.post(path, body))
    assert response.status_code == status, response.text
    assert response.json()["HttpStatus"] == status


async def test_nothing_is_written_where_a_request_says(rest: Rest, tmp_path: Path) -> None:
    response = await rest.post(f"/instances/{INSTANCE}/export", str(tmp_path / "out.dcm"))
    assert response.status_code == 403
    assert not (tmp_path / "out.dcm").exists()


@pytest.mark.parametrize("query", ["", "resources=", "resources=nothing", f"resources={STUDY}&transcode=x"])
async def test_bad_parameters(rest: Rest, query: str) -> None:
    assert (await rest.get(f"/tools/create-archive?{query}")).status_code in (400, 404)
