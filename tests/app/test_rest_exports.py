"""/exports: what was sent, where that is noted."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dicomweb_server.services.exports import ExportService
from tests.app.fake_remotes import FakeRemote, open_with_remote
from tests.app.rest_harness import Rest
from tests.app.test_rest_sending import DOORS, SERIES, STUDY, load, uid

Opened = tuple[Rest, FakeRemote]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opened]:
    async with open_with_remote(tmp_path) as both:
        yield both


async def test_what_was_sent_is_told_with_its_parents(opened: Opened) -> None:
    rest, _ = opened
    await load(rest, 2)
    assert await rest.json("/exports") == {"Done": True, "Exports": [], "Last": 0}
    levels = ("patients", "studies", "series", "instances")
    ids = {level: (await rest.json(f"/{level}"))[0] for level in levels}
    for level in levels:
        await rest.post(DOORS[0], ids[level])
    for door in DOORS[1:]:
        await rest.post(door, ids["studies"])
    answer = await rest.json("/exports")
    assert (answer["Done"], answer["Last"], [each["Seq"] for each in answer["Exports"]]) == (
        True,
        6,
        [1, 2, 3, 4, 5, 6],
    )
    patient, study, series, instance, *others = answer["Exports"]
    assert patient.pop("Date")
    assert patient == {
        "ID": ids["patients"], "Path": f"/patients/{ids['patients']}", "PatientID": "P", "RemoteModality": "pacs",
        "ResourceType": "Patient", "Seq": 1,
    }  # fmt: skip
    assert (study["StudyInstanceUID"], "SeriesInstanceUID" in study) == (STUDY, False)
    assert (series["SeriesInstanceUID"], series["ResourceType"]) == (SERIES, "Series")
    assert instance["SOPInstanceUID"] in (uid(0), uid(1))
    assert [each["RemoteModality"] for each in others] == ["peer", "web"]
    page = await rest.json("/exports?since=1&limit=2")
    assert (page["Done"], page["Last"], [each["Seq"] for each in page["Exports"]]) == (False, 3, [2, 3])
    assert (await rest.send("DELETE", "/exports")).status_code == 200
    assert await rest.json("/exports") == {"Done": True, "Exports": [], "Last": 0}
    await rest.post(DOORS[0], ids["studies"])
    assert (await rest.json("/exports"))["Last"] == 7
    assert (await rest.get("/exports?limit=x")).status_code == 400


async def test_what_failed_was_not_sent_and_nothing_is_noted_unasked(opened: Opened) -> None:
    rest, remote = opened
    study = await load(rest)
    remote.refused = {uid(0)}
    await rest.post(DOORS[0], study)
    assert (await rest.json("/exports"))["Exports"] == []
    unasked = ExportService(rest.store.exports)
    await unasked.note("pacs", [[1, "id", "P", ["1.2"]]])
    assert await unasked.page(0, 10) == []
