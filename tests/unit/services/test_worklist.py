"""What may be scheduled, changed and removed, and what is filled in."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dicomweb_server.dicom.query import Match, MatchKind
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.worklist import ScheduledStep
from dicomweb_server.services.performed import PerformedStepService
from dicomweb_server.services.worklist import WorklistOptions, WorklistSearch, WorklistService
from dicomweb_server.storage.durability import SyncMode
from dicomweb_server.storage.store import Store, StoreOptions
from tests.worklists import document, ending, item, report


class Files:
    """A folder with one file in it."""

    async def scheduled_steps(self) -> list[ScheduledStep]:
        return [ScheduledStep("a.wl", document(item(AccessionNumber="FILE")))]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store(tmp_path, StoreOptions(sync=SyncMode.OFF))
    yield opened
    await opened.close()


def service(store: Store, **options: Any) -> WorklistService:
    return WorklistService(store.worklist, store.worklist, Files(), WorklistOptions(**options))


async def test_what_is_missing_is_filled_in(store: Store) -> None:
    worklist = service(store)
    given = item(StudyInstanceUID=None, ScheduledProcedureStepID=None)
    given.SpecificCharacterSet = "ISO_IR 100"
    step = await worklist.schedule(document(given))
    assert step.document["0020000D"]["Value"][0].startswith("2.25.")
    assert "00080005" not in step.document  # text is Unicode here
    inner = step.document["00400100"]["Value"][0]
    assert len(inner["00400009"]["Value"][0]) == 15
    assert inner["00400020"]["Value"] == ["SCHEDULED"]
    assert await worklist.step(step.step_id) == step
    # What was made up stays when the step is replaced.
    changed = await worklist.reschedule(step.step_id, document(item(StudyInstanceUID=None, AccessionNumber="NEW")))
    assert changed.document["0020000D"] == step.document["0020000D"]
    assert changed.document["00080050"]["Value"] == ["NEW"]
    without = await service(store, add_study_uid=False).schedule(document(item(StudyInstanceUID=None)))
    assert "0020000D" not in without.document


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({}, Reason.BAD_REQUEST),
        ({"00400100": {"vr": "SQ", "Value": [{}, {}]}}, Reason.BAD_REQUEST),
        ({"00400100": {"vr": "SQ", "Value": [{}]}, "0020000D": {"vr": "UI", "Value": ["a/b"]}}, None),
        ({"00400100": {"vr": "SQ", "Value": [{}]}, "XXXX": {"vr": "LO"}}, Reason.CANNOT_UNDERSTAND),
        ({"00400100": {"vr": "SQ", "Value": [{}]}, "00100020": {"vr": "LO", "Value": ["x" * 2**20]}}, None),
        ({"00400100": {"vr": "SQ", "Value": "abc"}}, Reason.CANNOT_UNDERSTAND),
    ],
)
async def test_what_is_no_worklist_item(store: Store, wrong: dict[str, Any], reason: Reason | None) -> None:
    with pytest.raises(ServerError) as refused:
        await service(store).schedule(wrong)
    assert reason is None or refused.value.reason is reason
    assert await store.worklist.scheduled_starts() == []


async def test_many_steps_are_read_a_few_at_a_time_in_their_order(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    worklist = service(store)
    dates = [f"2024{month:02}{day:02}" for month in range(1, 13) for day in range(1, 29)]  # the file has 20240102
    steps = [await worklist.schedule(document(item(ScheduledProcedureStepStartDate=each))) for each in reversed(dates)]
    ids = [each.step_id for each in reversed(steps)]
    read: list[int] = []
    of_store = store.worklist.scheduled_steps

    async def some(step_ids: Sequence[str]) -> Sequence[ScheduledStep]:
        read.append(len(step_ids))
        if len(read) == 1:  # one that is asked for later goes meanwhile
            await store.worklist.remove_scheduled_steps([ids[-1]])
        return await of_store(step_ids)

    monkeypatch.setattr(store.worklist, "scheduled_steps", some)
    found = await worklist.all()
    expected = sorted([*((date, each) for date, each in zip(dates, ids, strict=True)), ("20240102", "a.wl")])
    assert [each.step_id for each in found] == [each for _, each in expected][:-1]
    assert max(read) <= 200
    assert sum(read) == len(ids)


async def test_files_belong_to_whoever_writes_them(store: Store) -> None:
    worklist = service(store)
    assert (await worklist.step("a.wl")).document["00080050"]["Value"] == ["FILE"]
    assert [each.step_id for each in await worklist.all()] == ["a.wl"]
    for change in (worklist.remove("a.wl"), worklist.reschedule("a.wl", document(item()))):
        with pytest.raises(ServerError, match="in a file"):
            await change
    for unknown in (worklist.remove("b"), worklist.reschedule("b", document(item())), worklist.step("b")):
        with pytest.raises(ServerError) as refused:
            await unknown
        assert refused.value.reason is Reason.NOT_FOUND


async def test_removed(store: Store) -> None:
    worklist = service(store, keep=1000.0)
    step = await worklist.schedule(document(item()))
    assert await worklist.tidy() == 0
    await store.worklist.put_scheduled_step(ScheduledStep("old", step.document, created=1.0))
    assert await worklist.tidy() == 1
    await worklist.remove(step.step_id)
    assert [each["00080050"]["Value"] async for batch in worklist.find(WorklistSearch(())) for each in batch] == [
        ["FILE"]
    ]


async def test_others_have_their_turn_while_many_steps_are_looked_at(store: Store) -> None:
    worklist = WorklistService(store.worklist, store.worklist)
    content = document(item())
    steps = [ScheduledStep(f"{number:04}", content) for number in range(1001)]
    await asyncio.gather(*(store.worklist.put_scheduled_step(each) for each in steps))
    turns, sizes, between = 0, [], []

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(others())
    async for batch in worklist.find(WorklistSearch(())):
        sizes.append(len(batch))
        between.append(turns)
        turns = 0
    running.cancel()
    assert sum(sizes) == 1001
    assert max(sizes) == 200
    assert min(between) > 0


@pytest.mark.parametrize(
    ("performed", "status"),
    [
        (["IN PROGRESS"], "STARTED"),
        (["IN PROGRESS", "COMPLETED"], "STARTED"),
        (["DISCONTINUED", "COMPLETED"], "COMPLETED"),
        (["DISCONTINUED"], "DISCONTINUED"),
    ],
)
async def test_several_performed_steps_of_one_scheduled(store: Store, performed: list[str], status: str) -> None:
    worklist, steps = service(store), PerformedStepService(store.worklist)
    scheduled = item()
    step = await worklist.schedule(document(scheduled))
    for number, each in enumerate(performed):
        await steps.begin(f"1.2.{number}", document(report(scheduled)))
        if each != "IN PROGRESS":
            await steps.change(f"1.2.{number}", document(ending(each)))
    found = (await worklist.step(step.step_id)).document["00400100"]["Value"][0]
    assert found["00400020"]["Value"] == [status]


async def test_what_the_index_passes_over_would_not_have_matched(store: Store) -> None:
    worklist = WorklistService(store.worklist, store.worklist)
    several = document(item(AccessionNumber="BOTH"))
    several["00400100"]["Value"][0]["00400001"] = {"vr": "AE", "Value": ["ONE", "TWO"]}
    without = document(item(AccessionNumber="NONE", PatientID=None, ScheduledStationAETitle=None))
    for each in (several, without, document(item(AccessionNumber="ONE", ScheduledStationAETitle="ONE"))):
        await worklist.schedule(each)

    async def numbers(*keys: Match) -> list[str]:
        found = worklist.find(WorklistSearch(keys))
        return sorted([each["00080050"]["Value"][0] async for batch in found for each in batch])

    def station(value: str, kind: MatchKind = MatchKind.SINGLE) -> Match:
        return Match((0x00400100, 0x00400001), "AE", kind, (value,))

    assert await numbers(station("ONE")) == ["BOTH", "ONE"]
    assert await numbers(station("TWO")) == ["BOTH"]
    assert await numbers(station("T*", MatchKind.WILDCARD)) == ["BOTH"]
    assert await numbers(Match((0x00100020,), "LO", MatchKind.SINGLE, ("P1",))) == ["BOTH", "ONE"]
    assert await numbers(Match((0x00100020,), "LO", MatchKind.EMPTY)) == ["NONE"]
