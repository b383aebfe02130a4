"""The writer: nobody is answered before a sync that began after the commit, nobody fails for another's fault."""

import asyncio
import errno
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest

from conformance.patience import SOON, until
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Added, OnDuplicate, Scope
from dicomweb_server.storage import schema
from dicomweb_server.storage.additions import Addition
from dicomweb_server.storage.commits import Commits
from dicomweb_server.storage.journal import Journal
from dicomweb_server.storage.sqlite import Database
from dicomweb_server.storage.transaction import Transaction
from dicomweb_server.storage.unplaced import Unplaced
from dicomweb_server.storage.writer import Writer
from tests.stored import make_new


class FakeSync:
    """A durability that tells what was committed when a sync began, and may wait or fail."""

    def __init__(self) -> None:
        self.database: Database | None = None
        self.seen: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error: OSError | None = None

    def note(self, paths: Iterable[Path]) -> None: ...

    def sync(self) -> None:
        assert self.database is not None
        with sqlite3.connect(self.database._path) as other:
            self.seen.append(other.execute("SELECT count(*) FROM instance").fetchone()[0])
        other.close()
        self.gate.wait(10)
        if self.error is not None:
            raise self.error

    def close(self) -> None: ...


class Bench:
    def __init__(self, folder: Path) -> None:
        self.sync = FakeSync()
        self.database = self.sync.database = Database(folder / "index.db")
        schema.prepare(self.database.writing)
        self.transaction = Transaction(self.database.writing)
        self.journal = Journal(folder, 0)
        unplaced = Unplaced(lambda _key, _data: None)
        commits = Commits(self.transaction, self.sync, self.journal, unplaced)
        self.writer = Writer(self.transaction, commits, self.database.connect)

    def add(self, *numbers: int, on_duplicate: OnDuplicate = OnDuplicate.KEEP, **values: Any) -> "asyncio.Task[object]":
        additions = [Addition(make_new(f"k{n}", "1", "1.1", f"1.1.{n}", **values), on_duplicate) for n in numbers]
        return asyncio.create_task(self.writer.add(additions))

    def close(self) -> None:
        self.sync.gate.set()
        self.writer.close()
        self.journal.close()
        self.database.close()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


async def committed(bench: Bench, count: int) -> None:
    """Until so many rows are there."""
    async with asyncio.timeout(SOON):
        while await bench.database.read(_rows) != count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def _rows(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM instance").fetchone()[0])


async def test_an_answer_waits_for_a_sync_after_its_commit(bench: Bench) -> None:
    bench.sync.gate.clear()
    first = bench.add(1)
    await until(lambda: bench.sync.seen)
    assert bench.sync.seen == [1]
    second = bench.add(2, 3)
    await asyncio.sleep(0.05)
    assert not first.done()
    assert not second.done()
    assert bench.transaction._durable == 0
    bench.sync.gate.set()
    await asyncio.gather(first, second)
    assert bench.sync.seen == [1, 3]
    assert bench.transaction._durable == 3


async def test_the_next_transaction_is_made_beside_a_sync(bench: Bench) -> None:
    bench.sync.gate.clear()
    first = bench.add(1)
    await until(lambda: bench.sync.seen)
    second = bench.add(2)
    await committed(bench, 2)
    assert bench.sync.seen == [1]  # one sync at a time
    assert not first.done()
    assert not second.done()
    bench.sync.gate.set()
    await asyncio.gather(first, second)


async def test_who_commits_beside_a_sync_that_fails_is_not_told_of_success(bench: Bench) -> None:
    bench.sync.gate.clear()
    first = bench.add(1)
    await until(lambda: bench.sync.seen)
    second = bench.add(2)
    await committed(bench, 2)
    bench.sync.error = OSError(errno.EIO, "Input/output error")
    bench.sync.gate.set()
    results = await asyncio.gather(first, second, return_exceptions=True)
    assert all(isinstance(result, ServerError) for result in results)
    assert bench.sync.seen == [1]  # the kernel tells of it once: a second sync would have succeeded
    assert bench.transaction._durable == 0


async def test_what_waits_shares_a_sync(bench: Bench) -> None:
    bench.sync.gate.clear()
    tasks = [bench.add(0)]
    await until(lambda: bench.sync.seen)
    tasks += [bench.add(n) for n in range(1, 30)]
    await asyncio.sleep(0.01)
    bench.sync.gate.set()
    assert await asyncio.gather(*tasks) == [[Added.STORED]] * 30
    # One sync for the first, one for what waited; another one if a thread took some of that before all of it was there.
    assert (bench.sync.seen[0], bench.sync.seen[-1]) == (1, 30)
    assert len(bench.sync.seen) <= 3


async def test_poison_fails_alone(bench: Bench) -> None:
    bench.sync.gate.clear()
    tasks = [bench.add(0)]
    await until(lambda: bench.sync.seen)
    tasks += [bench.add(1), bench.add(2, study_description="x", series_description="\ud800"), bench.add(3)]
    bench.sync.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results.pop(2), UnicodeEncodeError)
    assert results == [[Added.STORED]] * 3
    assert await bench.writer.change(lambda transaction: transaction.delete(Scope("1"))) == 3


