"""Workitems over a store: one performer at a time, subscriptions and what they bring, what is kept how long."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.workitems import code, progress, results, workitem
from dicomweb_server.dicom.query import Match, MatchKind
from dicomweb_server.dicom.workitem import Notice, Problem, State, WorkitemError
from dicomweb_server.dicom.workitem_events import EventType
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.workitems import Subscriber
from dicomweb_server.services import workitem_search
from dicomweb_server.services.workitem_events import EventQueue
from dicomweb_server.services.workitems import (
    ALL_WORKITEMS,
    FILTERED_WORKITEMS,
    WorkitemSearch,
    WorkitemService,
)
from dicomweb_server.storage.durability import SyncMode
from dicomweb_server.storage.store import Store, StoreOptions
from tests.worklists import document

LOCK = "1.2.3"
WATCHER = Subscriber("WATCHER")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store(tmp_path, StoreOptions(sync=SyncMode.OFF))
    yield opened
    await opened.close()


class Watched(WorkitemService):
    """A service to whose events somebody listens."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.workitems, store.workitem_subscriptions, EventQueue())
        self.queue = self.events.listen("dimse")

    def told(self) -> list[tuple[str, str, str]]:
        """Whom, about what, by which event; the state, where it is one about it."""
        found = []
        while not self.queue.empty():
            report = self.queue.get_nowait()
            state = report.event.document.get("00741000", {}).get("Value", [report.event.kind.name])[0]
            found.append((report.subscriber.ae_title, report.event.workitem_uid, state))
        return found


def everything_asked_of(service: WorkitemService, uid: str) -> Iterator[Coroutine[Any, Any, object]]:
    """All that can be asked about one workitem."""
    yield service.retrieve(uid)
    yield service.update(uid, {})
    yield service.change_state(uid, "IN PROGRESS", LOCK)
    yield service.request_cancel(uid, "ASKER")
    yield service.subscribe(uid, WATCHER)
    yield service.unsubscribe(uid, "WATCHER")


@pytest.fixture
def service(store: Store) -> Watched:
    return Watched(store)


async def refusal(asked: Any) -> Problem:
    with pytest.raises(WorkitemError) as refused:
        await asked
    return refused.value.problem


def key(tag: int, vr: str, *values: str, kind: MatchKind = MatchKind.SINGLE) -> Match:
    return Match((tag,), vr, kind, values)


async def found(service: WorkitemService, *keys: Match) -> list[str]:
    batches = service.search(WorkitemSearch(keys))
    return [each["00080018"]["Value"][0] async for batch in batches for each in batch]


async def test_from_the_cradle_to_the_grave(service: Watched) -> None:
    created = await service.create(document(workitem(WorklistLabel="")), "1.1")
    assert (created.uid, created.modified, created.notice) == ("1.1", (0x00741202,), Notice.MODIFIED)
    assert await refusal(service.create(document(workitem()), "1.1")) is Problem.DUPLICATE
    assert await refusal(service.create(document(workitem()), ALL_WORKITEMS)) is Problem.INVALID
    await service.update("1.1", document(progress(ProcedureStepProgress="1")))
    assert await refusal(service.update("1.1", {}, LOCK)) is Problem.NOT_IN_PROGRESS
    assert await refusal(service.change_state("1.1", "IN PROGRESS", "no UID")) is Problem.INVALID
    assert await refusal(service.change_state("1.1", "PAUSED", LOCK)) is Problem.INVALID
    assert await service.change_state("1.1", "IN PROGRESS", LOCK) is None
    assert await refusal(service.update("1.1", document(results()))) is Problem.NO_TRANSACTION
    assert await refusal(service.change_state("1.1", "COMPLETED", LOCK)) is Problem.NOT_READY
    await service.update("1.1", document(results()), LOCK)
    assert await service.change_state("1.1", "COMPLETED", LOCK) is None
    assert await service.change_state("1.1", "COMPLETED", LOCK) is Notice.ALREADY_COMPLETED
    assert await refusal(service.update("1.1", document(results()), LOCK)) is Problem.FINAL
    kept = await service.retrieve("1.1")
    assert (kept.state, kept.transaction_uid) == (State.COMPLETED, "")
    assert LOCK not in repr(kept)
    assert await refusal(service.request_cancel("1.1", "ASKER")) is Problem.COMPLETED
    assert (await service.counts())[State.COMPLETED] == 1


