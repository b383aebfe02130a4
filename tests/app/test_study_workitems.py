"""Routes that schedule a workitem for a study that is complete."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from conformance.server import free_port
from dicomweb_server.dicom.workitem import State
from dicomweb_server.dicom.workitem_of_study import Code, Source, WorkitemTemplate, study_workitem
from dicomweb_server.dicom.workitem_rules import new_workitem
from dicomweb_server.services import sending
from dicomweb_server.services.jobs import JobState
from dicomweb_server.services.workitems import WorkitemSearch
from dicomweb_server.settings import Settings
from dicomweb_server.settings.modalities import Modality
from dicomweb_server.settings.routes import Routes
from dicomweb_server.settings.workitem_templates import WorkitemTemplates
from tests.app.dimse_peers import study
from tests.app.test_dimse_notification import of
from tests.app.working_store import at_work, keep, reach

TEMPLATE = {"label": "Find nodules", "worklist": "AI", "priority": "high", "workitem": "110004^DCM^CAD", "expires": 60}


async def test_a_study_that_is_complete_becomes_a_workitem(tmp_path: Path) -> None:
    settings = Settings(
        data=tmp_path,
        sync="off",
        dimse=False,
        ae_title="ARCHIVE",
        public_url="https://pacs.example/dicom-web/",
        stable_age=0.0,
        routes=Routes().read("lungs=workitem:nodules"),
        workitem_templates=WorkitemTemplates().read({"nodules": TEMPLATE}),
    )
    files = study(3)
    async with at_work(settings) as store:
        await keep(store, files)
        await asyncio.sleep(0.01)
        await store.services.changes.judge()
        await reach(store, JobState.SUCCESS, 1)
        found = [each async for batch in store.services.workitems.search(WorkitemSearch()) for each in batch]
        (job,) = await store.services.jobs.list()
    sent = of(files)
    (workitem,) = found
    assert job.type == "StudyWorkitem"
    assert job.content["Workitem"] == workitem["00080018"]["Value"][0]
    assert workitem["00741204"]["Value"] == ["Find nodules"]
    assert workitem["00741202"]["Value"] == ["AI"]
    assert workitem["00741200"]["Value"] == ["HIGH"]
    assert workitem["00404008"]["Value"] > workitem["00404005"]["Value"]
    assert workitem["00404018"]["Value"][0]["00080104"]["Value"] == ["CAD"]
    assert workitem["00100020"]["Value"] == [sent[0].PatientID]
    (given,) = workitem["00404021"]["Value"]
    assert given["0020000E"]["Value"] == [sent[0].SeriesInstanceUID]
    assert {each["00081155"]["Value"][0] for each in given["00081199"]["Value"]} == {
        each.SOPInstanceUID for each in sent
    }
    assert given["0040E021"]["Value"][0]["00080054"]["Value"] == ["ARCHIVE"]
    url = given["0040E025"]["Value"][0]["00081190"]["Value"][0]
    assert (
        url == f"https://pacs.example/dicom-web/studies/{sent[0].StudyInstanceUID}/series/{sent[0].SeriesInstanceUID}"
    )


async def test_a_workitem_is_pushed_to_who_shall_schedule_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_FIRST_WAIT", 0.1)
    port = free_port()
    here = Settings(
        data=tmp_path / "here",
        sync="off",
        dimse=False,
        stable_age=0.0,
        modalities={"tps": Modality("TPS", "127.0.0.1", port)},
        routes=Routes().read("plan=workitem:plan"),
        workitem_templates=WorkitemTemplates().read({"plan": {"modality": "tps"}}),
    )
    there = Settings(data=tmp_path / "there", sync="off", ae_title="TPS", dimse_port=port, unknown_allow=("ups",))
    async with at_work(here) as store:
        await keep(store, study(2))
        await asyncio.sleep(0.01)
        await store.services.changes.judge()
        await reach(store, JobState.RETRY, 1)
        async with at_work(there) as other:
            await reach(store, JobState.SUCCESS, 1)
            counts = await other.services.workitems.counts()
        assert sum((await store.services.workitems.counts()).values()) == 0
    assert counts[State.SCHEDULED] == 1


@pytest.mark.parametrize("accession_number", ["A1", ""])
def test_what_is_made_may_be_created(accession_number: str) -> None:
    attributes: dict[str, Any] = {
        "0020000D": {"vr": "UI", "Value": ["1.2"]},
        "00080050": {"vr": "SH", "Value": [accession_number]} if accession_number else {"vr": "SH"},
    }
    template = WorkitemTemplate("L", "W", "LOW", Code("A", "S", "M"))
    made = study_workitem(template, attributes, [("1.2.3", "1.4", "1.5")], Source("ARCHIVE"), "20290101")
    created, modified = new_workitem("1.9", made, "20290101")
    assert modified == ()
    assert len(created["0040A370"].get("Value", ())) == bool(accession_number)
    assert "0040E025" not in created["00404021"]["Value"][0]


@pytest.mark.parametrize(
    "wrong", ["x", {"a": "b"}, {"a": {"priority": "URGENT"}}, {"a": {"station": "GPU1"}}, {"a": {"labels": "x"}}]
)
def test_what_is_no_template(wrong: Any) -> None:
    with pytest.raises(ValueError):
        WorkitemTemplates().read(wrong)


def test_a_workitem_waits_for_the_whole_study() -> None:
    assert Routes().read("a=workitem:AI")["a"].level.name == "STUDY"
    with pytest.raises(ValueError, match="when is study"):
        Routes().read({"a": {"to": "workitem:AI", "when": "series"}})
