"""Small instances are answered before their rows are written, and nobody is able to notice."""

import asyncio
import logging
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from conformance.patience import until
from dicomweb_server.services.ingest import OnDuplicate, Status
from dicomweb_server.storage import blobs_filesystem, promises, writer
from dicomweb_server.storage.additions import Addition, Additions
from dicomweb_server.storage.run_mark import Leftovers
from dicomweb_server.storage.store import StoreOptions
from tests.stored import make_new, violations
from tests.unit.storage.promise_bench import STUDY, Bench, let_it_be_late


async def test_a_read_sees_what_was_answered(bench: Bench) -> None:
    assert (await bench.send(1)).status is Status.STORED
    assert bench.rows == 0
    assert await bench.stored(1) is not None
    assert bench.rows == 1
    assert not bench.are_owed
    assert (await bench.store.index.counts())["instances"] == 1


async def test_reads_do_not_wait_where_nothing_is_owed(bench: Bench) -> None:
    await bench.send(1)
    await bench.stored(1)
    turn = bench.store._writer._turn
    await bench.store._writer.keep_promises()
    assert turn.locked()  # the writer waits for work: it was not asked for any


async def test_reads_do_not_wait_for_what_is_not_answered(bench: Bench) -> None:
    await bench.send(1)
    with bench.store._commits._flushing:
        sending = asyncio.create_task(bench.send(2))
        await asyncio.sleep(0.05)
        assert await bench.stored(1) is not None
        assert not sending.done()
    assert (await sending).is_success


async def test_many_rows_are_written_by_one_transaction(bench: Bench) -> None:
    for number in range(promises._WORTH - 1):
        assert (await bench.send(number)).is_success
    assert bench.rows == 0
    await bench.send(promises._WORTH - 1)
    await until(lambda: not bench.are_owed)
    assert bench.rows == promises._WORTH
    assert bench.store._transaction.promise == promises._WORTH


async def test_a_large_one_is_promised_by_itself(bench: Bench) -> None:
    data = bytes(900_000)
    assert (await bench.send(1, Rows=600, Columns=750, PixelData=data)).status is Status.STORED
    assert bench.rows == 0
    assert len(await bench.stored(1) or b"") > len(data)
    assert bench.rows == 1
    [group] = bench.store._journal.groups()
    assert [len(entry.data) > len(data) for entry in group.entries] == [True]


async def test_a_few_are_written_soon(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.send(1)
    await until(lambda: not bench.are_owed)
    assert bench.rows == 1
    await bench.close()


async def test_what_is_promised_beside_a_transaction_is_written_soon_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_IDLE", 60.0)
    bench = Bench(tmp_path)
    began, gate, keep = threading.Event(), threading.Event(), bench.store._transaction.keep

    def slowly(*arguments: Any) -> None:
        began.set()
        assert gate.wait(10)
        keep(*arguments)

    monkeypatch.setattr(bench.store._transaction, "keep", slowly)
    await bench.send(1)
    assert await asyncio.to_thread(began.wait, 10)
    await bench.send(2)
    gate.set()
    await until(lambda: not bench.are_owed)
    assert bench.rows == 2
    await bench.close()


async def test_the_same_again_is_a_duplicate(bench: Bench) -> None:
    await bench.send(1)
    assert (await bench.send(1)).status is Status.DUPLICATE  # of what is owed
    assert bench.rows == 1
    assert (await bench.send(1)).status is Status.DUPLICATE  # of what is stored
    assert not bench.are_owed


async def test_what_is_known_of_new_series_is_forgotten_with_every_other_operation(bench: Bench) -> None:
    series = bench.store._writer._promises._series
    await bench.send(1)
    await bench.send(2)
    assert series == {("1.1", "1.2"): {"1.1.1", "1.1.2"}}
    assert (await bench.send(2)).status is Status.DUPLICATE
    assert series == {}
    await bench.send(3)
    assert series == {}  # it is not new any more
    await bench.store.index.delete(STUDY)
    await bench.send(3)
    assert series == {("1.1", "1.2"): {"1.1.3"}}


async def test_what_is_known_of_new_series_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promises, "_MOST_SERIES", 2)
    monkeypatch.setattr(promises, "_MOST_OF_SERIES", 2)
    for number in (1, 2, 3, 3, 2):
        for series in ("1.3", "1.4", "1.5"):
            assert (await bench.send(number, SeriesInstanceUID=series)).is_success
        await bench.store._writer.keep_promises()
        assert len(bench.store._writer._promises._series) <= 3  # the last one, and those that were owed when it came
    assert (await bench.store.index.counts())["instances"] == 9


async def test_a_series_of_what_is_owed_is_not_forgotten(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promises, "_MOST_SERIES", 1)
    await bench.send(1)
    await bench.send(1, SeriesInstanceUID="1.3")
    await bench.send(2)  # the index knows nothing of its series yet
    await bench.store._writer.keep_promises()
    assert (await bench.send(1)).status is Status.DUPLICATE
    assert (await bench.store.index.counts())["instances"] == 3


async def test_what_replaces_it_comes_after_it(bench: Bench) -> None:
    await bench.send(1)
    assert (await bench.send(1, PatientComments="other")).status is Status.REPLACED
    assert b"other" in (await bench.stored(1) or b"")


async def test_of_two_at_the_same_time_one_is_a_duplicate(bench: Bench) -> None:
    outcomes = await asyncio.gather(*[bench.send(1) for _ in range(4)])
    assert sorted(outcome.status.value for outcome in outcomes) == ["duplicate"] * 3 + ["stored"]


