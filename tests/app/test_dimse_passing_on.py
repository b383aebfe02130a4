"""Reports of performed steps that are passed on: a scanner and a RIS, both played by pynetdicom."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt

from conformance.peer import listening
from conformance.server import free_port
from dicomweb_server.dimse.contexts import PERFORMED_STEP
from dicomweb_server.dimse.contexts import PERFORMED_STEP_NOTIFICATION as NOTIFICATION
from dicomweb_server.services import passing_on, sending
from dicomweb_server.services.jobs import JobState
from dicomweb_server.settings import Settings
from dicomweb_server.settings.modalities import Modality
from tests.app.dimse_harness import AE_TITLE
from tests.app.test_dimse_performed import changed, created, told
from tests.app.working_store import at_work, reach
from tests.worklists import ending, item, report

Heard = list[tuple[str, str, Dataset]]


@contextmanager
def ris(port: int, *statuses: int) -> Iterator[Heard]:
    """Takes reports and answers them with these statuses, then with 0000."""
    heard: Heard = []

    def status() -> int:
        return statuses[len(heard) - 1] if len(heard) <= len(statuses) else 0x0000

    def create(event: Any) -> tuple[int, None]:
        heard.append(("N-CREATE", event.request.AffectedSOPInstanceUID, event.attribute_list))
        return status(), None

    def change(event: Any) -> tuple[int, None]:
        heard.append(("N-SET", event.request.RequestedSOPInstanceUID, event.modification_list))
        return status(), None

    ae = AE("RIS")
    ae.add_supported_context(PERFORMED_STEP)
    with listening(ae, port, [(evt.EVT_N_CREATE, create), (evt.EVT_N_SET, change)]):
        yield heard


def settings(folder: Path, ris_port: int, own_port: int) -> Settings:
    return Settings(
        data=folder,
        sync="off",
        dimse_port=own_port,
        ae_title=AE_TITLE,
        unknown_allow=("mpps",),
        modalities={"ris": Modality("RIS", "127.0.0.1", ris_port, timeout=15.0)},
        mpps_forward=("ris",),
    )


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_FIRST_WAIT", 0.1)
    monkeypatch.setattr(passing_on, "_SOON", 0.05)


async def test_reports_are_passed_on_as_they_come(tmp_path: Path) -> None:
    ris_port, port, uid = free_port(), free_port(), generate_uid()
    begun = report(item(), SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Änne")
    async with at_work(settings(tmp_path, ris_port, port)) as store:
        with ris(ris_port) as heard:
            assert await told(port, created(begun, uid), changed(ending(), uid)) == [0, 0]
            await reach(store, JobState.SUCCESS, 2)
    (first, first_uid, attributes), (second, second_uid, last) = heard
    assert (first, second, first_uid, second_uid) == ("N-CREATE", "N-SET", uid, uid)
    assert attributes.PerformedProcedureStepStatus == "IN PROGRESS"
    assert attributes.PatientName == "Müller^Änne"
    assert attributes.ScheduledStepAttributesSequence == begun.ScheduledStepAttributesSequence
    assert last.PerformedProcedureStepStatus == "COMPLETED"


async def test_a_ris_that_was_away_gets_them_in_their_order_after_a_restart(tmp_path: Path) -> None:
    ris_port, port, uid = free_port(), free_port(), generate_uid()
    between = Dataset()
    between.PerformedProcedureStepDescription = "Head"
    async with at_work(settings(tmp_path, ris_port, port)) as store:
        assert await told(port, created(report(), uid), changed(between, uid), changed(ending(), uid)) == [0, 0, 0]
        await reach(store, JobState.RETRY, 3)
    async with at_work(settings(tmp_path, ris_port, free_port())) as store:
        with ris(ris_port, 0x0111) as heard:  # it had the first one already
            await reach(store, JobState.SUCCESS, 3)
    assert [kind for kind, _, _ in heard] == ["N-CREATE", "N-SET", "N-SET"]
    assert [dataset.get("PerformedProcedureStepDescription") for _, _, dataset in heard[1:]] == ["Head", None]


async def test_what_is_refused_here_is_not_passed_on_and_what_is_refused_there_fails(tmp_path: Path) -> None:
    ris_port, port, uid = free_port(), free_port(), generate_uid()
    async with at_work(settings(tmp_path, ris_port, port)) as store:
        with ris(ris_port, 0x0110) as heard:
            assert await told(port, changed(ending(), uid), created(report(Modality=None), uid)) == [0x0112, 0x0120]
            assert await told(port, created(report(), uid), created(report(), uid)) == [0, 0x0111]
            await reach(store, JobState.FAILURE, 1)
            await asyncio.sleep(0.1)
        (job,) = await store.services.jobs.list()
        assert "0110H" in job.details
    assert len(heard) == 1


Events = list[tuple[int, str, str]]


@contextmanager
def viewer(port: int, status: int = 0x0000) -> Iterator[Events]:
    """Is told of events, and may be told of nothing else."""
    heard: Events = []

    def told_of(event: Any) -> tuple[int, None]:
        request = event.request
        heard.append((request.EventTypeID, request.AffectedSOPClassUID, request.AffectedSOPInstanceUID))
        return status, None

    ae = AE("VIEWER")
    ae.add_supported_context(NOTIFICATION, scu_role=True, scp_role=True)
    with listening(ae, port, [(evt.EVT_N_EVENT_REPORT, told_of)]):
        yield heard


def notifying(folder: Path, viewer_port: int, own_port: int) -> Settings:
    return replace(settings(folder, viewer_port, own_port), mpps_forward=(), mpps_notify=("ris",))


@pytest.mark.parametrize(("status", "last"), [("COMPLETED", 2), ("DISCONTINUED", 3)])
async def test_events_are_told_in_their_order_also_after_a_restart(tmp_path: Path, status: str, last: int) -> None:
    viewer_port, port, uid = free_port(), free_port(), generate_uid()
    between = Dataset()
    between.PerformedProcedureStepDescription = "Head"
    async with at_work(notifying(tmp_path, viewer_port, port)) as store:
        assert await told(port, created(report(), uid), changed(between, uid), changed(ending(status), uid)) == [0] * 3
        await reach(store, JobState.RETRY, 3)
    async with at_work(notifying(tmp_path, viewer_port, free_port())) as store:
        with viewer(viewer_port) as heard:
            await reach(store, JobState.SUCCESS, 3)
    assert heard == [(event, NOTIFICATION, uid) for event in (1, 4, last)]


async def test_a_viewer_that_refuses_an_event(tmp_path: Path) -> None:
    viewer_port, port = free_port(), free_port()
    async with at_work(notifying(tmp_path, viewer_port, port)) as store:
        with viewer(viewer_port, 0x0113) as heard:
            assert await told(port, created(report(), generate_uid())) == [0]
            await reach(store, JobState.FAILURE, 1)
        (job,) = await store.services.jobs.list()
        assert "0113H" in job.details
    assert len(heard) == 1
