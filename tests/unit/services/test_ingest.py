"""The one way in: outcomes that tell the truth, nothing written for what is known, nothing left of what failed."""

import asyncio
import errno
import logging
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.dicom.uid_patterns import UidPatterns
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.blobs import Staged
from dicomweb_server.ports.index import NewInstance, OnDuplicate, Scope
from dicomweb_server.services import admission
from dicomweb_server.services.ingest import IngestOutcome, IngestPolicy, Status
from dicomweb_server.storage import blobs_filesystem
from tests.builders import make_instance
from tests.stored import CT
from tests.unit.services.ingest_bench import LARGE, ORIGIN, Bench, numbered


@pytest.mark.parametrize("size", [{}, LARGE])
async def test_stores_what_came(bench: Bench, size: dict[str, Any]) -> None:
    data = numbered(1, **size)
    [outcome] = await bench.send(data)
    assert outcome == IngestOutcome(Status.STORED, None, "", "1.1", "1.1.1", "1.1.1.1", CT)
    assert outcome.is_success
    stored = await bench.store.index.instance(Scope("1.1", "1.1.1", "1.1.1.1"))
    assert stored is not None
    assert await bench.store.blobs.read(stored.key) == data
    assert bench.meter.counted == [("stow", "stored")]


async def test_outcomes_are_in_the_order_of_what_came(bench: Bench) -> None:
    contents = [numbered(1), b"not DICOM", numbered(2), numbered(1), numbered(1, PatientID="P2"), numbered(3)]
    outcomes = await bench.send(*contents)
    assert [outcome.status for outcome in outcomes] == [
        *(Status.STORED, Status.REJECTED, Status.STORED, Status.DUPLICATE, Status.KEPT, Status.STORED)
    ]
    assert [outcome.instance_uid[-1:] for outcome in outcomes] == ["1", "", "2", "1", "1", "3"]
    assert outcomes[1].reason is Reason.NOT_DICOM
    assert len(await bench.files()) == 3


async def test_instances_of_another_study_are_rejected(bench: Bench) -> None:
    staged = [await bench.stage(numbered(1)), await bench.stage(numbered(2, StudyInstanceUID="1.2"))]
    outcomes = await bench.service.ingest_batch(staged, ORIGIN, expected_study_uid="1.1")
    assert [outcome.reason for outcome in outcomes] == [None, Reason.WRONG_STUDY]
    assert outcomes[1].study_uid == "1.2"
    outcome = await bench.service.ingest(await bench.stage(numbered(3)), ORIGIN, expected_study_uid="1.2")
    assert (outcome.status, outcome.reason) == (Status.REJECTED, Reason.WRONG_STUDY)


async def test_sop_classes_and_size(bench: Bench) -> None:
    other = "1.2.840.10008.5.1.4.1.1.4"
    for policy, expected in (
        (IngestPolicy(rejected_sop_classes=UidPatterns({CT})), Reason.UNSUPPORTED_SOP_CLASS),
        (IngestPolicy(accepted_sop_classes=UidPatterns({other})), Reason.UNSUPPORTED_SOP_CLASS),
        (IngestPolicy(max_instance_size=100), Reason.TOO_LARGE),
        (IngestPolicy(accepted_sop_classes=UidPatterns({CT}), rejected_sop_classes=UidPatterns({other})), None),
        (IngestPolicy(), None),
    ):
        [outcome] = await bench.send(numbered(1), service=bench.with_policy(policy))
        assert outcome.reason is expected
    [outcome] = await bench.send(numbered(2, SOPClassUID="1.2.3.4.5"))
    assert outcome.status is Status.STORED


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"", Reason.NOT_DICOM),
        (b"x" * 5000, Reason.NOT_DICOM),
        (b"x" * 2_000_000, Reason.NOT_DICOM),
        (numbered(1, StudyInstanceUID=None), Reason.MISSING_UID),
        (numbered(1, SeriesInstanceUID="1.1"), Reason.CANNOT_UNDERSTAND),
        (numbered(1)[:-7], Reason.CANNOT_UNDERSTAND),
    ],
)
async def test_what_is_broken_is_rejected_alone(bench: Bench, broken: bytes, reason: Reason) -> None:
    outcomes = await bench.send(numbered(7), broken, numbered(8))
    assert [outcome.reason for outcome in outcomes] == [None, reason, None]
    assert outcomes[1].status is Status.REJECTED
    assert outcomes[1].detail
    assert len(await bench.files()) == 2


