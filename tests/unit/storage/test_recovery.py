"""What the journal brings back at the next start, and what it must not."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.ports.index import Scope
from dicomweb_server.services.delete import DeleteService
from dicomweb_server.services.ingest import IngestService
from dicomweb_server.services.maintenance import MaintenanceService
from dicomweb_server.storage import unplaced
from dicomweb_server.storage.durability import SyncMode
from dicomweb_server.storage.run_mark import Leftovers
from dicomweb_server.storage.store import Store, StoreOptions
from dicomweb_server.storage.threads import Threads
from tests.builders import make_instance
from tests.stored import violations

LOG = "index.db-wal"
SCOPE = Scope("1.1", "1.1.1", "1.1.1.1")
DATA = make_instance(StudyInstanceUID="1.1", SeriesInstanceUID="1.1.1", SOPInstanceUID="1.1.1.1")


@pytest.fixture(autouse=True)
def _no_files_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unplaced, "_PAUSE", 60.0)


async def send(store: Store) -> None:
    threads = Threads(1, "test")
    ingest = IngestService(store.blobs, store.index, threads)
    staging = ingest.stage()
    await staging.write(DATA)
    origin = Origin("dimse", "192.0.2.1", "CT1", "PACS", labels=((1, "north"),))
    assert (await ingest.ingest(await staging.finish(), origin)).is_success
    threads.close()


async def stopped(
    root: Path,
    copy: Path,
    *,
    deleted: bool = False,
    swept: bool = False,
    kept: bool = True,
    placed: bool = True,
    no_row: bool = False,
    no_file: bool = False,
) -> Path:
    """A store that has one instance, as an unclean stop leaves it.

    `kept`: its row was written after it was promised; `placed`: its file; `no_…`: that did not come to the disk.
    """
    store = Store(root)
    log = (root / LOG).stat().st_size
    await send(store)
    if placed:
        assert store.blobs.unplaced.place_all()
    deletion = DeleteService(store.blobs, store.index, grace=0)
    if deleted:
        await deletion.delete(SCOPE)
    if swept:
        await deletion.sweep()
    if kept:
        await store.index.counts()
    assert bool(store.blobs.unplaced) is not (placed or swept)
    shutil.copytree(root, copy)
    await store.close()
    if no_row:
        os.truncate(copy / LOG, log)
    if no_file:
        paths = list((copy / "blobs").rglob("*.dcm"))
        assert len(paths) == int(placed)
        for path in paths:
            path.write_bytes(bytes(100))
    return copy


async def found(root: Path, options: StoreOptions | None = None) -> bytes | None:
    """The instance's bytes after the next start, None if it is not there."""
    store = Store(root, options)
    stored = await store.index.instance(SCOPE)
    data = None if stored is None else await store.blobs.read(stored.key)
    assert store.leftovers is Leftovers.UNACKNOWLEDGED
    await store.close()
    assert violations(root) == []
    return data


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("placed", [False, True])
@pytest.mark.parametrize("no_row", [False, True])
@pytest.mark.parametrize("no_file", [False, True])
@pytest.mark.parametrize("sync", SyncMode)
async def test_what_was_lost_is_taken_from_the_journal(
    tmp_path: Path, kept: bool, placed: bool, no_row: bool, no_file: bool, sync: SyncMode
) -> None:
    root = await stopped(tmp_path / "data", tmp_path / "copy", kept=kept, placed=placed, no_row=no_row, no_file=no_file)
    assert await found(root, StoreOptions(sync=sync)) == DATA
    for path in root.glob("journal-*"):
        path.unlink()
    store = Store(root)  # it is where it belongs
    assert await store.index.instance(SCOPE) is not None
    assert store.leftovers is Leftovers.NONE
    await store.close()


async def test_it_is_what_it_was(tmp_path: Path) -> None:
    def row(root: Path) -> object:
        connection = sqlite3.connect(root / "index.db")
        columns = "key, digest, size, received, protocol, address, calling_ae_title, called_ae_title, metadata, frames"
        [row] = connection.execute(
            f"SELECT {columns}, label FROM instance JOIN origin ON origin.id = origin JOIN label ON label.level = 1"
        ).fetchall()
        connection.close()
        return row

    root = await stopped(tmp_path / "data", tmp_path / "copy", no_row=True)
    await found(root)
    assert row(root) == row(tmp_path / "data")


@pytest.mark.parametrize("swept", [False, True])
@pytest.mark.parametrize("placed", [False, True])
async def test_what_was_deleted_does_not_rise_again(tmp_path: Path, swept: bool, placed: bool) -> None:
    root = await stopped(tmp_path / "data", tmp_path / "copy", deleted=True, swept=swept, placed=placed)
    assert await found(root) is None


async def test_not_even_in_an_index_made_anew(tmp_path: Path) -> None:
    root = await stopped(tmp_path / "data", tmp_path / "copy", deleted=True, swept=True)
    store, threads = Store(root, rebuild=True), Threads(1, "test")
    report = await MaintenanceService(store.blobs, store.index, threads).reindex()
    assert report.added == 0
    assert await store.index.instance(SCOPE) is None
    await store.finish_rebuild()
    await store.close()
    threads.close()


async def test_an_index_made_anew_has_what_the_journal_has(tmp_path: Path) -> None:
    root = await stopped(tmp_path / "data", tmp_path / "copy", no_file=True)
    store = Store(root, rebuild=True)
    assert await store.index.instance(SCOPE) is not None
    await store.finish_rebuild()
    await store.close()
    assert violations(root) == []
