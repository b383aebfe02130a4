"""Maintenance: every kind of damage is told, what can be is repaired, and the index can be made from blobs alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.ports.blobs import Staged
from dicomweb_server.ports.index import Scope, StoredInstance
from dicomweb_server.services.delete import DeleteService
from dicomweb_server.services.ingest import IngestService
from dicomweb_server.services.maintenance import MaintenanceService, ReindexReport
from dicomweb_server.storage.memory import MemoryBlobs
from dicomweb_server.storage.store import Store
from dicomweb_server.storage.threads import Threads
from tests.builders import make_instance
from tests.stored import place, violations


def numbered(number: int) -> bytes:
    return make_instance(
        StudyInstanceUID=f"1.{number % 2}",
        SeriesInstanceUID=f"1.{number % 2}.1",
        SOPInstanceUID=f"1.1.{number}",
        PatientID=f"P{number % 2}",
        InstanceNumber=number,
    )


class Bench:
    def __init__(self, root: Path, *, rebuild: bool = False) -> None:
        self.root = root
        self.store = Store(root, rebuild=rebuild)
        self.threads = Threads(2, "test")
        self.ingest = IngestService(self.store.blobs, self.store.index, self.threads)
        self.maintenance = MaintenanceService(self.store.blobs, self.store.index, self.threads)

    async def fill(self, count: int) -> None:
        staged = [Staged(size=len(data), data=data) for data in map(numbered, range(count))]
        assert all(outcome.is_success for outcome in await self.ingest.ingest_batch(staged, Origin("stow")))

    async def everything(self) -> list[StoredInstance]:
        return await self.store.index.by_key("", 1000)

    def path(self, key: str) -> Path:
        return next((self.root / "blobs").rglob(f"{key}.dcm"))

    async def close(self) -> None:
        await self.store.close()
        self.threads.close()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    await made.fill(6)
    yield made
    await made.close()


async def test_a_sound_store(bench: Bench) -> None:
    seen: list[tuple[int, int]] = []
    report = await bench.maintenance.check(digests=True, progress=lambda done, total: seen.append((done, total)))
    assert report.is_sound
    assert (report.instances, report.blobs) == (6, 6)
    assert seen == [(6, 6)]


async def test_missing_blobs(bench: Bench) -> None:
    lost = (await bench.everything())[2]
    bench.path(lost.key).unlink()
    report = await bench.maintenance.check()
    assert (report.missing, report.is_sound) == ([lost.key], False)
    assert len(await bench.everything()) == 6
    report = await bench.maintenance.check(repair=True)
    assert report.repaired == 1
    assert len(await bench.everything()) == 5
    assert (await bench.maintenance.check()).is_sound


async def test_damaged_blobs_are_told_and_kept(bench: Bench) -> None:
    short, rotten = (await bench.everything())[:2]
    bench.path(short.key).write_bytes(b"short")
    data = bytearray(bench.path(rotten.key).read_bytes())
    data[-1] ^= 1
    bench.path(rotten.key).write_bytes(data)
    assert (await bench.maintenance.check()).damaged == [short.key]
    report = await bench.maintenance.check(repair=True, digests=True)
    assert report.damaged == [short.key, rotten.key]
    assert bench.path(rotten.key).read_bytes() == data
    assert len(await bench.everything()) == 6


async def test_unreferenced_blobs_become_instances_or_go(bench: Bench) -> None:
    contents = [numbered(10), numbered(1)[:-1] + b"!", b"rubbish"]
    keys = place(bench.store.blobs, *[Staged(size=len(data), data=data) for data in contents])
    report = await bench.maintenance.check()
    assert report.unreferenced == keys
    report = await bench.maintenance.check(repair=True)
    assert (report.adopted, report.repaired) == (1, 3)
    assert await bench.store.index.instance(Scope("1.0", "1.0.1", "1.1.10")) is not None
    report = await bench.maintenance.check()
    assert report.is_sound
    assert report.blobs == 7


async def test_garbage_is_no_complaint(bench: Bench) -> None:
    await DeleteService(bench.store.blobs, bench.store.index).delete(Scope("1.0"))
    report = await bench.maintenance.check()
    assert report.is_sound
    assert (report.instances, report.blobs) == (3, 6)


async def test_counters(bench: Bench) -> None:
    bench.store._database.writing.execute("UPDATE study SET instance_count = 9")
    assert (await bench.maintenance.check()).index
    await bench.maintenance.check(repair=True)
    assert (await bench.maintenance.check()).is_sound


async def test_sweep_unreferenced(bench: Bench) -> None:
    [key] = place(bench.store.blobs, Staged(size=3, data=b"abc"))
    assert await bench.maintenance.sweep_unreferenced(before=0) == 0
    assert await bench.maintenance.sweep_unreferenced(before=2**62) == 1
    assert await bench.store.blobs.size(key) is None
    assert (await bench.maintenance.check()).is_sound


async def test_the_index_is_made_from_blobs_alone(bench: Bench, tmp_path: Path) -> None:
    before = await bench.everything()
    counts = await bench.store.index.counts()
    documents = [one async for batch in bench.store.index.metadata(Scope("1.0")) for one in batch]
    await bench.close()
    (tmp_path / "blobs" / before[0].key[:6] / before[0].key[6:8] / f"{'f' * 32}.dcm").write_bytes(b"rubbish")

    rebuilt = Bench(tmp_path, rebuild=True)
    seen: list[tuple[int, int]] = []
    report = await rebuilt.maintenance.reindex(lambda done, total: seen.append((done, total)))
    assert (report.blobs, report.added, report.known, report.duplicates) == (7, 6, 0, 0)
    assert [key for key, _ in report.refused] == ["f" * 32]
    assert seen[-1] == (7, 7)
    await rebuilt.store.finish_rebuild()
    after = await rebuilt.everything()
    assert [one.received for one in after] == pytest.approx([one.received for one in before], abs=5)
    assert [(one.key, one.digest, one.frames) for one in after] == [(one.key, one.digest, one.frames) for one in before]
    assert await rebuilt.store.index.counts() == counts
    assert documents == [one async for batch in rebuilt.store.index.metadata(Scope("1.0")) for one in batch]
    await rebuilt.close()
    (tmp_path / "blobs" / before[0].key[:6] / before[0].key[6:8] / f"{'f' * 32}.dcm").unlink()
    assert violations(tmp_path) == []
    await Store(tmp_path).close()


async def test_a_rebuild_that_was_stopped_goes_on(bench: Bench, tmp_path: Path) -> None:
    await bench.close()
    first = Bench(tmp_path, rebuild=True)
    found = first.store.blobs.keys()
    keys = [key async for key, _, _ in found]
    await first.maintenance._adopt(keys[:2], ReindexReport())
    await first.close()
    second = Bench(tmp_path, rebuild=True)
    report = await second.maintenance.reindex()
    assert (report.known, report.added) == (2, 4)
    await second.store.finish_rebuild()
    await second.close()
    assert violations(tmp_path) == []


async def test_blobs_that_cannot_be_read_do_not_stop_a_rebuild(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = MemoryBlobs()
    keys = place(blobs, *[Staged(size=1, data=data) for data in (numbered(20), b"", numbered(21))])

    def gone(key: str) -> object:
        del blobs.content[keys[2]]
        return None

    maintenance = MaintenanceService(blobs, bench.store.index, bench.threads)
    known = bench.store.index.known_keys

    async def known_keys(asked: list[str]) -> set[str]:
        gone("")
        return await known(asked)

    monkeypatch.setattr(bench.store.index, "known_keys", known_keys)
    report = await maintenance.reindex()
    assert report.added == 1
    assert [key for key, _ in report.refused] == keys[1:]
