"""Instance Availability Notification: a RIS, played by pynetdicom, is told what can be had; also when it was away."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pynetdicom import AE, evt

from conformance.patience import SOON
from conformance.peer import listening
from conformance.server import free_port
from dicomweb_server.bootstrap import OpenStore
from dicomweb_server.dicom.availability import INSTANCE_AVAILABILITY
from dicomweb_server.ports.index import Scope
from dicomweb_server.services import routing, sending
from dicomweb_server.services.jobs import Job, JobState
from dicomweb_server.settings import Settings
from dicomweb_server.settings.modalities import Modality
from dicomweb_server.settings.routes import Routes
from tests.app.dimse_peers import study
from tests.app.working_store import at_work, keep, reach

Told = list[tuple[str, Dataset]]


@contextmanager
def ris(port: int, *statuses: int) -> Iterator[Told]:
    """Takes notifications, and answers them with these statuses, then with the last."""
    told: Told = []

    def create(event: Any) -> tuple[int, Dataset | None]:
        told.append((event.request.AffectedSOPInstanceUID, event.attribute_list))
        return statuses[min(len(told), len(statuses)) - 1], None

    ae = AE("RIS")
    ae.add_supported_context(INSTANCE_AVAILABILITY)
    with listening(ae, port, [(evt.EVT_N_CREATE, create)]):
        yield told


def settings(folder: Path, port: int) -> Settings:
    return Settings(
        data=folder,
        sync="off",
        dimse=False,
        ae_title="ARCHIVE",
        modalities={"ris": Modality("RIS", "127.0.0.1", port, timeout=15.0)},
        routes=Routes().read("told=notify:ris"),
    )


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_FIRST_WAIT", 0.1)
    monkeypatch.setattr(routing, "_LINGER", 2.0)


async def only_job(store: OpenStore) -> Job:
    (job,) = await store.services.jobs.list()
    return job


def of(files: list[bytes]) -> list[Dataset]:
    return [dcmread(DicomBytesIO(data), stop_before_pixels=True) for data in files]


async def test_a_study_is_told_once_with_all_its_instances(tmp_path: Path) -> None:
    port, files = free_port(), study(3)
    async with at_work(settings(tmp_path, port)) as store:
        with ris(port, 0x0000) as told:
            await keep(store, files)
            await reach(store, JobState.SUCCESS, 1)
        assert (await only_job(store)).type == "InstanceAvailabilityNotification"
    ((uid, dataset),) = told
    sent = of(files)
    assert uid.startswith("2.25.")
    assert dataset.StudyInstanceUID == sent[0].StudyInstanceUID
    (series,) = dataset.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == sent[0].SeriesInstanceUID
    assert {
        (item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID, item.InstanceAvailability, item.RetrieveAETitle)
        for item in series.ReferencedSOPSequence
    } == {(each.SOPClassUID, each.SOPInstanceUID, "ONLINE", "ARCHIVE") for each in sent}


async def test_a_ris_that_was_away_is_told_when_it_is_back(tmp_path: Path) -> None:
    port = free_port()
    async with at_work(settings(tmp_path, port)) as store:
        await keep(store, study(2))
        await reach(store, JobState.RETRY, 1)
        with ris(port, 0x0111) as told:  # it knows that one already, as after an answer that was lost
            await reach(store, JobState.SUCCESS, 1)
    assert len(told) == 1


async def test_a_ris_that_refuses_fails_the_job(tmp_path: Path) -> None:
    port = free_port()
    async with at_work(settings(tmp_path, port)) as store:
        with ris(port, 0x0110):
            await keep(store, study(1))
            await reach(store, JobState.FAILURE, 1)
        assert "0110H" in (await only_job(store)).details


async def test_what_was_deleted_before_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port, files = free_port(), study(1)
    async with at_work(settings(tmp_path, port)) as store:
        with ris(port, 0x0000) as told:
            await keep(store, files)
            async with asyncio.timeout(SOON):
                while not await store.services.jobs.list():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            await store.services.delete.delete(Scope(of(files)[0].StudyInstanceUID))
            await reach(store, JobState.SUCCESS, 1)
    assert told == []
