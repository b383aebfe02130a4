"""What makes a commit durable: the journal for small instances, a sync for all else, and never out of order."""

import asyncio
import errno
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from conformance.patience import until
from dicomweb_server.dicom.origin import Origin
from dicomweb_server.errors import ServerError
from dicomweb_server.ports.index import Scope
from dicomweb_server.services.ingest import IngestOutcome, IngestPolicy, IngestService, OnDuplicate, Status
from dicomweb_server.storage.store import Store, StoreOptions
from dicomweb_server.storage.threads import Threads
from tests.builders import make_instance


class Bench:
    """A store whose syncs are counted, and may wait or fail."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root, StoreOptions(journal=2**17))
        self.journal = self.store._journal
        self.threads = Threads(1, "test")
        policy = IngestPolicy(on_duplicate=OnDuplicate.REPLACE)
        self.ingest = IngestService(self.store.blobs, self.store.index, self.threads, policy)
        self.syncs = 0
        self.error: OSError | None = None
        self.gate = threading.Event()
        self.gate.set()
        self._sync, self.store._durability.sync = self.store._durability.sync, self.sync  # type: ignore[method-assign]

    def sync(self) -> None:
        self.syncs += 1
        assert self.gate.wait(10)
        if self.error is not None:
            raise self.error
        self._sync()

    async def send(self, number: int, **values: Any) -> IngestOutcome:
        data = make_instance(StudyInstanceUID="1.1", SeriesInstanceUID="1.2", SOPInstanceUID=f"1.1.{number}", **values)
        staging = self.ingest.stage()
        await staging.write(data)
        return await self.ingest.ingest(await staging.finish(), Origin("stow"))

    async def close(self) -> None:
        self.gate.set()
        await self.store.close()
        self.threads.close()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    yield made
    await made.close()


async def test_a_small_instance_needs_no_sync(bench: Bench) -> None:
    assert (await bench.send(1)).status is Status.STORED
    await bench.store.index.counts()  # which waits until its file and row are written
    assert bench.syncs == 0
    [group] = bench.journal.groups()
    assert [entry.data for entry in group.entries] == [
        await bench.store.blobs.read(entry.key) for entry in group.entries
    ]
    assert bench.store._transaction._durable == 0  # at the next start, the row is to be checked


async def test_at_rest_the_journal_has_nothing_that_is_not_elsewhere(bench: Bench) -> None:
    await bench.send(1)
    await until(lambda: not bench.journal.is_used)
    assert bench.syncs == 1
    assert bench.store._transaction.verified == 1


async def test_a_change_needs_a_sync_and_empties_the_journal(bench: Bench) -> None:
    await bench.send(1)
    assert bench.store.blobs.unplaced.place_all()
    await bench.store.index.delete(Scope("1.1"))
    assert bench.syncs == 1
    assert not bench.journal.is_used


async def test_while_a_file_is_still_to_be_made_a_sync_leaves_the_journal(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicomweb_server.storage.unplaced._PAUSE", 60.0)
    await bench.send(1)
    await bench.send(2)
    await bench.store.index.delete(Scope("1.1", "1.2", "1.1.1"))
    assert bench.syncs == 1
    assert bench.journal.is_used
    assert bench.store._transaction._durable == 0


async def test_what_is_large_needs_a_sync(bench: Bench) -> None:
    await bench.send(1, Rows=800, Columns=800, PixelData=bytes(1_280_000))
    assert bench.syncs == 1


async def test_much_that_comes_together_needs_a_sync(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb_server.storage.commits._LARGEST_APPEND", 500)
    monkeypatch.setattr("dicomweb_server.storage.promises._MOST", 0)
    await bench.send(1)
    assert bench.syncs == 1
    assert not bench.journal.is_used


async def test_what_replaces_another_needs_a_sync_before_its_commit(bench: Bench) -> None:
    await bench.send(1)
    assert (await bench.send(1, PatientComments="other")).status is Status.REPLACED
    assert bench.syncs == 1


async def test_a_full_file_is_freed_while_the_other_one_fills(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb_server.storage.writer._IDLE", 60.0)
    await bench.store.index.delete(Scope("1.1"))  # after which the writer waits for so long
    bench.syncs = 0
    bench.gate.clear()
    number = 0
    while not bench.journal.is_full:
        number += 1
        assert (await bench.send(number)).is_success
    assert (await bench.send(number + 1)).is_success  # beside the sync
    bench.gate.set()
    await bench.store.index.counts()
    await asyncio.to_thread(bench.store._commits.close)
    assert bench.syncs == 1
    assert bench.store._transaction._durable >= number - 1


async def test_what_is_known_already_waits_for_the_first(bench: Bench) -> None:
    """The same bytes again are a success only once the first are safe."""
    with bench.store._commits._flushing:
        tasks = [asyncio.create_task(bench.send(1))]
        await asyncio.sleep(0.4)
        tasks.append(asyncio.create_task(bench.send(1)))
        await asyncio.sleep(0.1)
        assert not any(task.done() for task in tasks)
    assert [outcome.status for outcome in await asyncio.gather(*tasks)] == [Status.STORED, Status.DUPLICATE]


async def test_after_a_sync_that_failed_in_the_background_nothing_is_taken(bench: Bench) -> None:
    bench.error = OSError(errno.EIO, "Input/output error")
    number = 0
    while bench.store.damage is None:
        number += 1
        await bench.send(number)
    assert (await bench.send(0)).status is Status.FAILED
    with pytest.raises(ServerError, match="syncing to disk"):
        bench.store._commits.flush()
    assert [group.revision for group in bench.journal.groups()] != []  # the next start has them


async def test_the_journal_is_laid_out_on_request(bench: Bench, tmp_path: Path) -> None:
    await bench.store.warm_up()
    sizes = [path.stat().st_size for path in sorted(tmp_path.glob("journal-*"))]  # noqa: ASYNC240 - nothing else runs
    assert sizes == [2**16] * 2
    bench.store._commits.close()
    assert not bench.store._commits.lay_out_journal()
