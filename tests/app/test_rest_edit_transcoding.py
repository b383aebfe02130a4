"""…/modify and …/anonymize with Transcode: results in other transfer syntaxes, their pixels and their UIDs."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import generate_uid

from dicomweb_server.dicom.orthanc_id import orthanc_id
from dicomweb_server.services import transcoding
from dicomweb_server.services.jobs import JobState
from tests.app.rest_harness import Rest, open_rest
from tests.builders import fake_jpeg, make_dataset, make_encapsulated, write_part10
from tests.editing import item
from tests.encoded_images import decoded, image_file, read
from tests.images import described

P = "1.2.840.10008.1.2."
EXPLICIT, JPEG, EXTENDED, JPEG_LS, J2K, RLE = (P + last for last in ("1", "4.50", "4.51", "4.80", "4.90", "5"))
CT = described(12, rows=40, columns=48)
KEPT = {"Keep": ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"], "Force": True}


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with open_rest(tmp_path) as opened, opened.services.jobs.running():
        yield opened


class Study:
    """A study of images that refer to each other, and of one that is no image."""

    def __init__(self, source: str = EXPLICIT, frames: int = 1) -> None:
        self.uid, self.uids = generate_uid(), [generate_uid() for _ in range(3)]
        self.common: dict[str, Any] = {
            "PatientID": "P1",
            "StudyInstanceUID": self.uid,
            "SeriesInstanceUID": generate_uid(),
            "ReferencedImageSequence": [item(ReferencedSOPInstanceUID=one) for one in self.uids],
        }
        self.images = [image_file(CT, source, frames, SOPInstanceUID=one, **self.common) for one in self.uids[:2]]
        report = make_dataset(SOPInstanceUID=self.uids[2], **self.common)
        self.files = [*self.images, write_part10(report)]
        self.id = orthanc_id("P1", self.uid)

    def instance(self, number: int) -> str:
        return orthanc_id("P1", self.uid, self.common["SeriesInstanceUID"], self.uids[number])


async def stored(rest: Rest, *arguments: Any) -> Study:
    study = Study(*arguments)
    await rest.store_by_dicomweb(*study.files)
    return study


async def results(rest: Rest, path: str, body: Any) -> list[bytes]:
    response = await rest.post(path, body)
    assert response.status_code == 200, response.text
    listed = await rest.json(f"/studies/{response.json()['ID']}/instances")
    return [(await rest.get(f"/instances/{one['ID']}/file")).content for one in listed]


def images_of(files: list[bytes]) -> list[bytes]:
    return [one for one in files if "PixelData" in read(one)]


@pytest.mark.parametrize("verb", ["modify", "anonymize"])
@pytest.mark.parametrize(
    ("source", "wanted"), [(EXPLICIT, JPEG_LS), (EXPLICIT, RLE), (EXPLICIT, J2K), (J2K, EXPLICIT), (RLE, JPEG_LS)]
)
async def test_studies_in_other_transfer_syntaxes_keep_their_pixels(
    rest: Rest, verb: str, source: str, wanted: str
) -> None:
    study = await stored(rest, source)
    files = await results(rest, f"/studies/{study.id}/{verb}", {"Transcode": wanted})
    made = images_of(files)
    assert (len(files), len(made)) == (3, 2)
    for one in made:
        dataset = read(one)
        assert dataset.file_meta.TransferSyntaxUID == wanted
        assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
        assert dataset.SOPInstanceUID not in study.uids
        assert np.array_equal(decoded(one), decoded(study.images[0]))
    (report,) = [read(one) for one in files if one not in made]
    assert report.file_meta.TransferSyntaxUID == EXPLICIT


@pytest.mark.parametrize("verb", ["modify", "anonymize"])
async def test_a_single_instance_as_a_file(rest: Rest, verb: str) -> None:
    study = await stored(rest)
    body = {"Transcode": JPEG_LS, "Replace": {"StudyDescription": "new"}}
    made = (await rest.post(f"/instances/{study.instance(0)}/{verb}", body)).content
    assert read(made).file_meta.TransferSyntaxUID == JPEG_LS
    assert read(made).StudyDescription == "new"
    assert np.array_equal(decoded(made), decoded(study.images[0]))
    report = (await rest.post(f"/instances/{study.instance(2)}/{verb}", {"Transcode": JPEG_LS})).content
    assert read(report).file_meta.TransferSyntaxUID == EXPLICIT


async def test_pixels_are_compressed_in_place(rest: Rest) -> None:
    study = await stored(rest)
    files = await results(rest, f"/studies/{study.id}/modify", {"Transcode": J2K, **KEPT})
    assert {str(read(one).SOPInstanceUID) for one in files} == {*study.uids}
    for one in images_of(files):
        assert read(one).file_meta.TransferSyntaxUID == J2K
        assert np.array_equal(decoded(one), decoded(study.images[0]))


@pytest.mark.parametrize("verb", ["modify", "anonymize"])
async def test_references_follow_images_that_lost_something(rest: Rest, verb: str) -> None:
    study = await stored(rest)
    files = await results(rest, f"/studies/{study.id}/{verb}", {"Transcode": EXTENDED})
    datasets = [read(one) for one in files]
    made = {str(one.SOPInstanceUID) for one in datasets}
    assert len(made) == 3
    assert not made & {*study.uids}
    for dataset in datasets:
        assert {str(one.ReferencedSOPInstanceUID) for one in dataset.ReferencedImageSequence} == made
        assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    for one in images_of(files):
        assert read(one).file_meta.TransferSyntaxUID == EXTENDED
        assert read(one).LossyImageCompression == "01"


async def test_the_quality_of_what_loses_something(rest: Rest) -> None:
    study = await stored(rest)
    path = f"/instances/{study.instance(0)}/modify"
    low, default, high = [
        len((await rest.post(path, {"Transcode": EXTENDED, **quality})).content)
        for quality in ({"LossyQuality": 10}, {}, {"LossyQuality": 100})
    ]
    assert low < default < high


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("modify", {"Transcode": EXTENDED, **KEPT}),
        ("modify", {"Transcode": EXTENDED, "Keep": ["SOPInstanceUID"], "Force": True}),
        ("anonymize", {"Transcode": EXTENDED, "Options": ["RetainUIDs"], "Force": True}),
        ("modify", {"Transcode": P + "4.100"}),
        ("modify", {"Transcode": EXTENDED, "LossyQuality": 101}),
        ("modify", {"Transcode": EXTENDED, "LossyQuality": True}),
        ("modify", {"LossyQuality": "90"}),
    ],
)
async def test_what_cannot_be_wished_is_refused(rest: Rest, verb: str, body: Any) -> None:
    study = await stored(rest)
    for path in (f"/studies/{study.id}", f"/instances/{study.instance(0)}"):
        response = await rest.post(f"{path}/{verb}", body)
        assert response.status_code == 400, response.text
        assert "Transcode" in response.text or "LossyQuality" in response.text


async def test_what_cannot_be_transcoded_fails_by_itself(rest: Rest) -> None:
    study = await stored(rest)
    broken = make_encapsulated([fake_jpeg(b"no image")], SOPInstanceUID=generate_uid(), **study.common)
    await rest.store_by_dicomweb(broken)
    path, body = f"/studies/{study.id}/modify", {"Transcode": J2K}
    assert (await rest.post(path, body)).status_code >= 400
    answer = (await rest.post(path, {**body, "Permissive": True})).json()
    assert (answer["InstancesCount"], answer["FailedInstancesCount"]) == (4, 1)
    alone = orthanc_id("P1", study.uid, study.common["SeriesInstanceUID"], str(read(broken).SOPInstanceUID))
    assert (await rest.post(f"/instances/{alone}/modify", body)).status_code == 406


async def test_an_image_too_large_for_one_piece(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcoding, "_ONE_PIECE", 1000)
    study = await stored(rest, EXPLICIT, 3)
    files = images_of(await results(rest, f"/studies/{study.id}/anonymize", {"Transcode": JPEG_LS}))
    assert len(files) == 2
    for one in files:
        assert read(one).file_meta.TransferSyntaxUID == JPEG_LS
        assert np.array_equal(decoded(one), decoded(study.images[0]))
    frames = [fake_jpeg(b"no image"), fake_jpeg(b"no image")]
    broken = make_encapsulated(frames, rows=64, columns=64, SOPInstanceUID=generate_uid(), **study.common)
    await rest.store_by_dicomweb(broken)
    body = {"Transcode": RLE, "Permissive": True, "Asynchronous": True}
    job = (await rest.post(f"/studies/{study.id}/modify", body)).json()["ID"]
    assert (await rest.services.jobs.wait(job)).state is JobState.SUCCESS
    assert (await rest.json(f"/jobs/{job}"))["Content"]["FailedInstancesCount"] == 1
