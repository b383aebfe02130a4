"""Earlier studies are fetched when a new one comes or is scheduled: which ones, once, from an archive that was away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydicom.uid import generate_uid

from conformance.server import free_port
from dicomweb_server.bootstrap import OpenStore
from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.search_parameters import search_request
from dicomweb_server.dimse.options import Modality as Node
from dicomweb_server.services import priors as module
from dicomweb_server.services import routing, sending
from dicomweb_server.services.jobs import Job, JobState
from dicomweb_server.services.priors import PRIORS
from dicomweb_server.settings import Settings
from dicomweb_server.settings.modalities import Modality
from dicomweb_server.settings.routes import Routes
from tests.app.dimse_harness import open_node
from tests.app.dimse_peers import fill
from tests.app.working_store import at_work, keep, reach
from tests.builders import make_instance
from tests.worklists import document, item

THIS_YEAR = date.today().year


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_FIRST_WAIT", 0.1)
    monkeypatch.setattr(routing, "_LINGER", 0.1)


def study(age: int = 0, count: int = 2, **more: Any) -> list[bytes]:
    """Of a patient; `age`: in years."""
    values: dict[str, Any] = {
        "PatientID": "P1",
        "PatientBirthDate": "19700101",
        "Modality": "CT",
        "StudyInstanceUID": generate_uid(),
    }
    values |= {"StudyDate": f"{THIS_YEAR - age}0101", "SeriesInstanceUID": generate_uid()} | more
    return [make_instance(**values) for _ in range(count)]


@asynccontextmanager
async def archive(folder: Path, port: int, ours: int, *studies: list[bytes]) -> AsyncIterator[None]:
    us = {"us": Node("US", "127.0.0.1", ours)}
    async with open_node(folder, ae_title="PACS", port=port, modalities=us) as node:
        for files in studies:
            await fill(node, *files)
        yield


def settings(folder: Path, port: int, ours: int, **more: Any) -> Settings:
    known = {"pacs": Modality("PACS", "127.0.0.1", port, timeout=15.0)}
    plain = Settings(data=folder, sync="off", ae_title="US", dimse_port=ours, modalities=known)
    return replace(plain, **({"routes": Routes().read("priors=priors:pacs")} | more))


async def priors(store: OpenStore) -> list[Job]:
    return [job for job in await store.services.jobs.list() if job.type == PRIORS]


async def ages(store: OpenStore) -> list[int]:
    """Of the studies that are there with all that they have."""
    page = await store.services.search.find(search_request(Level.STUDY, []).query)
    found = [orjson.loads(match.replace(b"\1", b"")) for match in page.matches]
    return sorted(
        THIS_YEAR - int(each["00080020"]["Value"][0][:4]) for each in found if each["00201208"]["Value"][0] == 2
    )


@pytest.mark.parametrize("method", ["move", "get"])
async def test_the_newest_that_are_of_the_patient(tmp_path: Path, method: str) -> None:
    port, ours = free_port(), free_port()
    there = [
        *(study(age) for age in (1, 2, 3, 4, 9)),
        study(1, PatientID="P2"),
        study(1, PatientBirthDate="19991231"),  # another patient of that number
        half := study(5),
    ]
    known = settings(tmp_path / "us", port, ours, priors_newest=4, priors_years=6, retrieve_method=method)
    async with archive(tmp_path / "pacs", port, ours, *there), at_work(known) as store:
        await keep(store, half[:1])  # only a part of it is here; as it comes, the archive is asked
        await reach(store, JobState.SUCCESS, 1)
        assert await ages(store) == [1, 2, 3, 4]
        await keep(store, study(0))
        await reach(store, JobState.SUCCESS, 2)
        assert await ages(store) == [0, 1, 2, 3, 4]
        first, second = await priors(store)  # and none for what came from the archive
        assert (first.content["PriorsCount"], first.content["FetchedCount"]) == (4, 4)
        assert (second.content["PriorsCount"], second.content["FetchedCount"]) == (4, 0)


async def test_what_is_here_in_part_is_completed_and_other_modalities_may_be_left(tmp_path: Path) -> None:
    port, ours = free_port(), free_port()
    half, other = study(3), study(2, Modality="MR")
    known = settings(tmp_path / "us", port, ours, priors_same_modality=True, routes={})
    async with archive(tmp_path / "pacs", port, ours, half, other), at_work(known) as store:
        await keep(store, half[:1])
    with_route = settings(tmp_path / "us", port, ours, priors_same_modality=True)
    async with archive(tmp_path / "pacs2", port, ours, half, other), at_work(with_route) as store:
        await keep(store, study(0))
        await reach(store, JobState.SUCCESS, 1)
        assert await ages(store) == [0, 3]


async def test_an_archive_that_was_away_and_a_restart(tmp_path: Path) -> None:
    port, ours = free_port(), free_port()
    known = settings(tmp_path / "us", port, ours)
    async with at_work(known) as store:
        await keep(store, study(0))
        await reach(store, JobState.RETRY, 1)
    async with archive(tmp_path / "pacs", port, ours, study(1)), at_work(known) as store:
        await reach(store, JobState.SUCCESS, 1)
        assert await ages(store) == [0, 1]


async def test_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SOON", 0.05)
    under_way, most, real = 0, 0, module.PriorsKind._fetch

    async def fetch(self: module.PriorsKind, job: Any) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.1)
        await real(self, job)
        under_way -= 1

    monkeypatch.setattr(module.PriorsKind, "_fetch", fetch)
    port, ours = free_port(), free_port()
    async with (
        archive(tmp_path / "pacs", port, ours, study(1)),
        at_work(settings(tmp_path / "us", port, ours)) as store,
    ):
        await keep(store, [*study(0), *study(0, PatientID="P2"), *study(0, PatientID="P3")])
        await reach(store, JobState.SUCCESS, 3)
        assert await ages(store) == [0, 0, 0, 1]
    assert most == 1


async def test_when_a_step_is_scheduled(tmp_path: Path) -> None:
    port, ours = free_port(), free_port()
    known = settings(tmp_path / "us", port, ours, worklist_priors=("pacs",), routes={})
    async with archive(tmp_path / "pacs", port, ours, study(1), study(1, PatientID="P2")), at_work(known) as store:
        step = item(PatientID="P1", PatientBirthDate="19700101")
        await store.services.worklist.schedule(document(step))
        await store.services.worklist.schedule(document(item(PatientID=None)))
        await reach(store, JobState.SUCCESS, 1)
        assert await ages(store) == [1]
        assert len(await priors(store)) == 1


async def test_without_a_patient_id_nobody_is_asked(tmp_path: Path) -> None:
    async with at_work(settings(tmp_path / "us", free_port(), free_port())) as store:
        await keep(store, study(0, PatientID=""))
        await reach(store, JobState.SUCCESS, 1)  # the archive is away: it would have to wait
