"""Routing: which changes become which jobs, once, whatever stops in between."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.origin import Origin
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import OnDuplicate, Scope
from dicomweb_server.ports.routing import RoutedJob, Via
from dicomweb_server.services.jobs import Job, JobService, JobState
from dicomweb_server.services.retrieve import RetrieveService
from dicomweb_server.services.routing import Destination, RoutingRule, RoutingService
from dicomweb_server.services.search import SearchService
from dicomweb_server.storage.durability import SyncMode
from dicomweb_server.storage.store import Store, StoreOptions
from dicomweb_server.storage.threads import Threads
from tests.stored import place_new

PACS = Destination(Via.MODALITY, "pacs", "PACS")
RULE = RoutingRule(name="all", destination=PACS)
OFF = StoreOptions(sync=SyncMode.OFF)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store(tmp_path, OFF)
    yield opened
    await opened.close()


async def begun(store: Store, *rules: RoutingRule) -> RoutingService:
    retrieve = RetrieveService(store.index, store.blobs, Threads(1, "worker"))
    search, jobs = SearchService(store.index), JobService(store.jobs)
    service = RoutingService(rules, store.routing, store.index, search, retrieve, jobs)
    await service.begin()
    return service


async def add(store: Store, *uids: str, sender: str = "", **values: Any) -> None:
    new = await place_new(store.blobs, *uids, **values)
    await store.index.add([new._replace(origin=Origin("dimse", calling_ae_title=sender))], OnDuplicate.KEEP)


async def routed(store: Store) -> list[tuple[str, list[str]]]:
    """Destination and lowest UIDs of every job, oldest first."""
    return [(_name(job), [_lowest(scope) for scope in job.parameters["Scopes"]]) for job in await store.jobs.list()]


def _name(job: Job) -> str:
    return str(next(job.parameters[via.value] for via in Via if via.value in job.parameters))


def _lowest(scope: Sequence[str | None]) -> str:
    return [uid for uid in scope if uid][-1]


async def test_instances_as_they_come_a_job_for_each_study(store: Store) -> None:
    await add(store, "1", "1.1", "1.1.0")  # before routing began
    service = await begun(store, RULE)
    for uids in (("1", "1.1", "1.1.1"), ("2", "2.1", "2.1.1"), ("1", "1.2", "1.2.1")):
        await add(store, *uids)
    while await service.step():
        pass
    assert await routed(store) == [("pacs", ["1.1.1", "1.2.1"]), ("pacs", ["2.1.1"])]
    [job, _] = await store.jobs.list()
    assert (job.type, job.parameters["InstancesCount"], job.content["Description"]) == (
        "DicomModalityStore",
        2,
        "Route all",
    )
    assert not await service.step()


async def test_once_over_restarts_and_never_less(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    service = await begun(store, RULE)
    await add(store, "1", "1.1", "1.1.1")
    route = store.routing.route

    async def fail(until: int | None, jobs: Sequence[RoutedJob] = ()) -> Sequence[str]:
        raise ServerError(Reason.OUT_OF_RESOURCES, "the disk is full")

    monkeypatch.setattr(store.routing, "route", fail)
    with pytest.raises(ServerError):
        await service.step()
    assert await routed(store) == []
    monkeypatch.setattr(store.routing, "route", route)
    for _ in range(3):
        again = await begun(store, RULE)
        while await again.step():
            pass
    assert await routed(store) == [("pacs", ["1.1.1"])]


async def test_keys_must_match(store: Store) -> None:
    keys = (("Modality", "CT"), ("StudyDescription", "*head*"))
    service = await begun(store, replace(RULE, match=keys), replace(RULE, match=(("PatientID", "P2"),)))
    await add(store, "1", "1.1", "1.1.1", study_description="CT of head")
    await add(store, "2", "2.1", "2.1.1", study_description="CT of head", modality="MR", patient_id="P2")
    await add(store, "3", "3.1", "3.1.1", study_description="CT of chest")
    while await service.step():
        pass
    assert await routed(store) == [("pacs", ["1.1.1"]), ("pacs", ["2.1.1"])]


async def test_stable_studies_and_series(store: Store) -> None:
    peer, server = Destination(Via.PEER, "peer"), Destination(Via.DICOMWEB, "web")
    service = await begun(
        store,
        RoutingRule(name="studies", destination=peer, level=Level.STUDY, match=(("ModalitiesInStudy", "CT"),)),
        RoutingRule(name="series", destination=server, level=Level.SERIES, match=(("Modality", "MR"),)),
    )
    for number in range(3):
        await add(store, "1", "1.1", f"1.1.{number}")
        await add(store, "1", "1.2", f"1.2.{number}", modality="MR")
        await add(store, "2", "2.1", f"2.1.{number}", modality="US")
    while await service.step():
        pass
    assert await routed(store) == []
    await store.index.announce_stable(2.0**40)
    while await service.step():
        pass
    assert sorted(await routed(store)) == [("peer", ["1"]), ("web", ["1.2"])]
    assert {job.type: job.parameters["InstancesCount"] for job in await store.jobs.list()} == {
        "OrthancPeerStore": 6,
        "DicomWebStowClient": 3,
    }


async def test_where_it_comes_from(store: Store) -> None:
    service = await begun(store, RULE, replace(RULE, name="from CT", senders=frozenset({"CT1"})))
    await add(store, "1", "1.1", "1.1.1", sender="CT1")
    await add(store, "2", "2.1", "2.1.1", sender="PACS")  # not back to where it came from
    await add(store, "3", "3.1", "3.1.1", sender="CT2")
    while await service.step():
        pass
    assert await routed(store) == [("pacs", ["1.1.1"]), ("pacs", ["3.1.1"]), ("pacs", ["1.1.1"])]
    assert await store.routing.senders([Scope("1"), Scope("2", "2.1"), Scope("9")]) == ["CT1", "PACS", ""]


async def test_what_is_gone_is_not_sent(store: Store) -> None:
    service = await begun(store, replace(RULE, level=Level.STUDY))
    await add(store, "1", "1.1", "1.1.1")
    await store.index.announce_stable(2.0**40)
    await store.index.delete(Scope("1"))
    while await service.step():
        pass
    assert await routed(store) == []


async def test_rules_that_are_given_later_are_about_what_comes_later(store: Store) -> None:
    await begun(store, RULE)
    await add(store, "1", "1.1", "1.1.1")
    await begun(store)
    assert await store.routing.routed() is None
    service = await begun(store, RULE)
    await add(store, "2", "2.1", "2.1.1")
    while await service.step():
        pass
    assert await routed(store) == [("pacs", ["2.1.1"])]


async def test_what_comes_while_a_job_waits_becomes_part_of_it(store: Store) -> None:
    service = await begun(store, RULE)
    for number in range(3):
        await add(store, "1", "1.1", f"1.1.{number}")
        await add(store, "2", "2.1", f"2.1.{number}")
        await service.step()
    assert await routed(store) == [("pacs", [f"{n}.1.{i}" for i in range(3)]) for n in (1, 2)]
    assert [job.content["InstancesCount"] for job in await store.jobs.list()] == [3, 3]
    assert await store.jobs.claim("me", ["DicomModalityStore"], 60) is None  # more may come
    [first, second] = await store.jobs.list()
    due = await store.jobs.next_due()
    assert due is not None
    assert due == first.not_before
    await store.jobs.change(first.id, [JobState.PENDING], not_before=None)
    assert await store.jobs.claim("me", ["DicomModalityStore"], 60) is not None
    await store.jobs.change(second.id, [JobState.PENDING], cursor={"after": 1}, state=JobState.RETRY)
    for number in (1, 2):
        await add(store, f"{number}", f"{number}.1", f"{number}.1.9")
        await service.step()
    assert len(await routed(store)) == 4
    assert (await routed(store))[2:] == [("pacs", ["1.1.9"]), ("pacs", ["2.1.9"])]


async def test_many_changes_at_once(store: Store) -> None:
    service = await begun(store, replace(RULE, match=(("PatientID", "P1"),)))
    news = [await place_new(store.blobs, f"{n % 3}", f"{n % 3}.1", f"{n % 3}.1.{n}") for n in range(1200)]
    await store.index.add(news, OnDuplicate.KEEP)
    while await service.step():
        pass
    assert sum(len(uids) for _, uids in await routed(store)) == 1200
