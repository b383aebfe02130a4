"""Reconstruction writes anew what files say; slices are in their order in space."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dicomweb_server.dicom.orthanc_id import orthanc_id
from tests.app.rest_harness import Rest, open_rest
from tests.builders import make_instance

STUDY = "1.2.826.0.1.3680043.8.498.1"
SERIES = f"/series/{orthanc_id('P1', STUDY, f'{STUDY}.1')}"
IDS = [orthanc_id("P1", STUDY, f"{STUDY}.1", f"{STUDY}.1.{number}") for number in (1, 2, 3)]


def file(number: int, place: float | None) -> bytes:
    plane: dict[str, Any] = (
        {}
        if place is None
        else {
            "ImagePositionPatient": [0, 0, place],
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        }
    )
    return make_instance(
        PatientID="P1",
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=f"{STUDY}.1",
        SOPInstanceUID=f"{STUDY}.1.{number}",
        InstanceNumber=number,
        StudyDescription="as in the file",
        **plane,
    )


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with open_rest(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("path", ["/tools/reconstruct", f"{SERIES}/reconstruct", f"/instances/{IDS[0]}/reconstruct"])
async def test_rows_are_written_anew(rest: Rest, path: str) -> None:
    await rest.post("/instances", file(1, 1.0))
    await rest.send("PUT", f"{SERIES}/labels/kept")
    writing = rest.store._database.writing
    writing.execute("UPDATE study SET study_description = 'another'")
    writing.execute("UPDATE instance SET instance_number = 99")
    tags = await rest.json(f"/instances/{IDS[0]}/tags")
    assert (await rest.post(path, {"ReconstructFiles": True})).status_code == 200
    assert (await rest.json("/studies?expand"))[0]["MainDicomTags"]["StudyDescription"] == "as in the file"
    assert (await rest.json(f"/instances/{IDS[0]}"))["MainDicomTags"]["InstanceNumber"] == "1"
    assert await rest.json(f"/instances/{IDS[0]}/tags") == tags
    assert await rest.json(f"{SERIES}/labels") == ["kept"]
    assert (await rest.get(f"/instances/{IDS[0]}/file")).content == file(1, 1.0)


async def test_what_cannot_be_understood_is_refused(rest: Rest) -> None:
    assert (await rest.post("/tools/reconstruct", {"ReconstructFiles": "yes"})).status_code == 400
    assert (await rest.post(f"/studies/{IDS[0]}/reconstruct", "")).status_code == 404


@pytest.mark.parametrize(
    ("places", "order", "kind"),
    [((3.0, 2.0, 1.0), (2, 1, 0), "Volume"), ((None, None, None), (0, 1, 2), "Sequence")],
)
async def test_slices_in_order(rest: Rest, places: tuple[float], order: tuple[int], kind: str) -> None:
    for number, place in enumerate(places, 1):
        await rest.post("/instances", file(number, place))
    said = await rest.json(f"{SERIES}/ordered-slices")
    assert said["Dicom"] == [f"/instances/{IDS[position]}/file" for position in order]
    assert (said["SlicesShort"][0], said["Type"]) == ([IDS[order[0]], 0, 1], kind)