async def test_a_deletion_deletes_what_is_owed(bench: Bench) -> None:
    await bench.send(1)
    assert await bench.store.index.delete(STUDY) == 1
    assert await bench.stored(1) is None
    assert (await bench.send(1)).status is Status.STORED


async def test_nothing_is_promised_beside_another_operation(bench: Bench) -> None:
    turn = bench.store._commits._flushing
    with turn:
        deleting = asyncio.create_task(bench.store.index.delete(STUDY))
        await asyncio.sleep(0.3)
        sending = asyncio.create_task(bench.send(1))
        await asyncio.sleep(0.05)
        assert not sending.done()
    await deleting
    assert (await sending).status is Status.STORED
    assert bench.rows == 1  # it was written with those that wait for a transaction
    assert not bench.are_owed


async def test_the_journal_is_not_begun_anew_while_it_is_needed(bench: Bench) -> None:
    await bench.send(1)
    bench.store._commits.sync()
    assert bench.store._journal.is_used
    await bench.store._writer.keep_promises()
    bench.store._commits.sync()
    assert bench.store._journal.is_used  # by the file that is not made
    assert bench.store.blobs.unplaced.place_all()
    bench.store._commits.sync()
    assert not bench.store._journal.is_used


async def test_a_full_journal_waits_for_what_it_promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let_it_be_late(monkeypatch)
    bench = Bench(tmp_path, StoreOptions(journal=2**17))
    number = 0
    while not bench.store._journal.is_full:
        number += 1
        assert (await bench.send(number)).is_success
        assert number < promises._WORTH
    await asyncio.sleep(0.1)
    assert bench.store._journal.is_full
    await bench.store._writer.keep_promises()
    await until(lambda: not bench.store._journal.is_full)
    assert not bench.store._journal.is_full
    assert bench.rows == number
    await bench.close()


async def test_what_is_owed_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promises, "_MOST_OWED", 3)
    for number in range(3):
        await bench.send(number)
    assert bench.rows == 0
    assert (await bench.send(3)).status is Status.STORED
    assert bench.rows == 4


async def test_where_there_is_no_room_the_journal_keeps_it(
    tmp_path: Path, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.send(1)
    await bench.stored(1)
    await bench.send(2)
    writing = bench.store._database.writing
    (pages,) = writing.execute("PRAGMA page_count").fetchone()
    writing.execute(f"PRAGMA max_page_count={pages}")
    await asyncio.gather(*[bench.send(number, ImageComments=os.urandom(5000).hex()) for number in range(3, 9)])
    assert (await bench.store.index.counts())["instances"] == 1  # reading goes on
    assert (await bench.send(10)).status is Status.FAILED
    assert (await bench.send(11)).status is Status.FAILED
    assert len([record for record in caplog.records if "in the journal only" in record.message]) == 1
    writing.execute("PRAGMA max_page_count=1000000")
    assert (await bench.send(12)).status is Status.STORED
    assert (await bench.store.index.counts())["instances"] == 9


async def test_what_is_still_owed_at_the_end_is_there_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_it_be_late(monkeypatch)
    bench = Bench(tmp_path)
    await bench.send(1)
    await bench.stored(1)
    writing = bench.store._database.writing
    (pages,) = writing.execute("PRAGMA page_count").fetchone()
    writing.execute(f"PRAGMA max_page_count={pages}")
    outcomes = [await bench.send(number, ImageComments=os.urandom(5000).hex()) for number in range(2, 9)]
    await bench.close()
    assert bench.are_owed
    again = Bench(tmp_path)
    assert again.store.leftovers is Leftovers.UNACKNOWLEDGED
    assert (await again.store.index.counts())["instances"] == 1 + sum(outcome.is_success for outcome in outcomes)
    await again.close()
    assert violations(tmp_path) == []


async def test_poison_does_not_hold_up_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    insert = Additions._insert

    def poisoned(self: Additions, new: Any, *rest: Any) -> None:
        if new.parsed.record.instance_uid == "1.1.2":
            raise ZeroDivisionError
        insert(self, new, *rest)

    monkeypatch.setattr(Additions, "_insert", poisoned)
    for number in range(1, 4):
        await bench.send(number)
    assert [await bench.stored(number) is not None for number in range(1, 4)] == [True, False, True]
    assert not bench.are_owed
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_without_a_reserve_nothing_is_promised(tmp_path: Path) -> None:
    bench = Bench(tmp_path, StoreOptions(reserve=0))
    await bench.send(1)
    assert not bench.are_owed
    assert bench.rows == 1
    await bench.close()
    assert violations(tmp_path) == []  # it was hashed for its row


async def test_text_that_the_index_cannot_take_is_not_promised() -> None:
    new = make_new("", "1", "1.1", "1.1.1", series_description="\ud800")
    assert not promises._is_writable(Addition(new, OnDuplicate.KEEP))


@pytest.mark.parametrize("error", [MemoryError, OSError, sqlite3.OperationalError, sqlite3.DatabaseError])
async def test_what_the_machine_cannot_do_now_is_done_later(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fail(*_: Any) -> None:
        raise error

    await bench.send(1)
    with monkeypatch.context() as patch:
        patch.setattr(Additions, "_insert", fail)
        assert await bench.stored(1) is None
    assert await bench.stored(1) is not None


async def test_a_file_that_cannot_be_written_at_first(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(blobs_filesystem, "put", fail)
        assert (await bench.send(1)).status is Status.STORED
        assert (await bench.send(2)).status is Status.STORED
    assert await bench.stored(1) is not None
    assert await bench.stored(2) is not None