async def test_what_is_not_there(service: Watched) -> None:
    assert (await service.create(document(workitem()))).uid.startswith("2.25.")
    for asked in everything_asked_of(service, "1.2"):
        assert await refusal(asked) is Problem.UNKNOWN
    assert await refusal(service.suspend("1.2", "WATCHER")) is Problem.NOT_APPROPRIATE


async def test_what_is_no_workitem(service: Watched) -> None:
    large = document(workitem()) | {"00400400": {"vr": "LT", "Value": ["x" * (4 << 20)]}}
    for wrong, reason in (
        ({"XXXX": {"vr": "LO"}}, Reason.CANNOT_UNDERSTAND),
        ({"00741002": {"vr": "SQ", "Value": "abc"}}, Reason.CANNOT_UNDERSTAND),
        (large, Reason.TOO_LARGE),
    ):
        with pytest.raises(ServerError) as refused:
            await service.create(wrong)
        assert refused.value.reason is reason
    assert await found(service) == []


async def test_large_workitems_are_looked_at_a_few_at_a_time(service: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    uids = [f"1.{9 - number}" for number in range(7)]
    for number, uid in enumerate(uids):
        start = f"2029010{number + 1}080000"
        await service.create(document(workitem(ScheduledProcedureStepStartDateTime=start)), uid)
    (size,) = {each.size for each in await service._workitems.workitems(uids, 1 << 30)}
    monkeypatch.setattr(workitem_search, "_LARGEST_BATCH", 3 * size)
    monkeypatch.setattr(workitem_search, "LARGEST_PAGE", 4 * size)
    batches = [[each["00080018"]["Value"][0] for each in batch] async for batch in service.search(WorkitemSearch())]
    assert batches == [uids[:3], uids[3:6], uids[6:]]
    for offset, limit, expected, is_more in (
        (0, 9, uids[:4], True), (4, 9, uids[4:], False), (2, 2, uids[2:4], True), (5, 2, uids[5:], False),
        (9, 9, [], False), (0, 0, [], True),
    ):  # fmt: skip
        page = await service.page(WorkitemSearch(), offset, limit)
        assert ([each["00080018"]["Value"][0] for each in page.documents], page.is_more) == (expected, is_more)
    monkeypatch.setattr(workitem_search, "LARGEST_PAGE", size - 1)
    assert len((await service.page(WorkitemSearch(), 0, 9)).documents) == 1
    assert await service._workitems.workitems(["1.1", uids[0], "1.0"], 0) != []
    assert await service._workitems.workitems(["1.1"], 0) == []


async def test_json_is_kept_in_one_spelling(service: Watched) -> None:
    given = {tag.lower(): each for tag, each in document(workitem()).items()}
    given["0040a370"] = {}  # its VR is that of the standard
    await service.create(given, "1.1")
    kept = (await service.retrieve("1.1")).document
    assert kept["0040A370"] == {"vr": "SQ"}
    assert await refusal(service.create(given | {"00404025": {"vr": "SQ", "Value": [None]}})) is Problem.MISSING


async def test_of_two_who_claim_one_wins_a_thousand_times(service: Watched) -> None:
    content = document(workitem())

    async def claimed(uid: str, lock: str) -> bool:
        try:
            await service.change_state(uid, "IN PROGRESS", lock)
        except WorkitemError:
            return False
        return True

    async def raced(number: int) -> None:
        uid = (await service.create(content, f"1.5.{number}")).uid
        locks = [f"1.6.{number}.{client}" for client in range(2)]
        won = await asyncio.gather(*(claimed(uid, lock) for lock in locks))
        assert sorted(won) == [False, True]
        # The winner has it: only its Transaction UID ends it.
        loser, winner = sorted(locks, key=lambda lock: won[locks.index(lock)])
        assert await refusal(service.change_state(uid, "CANCELED", loser)) is Problem.WRONG_TRANSACTION
        assert await service.change_state(uid, "CANCELED", winner) is None

    for start in range(0, 1000, 100):
        await asyncio.gather(*map(raced, range(start, start + 100)))
    assert (await service.counts())[State.CANCELED] == 1000


async def test_a_request_to_cancel(service: Watched) -> None:
    await service.create(document(workitem()), "1.1")
    await service.subscribe("1.1", WATCHER)
    assert await service.request_cancel("1.1", "ASKER", {"00741238": {"vr": "LT", "Value": ["Why"]}}) is None
    assert service.told() == [("WATCHER", "1.1", state) for state in ("SCHEDULED", "IN PROGRESS", "CANCELED")]
    assert await service.request_cancel("1.1", "ASKER") is Notice.ALREADY_CANCELED
    await service.create(document(workitem()), "1.2")
    await service.change_state("1.2", "IN PROGRESS", LOCK)
    assert await refusal(service.request_cancel("1.2", "ASKER")) is Problem.NOBODY_TO_ASK
    await service.subscribe("1.2", WATCHER)
    assert await service.request_cancel("1.2", "ASKER") is None
    assert service.told() == [("WATCHER", "1.2", "IN PROGRESS"), ("WATCHER", "1.2", "CANCEL_REQUESTED")]
    assert (await service.retrieve("1.2")).state is State.IN_PROGRESS


async def test_a_search(service: Watched) -> None:
    for number, attributes in enumerate(
        (
            {"ScheduledProcedureStepStartDateTime": "20290103"},
            {"ScheduledProcedureStepStartDateTime": "20290101", "ProcedureStepLabel": "Other"},
            {"ScheduledProcedureStepStartDateTime": "20290102", "PatientID": "PAT2"},
        )
    ):
        await service.create(document(workitem(**attributes)), f"1.{number}")
    assert await found(service) == ["1.1", "1.2", "1.0"]
    assert await found(service, key(0x00100020, "LO", "PAT2")) == ["1.2"]
    assert await found(service, key(0x00741204, "LO", "O*", kind=MatchKind.WILDCARD)) == ["1.1"]
    bounds = ("20290102000000.000000", "20290103235959.999999")
    assert await found(service, key(0x00404005, "DT", *bounds, kind=MatchKind.RANGE)) == ["1.2", "1.0"]
    await service.change_state("1.1", "IN PROGRESS", LOCK)
    assert await found(service, key(0x00741000, "CS", "SCHEDULED")) == ["1.2", "1.0"]
    assert await found(service, key(0x00741000, "CS", "IN PROGRESS")) == ["1.1"]


async def test_all_that_come_are_told_about_until_the_subscription_is_suspended(service: Watched) -> None:
    await service.create(document(workitem()), "1.1")
    await service.subscribe(ALL_WORKITEMS, WATCHER)
    assert service.told() == []  # without a lock, no first reports (PS3.4 table CC.2.3-2)
    stations = [code("GPU1", "The first one")]
    await service.create(document(workitem(ScheduledStationNameCodeSequence=stations)), "1.2")
    assert service.told() == [("WATCHER", "1.2", "SCHEDULED"), ("WATCHER", "1.2", "ASSIGNED")]
    await service.suspend(ALL_WORKITEMS, "WATCHER")
    await service.create(document(workitem()), "1.3")
    await service.update("1.1", document(progress(ProcedureStepProgress="1")))
    assert service.told() == [("WATCHER", "1.1", EventType.PROGRESS_REPORT.name)]
    await service.unsubscribe("1.1", "WATCHER")
    await service.change_state("1.1", "IN PROGRESS", LOCK)
    assert service.told() == []
    await service.unsubscribe(ALL_WORKITEMS, "WATCHER")
    await service.change_state("1.2", "IN PROGRESS", LOCK)
    await service.announce("RESTARTED")
    assert service.told() == []


async def test_with_a_lock_all_are_reported_at_once(service: Watched) -> None:
    for number in range(3):
        await service.create(document(workitem()), f"1.{number}")
    await service.subscribe("1.0", WATCHER)
    service.told()
    await service.subscribe(ALL_WORKITEMS, WATCHER, is_locked=True)
    assert sorted(service.told()) == [("WATCHER", uid, "SCHEDULED") for uid in ("1.1", "1.2")]
    await service.announce("RESTARTED")
    assert service.told() == [("WATCHER", ALL_WORKITEMS, "SCP_STATUS_CHANGE")]


async def test_a_filtered_subscription(service: Watched) -> None:
    for number, label in enumerate(("AI", "Print")):
        await service.create(document(workitem(WorklistLabel=label)), f"1.{number}")
    keys = (key(0x00741202, "LO", "A*", kind=MatchKind.WILDCARD),)
    await service.subscribe(FILTERED_WORKITEMS, WATCHER, is_locked=True, keys=keys)
    for number, label in enumerate(("AI", "Print")):
        await service.create(document(workitem(WorklistLabel=label)), f"2.{number}")
    assert service.told() == [("WATCHER", uid, "SCHEDULED") for uid in ("1.0", "2.0")]


async def test_every_kind_of_key_can_be_subscribed_by(service: Watched) -> None:
    inner = key(0x00741202, "LO", "AI"), key(0x00741202, "LO", "P*", kind=MatchKind.WILDCARD)
    keys = (
        Match((0x00741202,), "LO", MatchKind.MULTIPLE, (), None, inner),
        Match((0x00404025, 0x00080100), "SH", MatchKind.SINGLE, ("GPU1",)),
        Match((0x00091001,), "LO", MatchKind.SINGLE, ("yes",), "ACME"),
    )
    await service.subscribe(FILTERED_WORKITEMS, WATCHER, keys=keys)
    private = {"00090010": {"vr": "LO", "Value": ["ACME"]}, "00091001": {"vr": "LO", "Value": ["yes"]}}
    here = document(workitem(WorklistLabel="Print", ScheduledStationNameCodeSequence=[code("GPU1", "One")]))
    elsewhere = document(workitem(WorklistLabel="Print", ScheduledStationNameCodeSequence=[code("GPU2", "Two")]))
    for number, each in enumerate((here | private, here, elsewhere | private)):
        await service.create(each, f"1.{number}")
    assert {uid for _, uid, _ in service.told()} == {"1.0"}


async def test_what_nobody_listens_to_and_what_is_too_much_is_dropped(store: Store) -> None:
    service = WorkitemService(store.workitems, store.workitem_subscriptions, EventQueue(most_waiting=2))
    await service.create(document(workitem()), "1.1")
    await service.subscribe("1.1", Subscriber("NOBODY", "web"))
    queue = service.events.listen("dimse")
    for _ in range(3):
        await service.subscribe("1.1", WATCHER)
    assert queue.qsize() == 2


async def test_workitems_and_subscriptions_outlive_the_server(tmp_path: Path) -> None:
    options = StoreOptions(sync=SyncMode.OFF)
    for rebuild in (False, False, True):
        store = Store(tmp_path / "data", options, rebuild=rebuild)
        service = Watched(store)
        if not await found(service):
            await service.create(document(workitem()), "1.1")
            await service.change_state("1.1", "IN PROGRESS", LOCK)
            keys = (key(0x00741202, "LO", "AI"),)
            await service.subscribe(FILTERED_WORKITEMS, WATCHER, keys=keys)
        else:
            assert await refusal(service.update("1.1", {}, "1.2.4")) is Problem.WRONG_TRANSACTION
            await service.update("1.1", document(progress(ProcedureStepProgress=str(int(rebuild)))), LOCK)
            assert (await service.create(document(workitem()))).uid
            assert len(service.told()) == 2
        await store.close()
