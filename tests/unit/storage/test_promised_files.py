"""Instances that were promised and have no file yet: nobody is able to notice, and nothing is lost."""

import asyncio
import errno
from pathlib import Path
from typing import Any

import pytest

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Scope
from dicomweb_server.services.delete import DeleteService
from dicomweb_server.services.ingest import Status
from dicomweb_server.services.maintenance import MaintenanceService
from dicomweb_server.storage import blobs_filesystem
from dicomweb_server.storage.run_mark import Leftovers
from dicomweb_server.storage.store import StoreOptions
from dicomweb_server.storage.threads import Threads
from tests.stored import violations
from tests.unit.storage.promise_bench import STUDY, Bench, files, let_it_be_late


async def test_an_instance_is_used_before_it_has_a_file(bench: Bench) -> None:
    await bench.send(1)
    await bench.send(2)
    assert len(await bench.stored(1) or b"") > 100
    assert (await bench.send(1)).status is Status.DUPLICATE
    assert (await bench.send(1, PatientComments="other")).status is Status.REPLACED
    assert b"other" in (await bench.stored(1) or b"")
    assert len(files(bench.root)) == 1  # of what replaced it
    threads = Threads(1, "test")
    assert (await MaintenanceService(bench.store.blobs, bench.store.index, threads).check(digests=True)).missing == []
    threads.close()
    assert len(files(bench.root)) == 3


async def test_what_is_swept_away_never_gets_a_file(bench: Bench) -> None:
    await bench.send(1)
    deletion = DeleteService(bench.store.blobs, bench.store.index, grace=0)
    await deletion.delete(STUDY)
    assert await deletion.sweep() == 1
    assert not bench.store.blobs.unplaced
    assert not bench.store._journal.is_used
    assert files(bench.root) == []


async def test_a_stop_makes_all_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let_it_be_late(monkeypatch)
    bench = Bench(tmp_path)
    for number in range(40):
        await bench.send(number)
    assert files(tmp_path) == []
    await bench.close()
    assert len(files(tmp_path)) == 40
    assert violations(tmp_path) == []
    again = Bench(tmp_path)
    assert again.store.leftovers is Leftovers.NONE
    await again.close()


async def _no_room_for_files(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two instances without files, which could not be made."""

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    await bench.send(1)
    await bench.send(2)
    monkeypatch.setattr(blobs_filesystem, "put", fail)
    assert not bench.store.blobs.unplaced.place_all()


async def test_while_files_cannot_be_made_nothing_new_is_taken_and_nothing_is_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        await _no_room_for_files(bench, patch)
        refused = await bench.send(3)
        assert (refused.status, refused.reason) == (Status.FAILED, Reason.OUT_OF_RESOURCES)
        assert await bench.store.index.delete(Scope("1.1", "1.2", "1.1.1")) == 1
        with pytest.raises(ServerError) as caught:
            await DeleteService(bench.store.blobs, bench.store.index, grace=-1).sweep()
        assert caught.value.reason is Reason.OUT_OF_RESOURCES
        assert await bench.stored(2) is not None
        bench.store._commits.rest()
        assert bench.store._journal.is_used
        assert bench.store._transaction._durable == 0
    assert bench.store.blobs.unplaced.place_all()
    assert (await bench.send(3)).status is Status.STORED
    assert await bench.stored(3) is not None
    assert bench.store.blobs.unplaced.place_all()
    bench.store._commits.rest()
    assert not bench.store._journal.is_used
    assert [record.message for record in caplog.records if "cannot be made" in record.message] == [
        "files of acknowledged instances cannot be made now: writing a blob failed: No space left on device"
    ]


async def test_files_that_cannot_be_made_at_the_end_are_made_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_it_be_late(monkeypatch)
    bench = Bench(tmp_path)
    with monkeypatch.context() as patch:
        await _no_room_for_files(bench, patch)
        await bench.close()
    again = Bench(tmp_path)
    assert again.store.leftovers is Leftovers.UNACKNOWLEDGED
    assert await again.stored(1) is not None
    assert await again.stored(2) is not None
    await again.close()
    assert violations(tmp_path) == []


async def test_a_full_journal_is_not_begun_anew_without_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_it_be_late(monkeypatch)
    bench = Bench(tmp_path, StoreOptions(journal=2**17))
    with monkeypatch.context() as patch:
        await _no_room_for_files(bench, patch)
        bench.store.blobs.unplaced.is_stuck = False
        for number in range(3, 30):
            if bench.store._journal.is_full:
                break
            await bench.send(number)
        await bench.store._writer.keep_promises()
        await asyncio.sleep(0.1)
        assert bench.store._journal.is_full
    assert bench.store.blobs.unplaced.place_all()
    bench.store._commits.rest()
    assert not bench.store._journal.is_full
    await bench.close()
    assert violations(tmp_path) == []