async def test_an_unexpected_failure_is_told_without_patient_data(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    name = "SECRET^NAME"

    def fail(data: bytes, **_: object) -> object:
        if name.encode() in data:
            raise ValueError(name)
        return parse_instance(data)

    monkeypatch.setattr(admission, "parse_instance", fail)
    with caplog.at_level(logging.DEBUG):
        outcomes = await bench.send(numbered(1), numbered(2, PatientName=name), numbered(3))
    assert [outcome.reason for outcome in outcomes] == [None, Reason.INTERNAL, None]
    assert outcomes[1].status is Status.FAILED
    assert "ValueError" in caplog.text
    assert "SECRET" not in caplog.text
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1


async def test_no_room_for_blobs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(staged: Staged, path: Path, _: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(blobs_filesystem, "put", full)
        outcomes = await bench.send(numbered(1, **LARGE), numbered(2, **LARGE))
        assert {(outcome.status, outcome.reason) for outcome in outcomes} == {(Status.FAILED, Reason.OUT_OF_RESOURCES)}
        assert [outcome.instance_uid for outcome in outcomes] == ["1.1.1.1", "1.1.1.2"]
        assert await bench.files() == []
        [in_journal] = await bench.send(numbered(3))
    assert in_journal.status is Status.STORED
    outcomes = await bench.send(numbered(1), numbered(2, **LARGE))
    assert [outcome.status for outcome in outcomes] == [Status.STORED] * 2
    assert len(await bench.files()) == 3


async def test_one_that_cannot_be_written_fails_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    put, second = blobs_filesystem.put, numbered(2, **LARGE)

    def fail(staged: Staged, path: Path, _: object) -> None:
        if staged.digest == sha256(second).digest():
            raise OSError(errno.EIO, "Input/output error")
        put(staged, path)

    monkeypatch.setattr(blobs_filesystem, "put", fail)
    outcomes = await bench.send(numbered(1), second, numbered(3))
    assert [outcome.reason for outcome in outcomes] == [None, Reason.STORAGE_DAMAGED, None]
    assert len(await bench.files()) == 2


async def test_no_room_for_the_index(bench: Bench) -> None:
    await bench.send(numbered(1))
    writing = bench.store._database.writing
    writing.execute(f"PRAGMA max_page_count={writing.execute('PRAGMA page_count').fetchone()[0]}")
    outcomes = await bench.send(*[numbered(n, **LARGE) for n in range(2, 4)], *[numbered(n) for n in range(4, 60)])
    failed = [outcome for outcome in outcomes if not outcome.is_success]
    assert failed
    assert {outcome.reason for outcome in failed} == {Reason.OUT_OF_RESOURCES}
    stored = (await bench.store.index.counts())["instances"]
    assert stored == 1 + len(outcomes) - len(failed)
    assert len(await bench.files()) == stored
    writing.execute("PRAGMA max_page_count=1000000")
    assert {outcome.reason for outcome in await bench.send(*[numbered(n) for n in range(4, 60)])} == {None}


async def test_one_that_the_index_cannot_take_fails_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    add = bench.store.index.add

    async def fail(new: list[NewInstance], on_duplicate: OnDuplicate) -> object:
        if any(one.parsed.record.instance_uid.endswith(".2") for one in new):
            raise ValueError("no")
        return await add(new, on_duplicate)

    monkeypatch.setattr(bench.store.index, "add", fail)
    outcomes = await bench.send(numbered(1), numbered(2), numbered(3))
    assert [outcome.reason for outcome in outcomes] == [None, Reason.INTERNAL, None]
    assert len(await bench.files()) == 2


async def test_after_a_failed_sync_everything_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(bench.store._durability, "sync", fail)
        patch.setattr(bench.store._journal, "append", lambda groups: False)
        [outcome] = await bench.send(numbered(1))
    assert (outcome.status, outcome.reason) == (Status.FAILED, Reason.STORAGE_DAMAGED)
    [outcome] = await bench.send(numbered(2))
    assert (outcome.status, outcome.reason) == (Status.FAILED, Reason.STORAGE_DAMAGED)
    [outcome] = await bench.send(numbered(1))  # there is a row, but nobody may rely on it
    assert not outcome.is_success
    assert len(await bench.files()) == 1


async def test_a_caller_that_gives_up_loses_nothing(bench: Bench) -> None:
    staged = [await bench.stage(numbered(n)) for n in range(5)]
    task = asyncio.create_task(bench.service.ingest_batch(staged, ORIGIN))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await bench.service.close()
    assert (await bench.store.index.counts())["instances"] == 5


async def test_many_doors_at_once(bench: Bench) -> None:
    async def door(number: int) -> list[IngestOutcome]:
        found: list[IngestOutcome] = []
        for n in range(10):
            found += await bench.send(numbered(number * 100 + n), numbered(n, SeriesInstanceUID="1.1.2"))
        return found

    outcomes = [outcome for found in await asyncio.gather(*map(door, range(8))) for outcome in found]
    assert all(outcome.is_success for outcome in outcomes)
    counts = await bench.store.index.counts()
    assert (counts["instances"], counts["series"]) == (90, 2)
    assert await bench.store.index.recount() == []
    assert len(bench.meter.counted) == 160


async def test_without_the_index_there_is_an_outcome_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(new: object, on_duplicate: object) -> object:
        raise ServerError(Reason.BUSY, "the index is busy")

    monkeypatch.setattr(bench.store.index, "add", fail)
    [outcome] = await bench.send(numbered(1))
    assert (outcome.status, outcome.reason, outcome.detail) == (Status.FAILED, Reason.BUSY, "the index is busy")
    assert await bench.files() == []


async def test_a_spool_that_cannot_be_cleaned_stops_nobody(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    discard = bench.store.blobs.discard

    async def fail(staged: list[Staged]) -> None:
        await discard(staged)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(bench.store.blobs, "discard", fail)
    for _ in range(5):
        outcomes = await bench.send(b"rubbish", numbered(1), b"rubbish" * 200_000)
        assert [outcome.is_success for outcome in outcomes] == [False, True, False]


DAMAGES: list[Callable[[bytes, int], bytes]] = [
    lambda data, at: data[:at],
    lambda data, at: data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :],
    lambda data, at: data[:at] + data[at + 1 :],
]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.integers(min_value=0), st.sampled_from(DAMAGES))
async def test_damaged_bytes_always_have_an_outcome(
    bench: Bench, position: int, damage: Callable[[bytes, int], bytes]
) -> None:
    data = numbered(1)
    [outcome] = await bench.send(damage(data, position % len(data)))
    assert outcome.reason is None or outcome.detail
    assert outcome.reason is not Reason.INTERNAL


async def test_a_large_image_with_a_short_head_needs_no_worker(bench: Bench) -> None:
    bench.threads.close()
    image = make_instance(rows=500, columns=400)
    assert (await bench.service.ingest(await bench.stage(image), ORIGIN)).status is Status.STORED
    other = make_instance(rows=500, columns=401, TextValue="x" * 70_000)
    assert (await bench.service.ingest(await bench.stage(other), ORIGIN)).reason is Reason.INTERNAL