async def test_after_a_failed_sync_nothing_is_taken(bench: Bench) -> None:
    await bench.add(1)
    bench.sync.error = OSError(errno.EIO, "Input/output error")
    for number in (2, 3):
        with pytest.raises(ServerError) as caught:
            await bench.add(number)
        assert caught.value.reason is Reason.STORAGE_DAMAGED
        bench.sync.error = None  # that it would succeed now says nothing about what was lost
    assert bench.sync.seen == [1, 2]
    assert bench.writer.damage is not None
    assert bench.transaction._durable == 1
    with pytest.raises(ServerError):
        await bench.writer.change(lambda transaction: transaction.delete(Scope("1")))


async def test_a_blob_is_safe_before_it_replaces_another(bench: Bench) -> None:
    await bench.add(1)
    await bench.add(1, on_duplicate=OnDuplicate.REPLACE)  # the same bytes: nothing to replace
    assert bench.sync.seen == [1]
    new = make_new("other", "1", "1.1", "1.1.1", data=b"other bytes")
    bench.sync.error = OSError(errno.EIO, "Input/output error")
    with pytest.raises(ServerError):
        await bench.writer.add([Addition(new, OnDuplicate.REPLACE)])
    [row] = bench.database.writing.execute("SELECT key FROM instance").fetchall()
    assert row == ("k1",)


async def test_no_room_in_the_index_is_told_and_passes(bench: Bench) -> None:
    await bench.add(1)
    (pages,) = bench.database.writing.execute("PRAGMA page_count").fetchone()
    bench.database.writing.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(ServerError) as caught:
        await bench.add(*range(2, 200))
    assert caught.value.reason is Reason.OUT_OF_RESOURCES
    bench.database.writing.execute("PRAGMA max_page_count=1000000")
    assert await bench.add(*range(2, 200)) == [Added.STORED] * 198


async def test_the_mark_follows_what_is_durable(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def mark() -> int:
        with sqlite3.connect(bench.database._path) as other:
            value = int(other.execute("SELECT value FROM state WHERE name = 'verified'").fetchone()[0])
        other.close()
        return value

    monkeypatch.setattr("dicomweb_server.storage.writer._IDLE", 3.0)
    await bench.add(*range(600))
    assert mark() == 0
    await bench.add(1000)
    assert mark() == 600
    await until(lambda: mark() == 601)  # at rest


async def test_an_error_of_a_change_is_its_own(bench: Bench) -> None:
    def fail(transaction: Transaction) -> None:
        transaction.delete(Scope("1"))
        raise ZeroDivisionError

    await bench.add(1)
    with pytest.raises(ZeroDivisionError):
        await bench.writer.change(fail)
    assert await bench.writer.change(lambda transaction: transaction.delete(Scope("1"))) == 1
