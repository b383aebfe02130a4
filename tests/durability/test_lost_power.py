"""A power cut, played: what was written through is there, of the rest whatever chance leaves, in each kind of file.

The folder is copied while nothing is being answered. In the copy the index's log ends where it ended at the last sync,
or somewhere after that, and what was placed since is missing, empty, zero or whole.
"""

import asyncio
import contextlib
import random
import shutil
from collections.abc import Awaitable
from pathlib import Path

import pytest

from conformance.patience import until
from dicomweb_server.ports.index import OnDuplicate
from dicomweb_server.services.ingest import IngestPolicy, IngestService
from dicomweb_server.storage import writer
from dicomweb_server.storage.store import Store, StoreOptions
from dicomweb_server.storage.threads import Threads
from tests.durability import storing_process
from tests.durability.journal import broken_promises

LOG = "index.db-wal"


class Door(storing_process.Door):
    """One that seldom does what needs a sync."""

    again = 0.04

    async def work(self) -> None:
        while True:
            number = self.chance.randrange(self.count + 1) if self.chance.random() < self.again else self.count
            uids = (f"1.{number % 3}", f"1.{number % 3}.{number % 2}", f"{self.prefix}.{number}")
            if number < self.count and self.chance.random() < 0.3:
                await self.remove(uids)
            else:
                await self.store(uids)
            self.count = max(self.count, number + 1)


class Cut:
    """A store whose folder can be copied as a power cut would leave it."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, journal: int = 2**19) -> None:
        self.root = root
        self.store = Store(root, StoreOptions(journal=journal))
        self.lines: list[str] = []
        # So that the database itself is as the start has left it, and all that came later is in its log.
        monkeypatch.setattr(self.store._transaction, "checkpoint", lambda: None)
        monkeypatch.setattr(self.store._durability, "sync", self._sync)
        monkeypatch.setattr(storing_process, "tell", self._tell)
        self.synced = self._look()
        self.syncs = 0

    def _tell(self, kind: str, uids: tuple[str, str, str], digest: str) -> None:
        self.lines.append(f"{kind} {' '.join(uids)} {digest}\n")

    def _look(self) -> tuple[int, set[str]]:
        return (self.root / LOG).stat().st_size, {path.name for path in (self.root / "blobs").rglob("*.dcm")}

    def _sync(self) -> None:
        self.synced = self._look()
        self.syncs += 1

    async def work(self, chance: random.Random, ending: Awaitable[object]) -> None:
        threads = Threads(2, "test")
        ingest = IngestService(
            self.store.blobs, self.store.index, threads, IngestPolicy(on_duplicate=OnDuplicate.REPLACE)
        )
        doors = [Door(self.store, ingest, random.Random(chance.random()), number) for number in range(4)]
        working = asyncio.gather(*[door.work() for door in doors])
        await ending
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        await ingest.close()
        threads.close()

    def copy(self, target: Path, chance: random.Random) -> list[str]:
        """Cut the power; what had been told until then."""
        commits = self.store._commits
        with commits._flushing, commits._syncing:
            lines, (length, safe) = list(self.lines), self.synced
            shutil.copytree(self.root, target, ignore=shutil.ignore_patterns("*-shm", "lock"), copy_function=_copy)
            # What is meant to be done meanwhile may be committed before the log is copied.
            lines += [line for line in self.lines[len(lines) :] if line.startswith("INTENT")]
        with (target / LOG).open("r+b") as log:
            end = log.seek(0, 2)
            log.truncate(chance.choice((length, chance.randint(length, end), end)))
        for path in (target / "blobs").rglob("*.dcm"):
            if path.name not in safe:
                _lose(path, chance.randrange(4))
        return lines


def _copy(source: str, target: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # swept away meanwhile
        shutil.copyfile(source, target)


def _lose(path: Path, how: int) -> None:
    if how == 0:
        path.unlink()
    elif how == 1:
        path.write_bytes(b"")
    elif how == 2:
        path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("seed", range(4))
async def test_what_was_acknowledged_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    chance = random.Random(seed)
    cut = Cut(tmp_path / "data", monkeypatch)
    enough, copies = asyncio.Event(), []
    working = asyncio.create_task(cut.work(chance, enough.wait()))
    for number in range(3):
        await asyncio.sleep(0.4)
        await until(lambda: cut.syncs > 0)
        target = tmp_path / str(number)
        copies.append((target, await asyncio.to_thread(cut.copy, target, chance)))
    await asyncio.sleep(0.3)
    enough.set()
    await working
    await cut.store.close()
    for target, lines in copies:
        assert await broken_promises(target, lines) == []


async def test_this_test_is_able_to_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the journal the same cut does lose instances, since nothing is synced where the writer has no rest."""
    monkeypatch.setattr(writer, "_IDLE", 60.0)
    monkeypatch.setattr(storing_process, "LARGE", {})
    monkeypatch.setattr(Door, "again", 0)
    cut = Cut(tmp_path / "data", monkeypatch, journal=2**27)  # never full
    chance = random.Random(1)
    monkeypatch.setattr(chance, "choice", lambda ends: ends[0])
    await cut.work(chance, until(lambda: len(cut.lines) > 40))
    lines = cut.copy(tmp_path / "copy", chance)
    await cut.store.close()
    for path in (tmp_path / "copy").glob("journal-*"):
        path.unlink()
    assert await broken_promises(tmp_path / "copy", lines) != []
