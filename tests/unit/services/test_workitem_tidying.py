"""Workitems that go by themselves: those that expired, and those that ended long ago."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conformance.workitems import workitem
from dicomweb_server.dicom.workitem import Problem
from dicomweb_server.services.workitem_tidying import WorkitemTidying
from dicomweb_server.storage import workitems_sqlite
from dicomweb_server.storage.durability import SyncMode
from dicomweb_server.storage.store import Store, StoreOptions
from tests.unit.services.test_workitems import LOCK, WATCHER, Watched, everything_asked_of, found, key, refusal
from tests.worklists import document


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store(tmp_path, StoreOptions(sync=SyncMode.OFF))
    yield opened
    await opened.close()


async def test_what_has_ended_goes_when_nobody_holds_it(store: Store) -> None:
    service = Watched(store)
    tidying = WorkitemTidying(store.workitems, service.events, keep=-1.0)
    for uid in ("1.1", "1.2", "1.3"):
        await service.create(document(workitem()), uid)
    await service.subscribe("1.1", WATCHER, is_locked=True)
    await service.subscribe("1.2", WATCHER)
    for uid in ("1.1", "1.2"):
        await service.request_cancel(uid, "ASKER")
    assert await tidying.tidy() == 1
    assert await found(service) == ["1.1", "1.3"]
    for asked in everything_asked_of(service, "1.2"):
        assert await refusal(asked) is Problem.REMOVED
    assert await refusal(service.retrieve("1.4")) is Problem.UNKNOWN
    assert await WorkitemTidying(store.workitems, service.events, keep=0).tidy() == 0
    await service.subscribe("1.1", WATCHER)  # without the lock
    assert await tidying.tidy() == 1
    await service.create(document(workitem()), "1.2")
    service.told()
    await service.change_state("1.2", "IN PROGRESS", LOCK)
    assert service.told() == []  # the subscriptions went with the workitem


async def test_the_last_ones_that_were_removed_are_known(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workitems_sqlite, "_MOST_REMOVED", 3)
    service = Watched(store)
    tidying = WorkitemTidying(store.workitems, service.events, keep=-1.0)
    for number in range(5):
        await service.create(document(workitem()), f"1.{number}")
        await service.request_cancel(f"1.{number}", "ASKER")
        assert await tidying.tidy() == 1
    problems = [await refusal(service.retrieve(f"1.{number}")) for number in range(5)]
    assert problems == [Problem.UNKNOWN] * 2 + [Problem.REMOVED] * 3


async def test_what_has_expired_before_it_was_begun_is_canceled(store: Store) -> None:
    service = Watched(store)
    tidying = WorkitemTidying(store.workitems, service.events)
    for number, moment in enumerate(("20200101", "20990101", "", "20200101", "20200101")):
        await service.create(document(workitem(ScheduledProcedureStepExpirationDateTime=moment)), f"1.{number}")
    await service.change_state("1.3", "IN PROGRESS", LOCK)
    await service.subscribe("1.4", WATCHER)
    service.told()
    assert await tidying.cancel_expired() == 2
    assert service.told() == [("WATCHER", "1.4", state) for state in ("IN PROGRESS", "CANCELED")]
    assert await found(service, key(0x00741000, "CS", "CANCELED")) == ["1.0", "1.4"]
    (item,) = (await service.retrieve("1.0")).document["00741002"]["Value"]
    assert item["00741238"]["Value"] == ["Expired"]
    assert await tidying.cancel_expired() == 0
