"""The store: what a start finds after a clean stop, a crash, a lost or restored index."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import NewInstance, OnDuplicate, Scope
from dicomweb_server.storage.memory import EphemeralStore
from dicomweb_server.storage.run_mark import Leftovers
from dicomweb_server.storage.store import Store, StoreOptions
from tests.stored import make_new, place_new, scope_of, violations


async def filled(root: Path, count: int = 3) -> list[NewInstance]:
    """A store with some instances, closed."""
    store = Store(root)
    news = [await place_new(store.blobs, "1", "1.1", f"1.1.{n}", data=b"data %d" % n * 100) for n in range(count)]
    await store.index.add(news, OnDuplicate.KEEP)
    await store.close()
    return news


async def crashed(root: Path, copy: Path, count: int = 3) -> list[NewInstance]:
    """What is on the disk while a store with some instances is open."""
    store = Store(root)
    news = [await place_new(store.blobs, "1", "1.1", f"1.1.{n}", data=b"data %d" % n * 100) for n in range(count)]
    await store.index.add(news, OnDuplicate.KEEP)
    shutil.copytree(root, copy)
    await store.close()
    return news


def path_of(root: Path, new: NewInstance) -> Path:
    return next((root / "blobs").rglob(f"{new.key}.dcm"))


async def stored(root: Path) -> list[str]:
    store = Store(root)
    uids = [one.instance_uid async for batch in store.index.instances(Scope("1")) for one in batch]
    await store.close()
    return uids


async def test_everything_is_there_after_a_clean_stop(tmp_path: Path) -> None:
    news = await filled(tmp_path)
    for new in news:
        path_of(tmp_path, new).unlink()  # what is marked as verified is not read at every start
    store = Store(tmp_path)
    assert store.leftovers is Leftovers.NONE
    assert (await store.index.counts())["instances"] == 3
    await store.close()


async def test_everything_is_there_after_a_crash(tmp_path: Path) -> None:
    await crashed(tmp_path / "a", tmp_path / "b")
    store = Store(tmp_path / "b")
    assert store.leftovers is Leftovers.UNACKNOWLEDGED
    assert (await store.index.counts())["instances"] == 3
    await store.close()
    assert violations(tmp_path / "b") == []
    store = Store(tmp_path / "b")
    assert store.leftovers is Leftovers.NONE
    await store.close()


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes()[:-1] + b"!"),
    ],
)
async def test_rows_without_their_bytes_are_dropped_after_a_crash(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    news = await crashed(tmp_path / "a", tmp_path / "b")
    damage(path_of(tmp_path / "b", news[1]))
    assert await stored(tmp_path / "b") == ["1.1.0", "1.1.2"]


async def test_what_a_crash_leaves_in_the_spool_is_gone(tmp_path: Path) -> None:
    await filled(tmp_path)
    (tmp_path / "spool" / "0001.part").write_bytes(b"half")
    await stored(tmp_path)
    assert list((tmp_path / "spool").iterdir()) == []


async def test_blobs_without_an_index_are_not_taken_for_rubbish(tmp_path: Path) -> None:
    await filled(tmp_path)
    (tmp_path / "index.db").unlink()
    with pytest.raises(ServerError, match="rebuild it with `reindex`") as caught:
        Store(tmp_path)
    assert caught.value.reason is Reason.STORAGE_DAMAGED
    with pytest.raises(ServerError):
        Store(tmp_path)
    assert len(list((tmp_path / "blobs").rglob("*.dcm"))) == 3


async def test_an_index_from_a_backup_is_recognised(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = await place_new(store.blobs, "1", "1.1", "1.1.0")
    await store.index.add([first], OnDuplicate.KEEP)
    revision = await store.index.revision(Scope("1"))
    with sqlite3.connect(tmp_path / "index.db") as source, sqlite3.connect(tmp_path / "backup") as backup:
        source.backup(backup)
    source.close()
    backup.close()
    await store.index.add([await place_new(store.blobs, "1", "1.1", "1.1.1")], OnDuplicate.KEEP)
    await store.close()

    (tmp_path / "backup").rename(tmp_path / "index.db")
    store = Store(tmp_path)
    assert store.leftovers is Leftovers.UNKNOWN
    assert await store.index.revision(Scope("1")) != revision
    await store.close()
    store = Store(tmp_path)  # and that is not forgotten
    assert store.leftovers is Leftovers.UNKNOWN
    await store.trust_index()
    await store.close()
    store = Store(tmp_path)
    assert store.leftovers is Leftovers.NONE
    await store.close()


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 8000])
async def test_a_damaged_index_is_refused_with_instructions(tmp_path: Path, content: bytes) -> None:
    await filled(tmp_path)
    (tmp_path / "index.db").write_bytes(content)
    with pytest.raises(ServerError, match="rebuild it with `reindex`") as caught:
        Store(tmp_path)
    assert caught.value.reason is Reason.STORAGE_DAMAGED
    store = Store(tmp_path, rebuild=True)
    assert (await store.index.counts())["instances"] == 0
    await store.close()
    with pytest.raises(ServerError, match="run `reindex` again"):
        Store(tmp_path)
    store = Store(tmp_path, rebuild=True)
    await store.finish_rebuild()
    await store.close()
    assert await stored(tmp_path) == []


async def test_a_newer_index_is_refused_untouched(tmp_path: Path) -> None:
    await filled(tmp_path)
    with sqlite3.connect(tmp_path / "index.db") as other:
        other.execute("PRAGMA user_version=99")
    other.close()
    before = (tmp_path / "index.db").read_bytes()
    with pytest.raises(ServerError, match="schema version 99"):
        Store(tmp_path)
    assert (tmp_path / "index.db").read_bytes() == before


async def test_the_index_may_lie_elsewhere(tmp_path: Path) -> None:
    options = StoreOptions(index_folder=tmp_path / "fast")
    store = Store(tmp_path / "data", options)
    new = await place_new(store.blobs)
    await store.index.add([new], OnDuplicate.KEEP)
    await store.close()
    assert (tmp_path / "fast" / "index.db").exists()
    assert not (tmp_path / "data" / "index.db").exists()
    store = Store(tmp_path / "data", options)
    assert await store.index.instance(scope_of(new)) is not None
    await store.close()


async def test_an_ephemeral_store_leaves_nothing() -> None:
    store = EphemeralStore()
    await store.index.add([await place_new(store.blobs)], OnDuplicate.KEEP)
    root = store._folder.root
    assert root.exists()
    await store.close()
    assert not root.exists()


async def test_ids_are_not_used_twice(tmp_path: Path) -> None:
    await filled(tmp_path)
    store = Store(tmp_path)
    await store.index.delete(Scope("1"))
    await store.close()
    store = Store(tmp_path)
    await store.index.add([make_new("k", "2", "2.1", "2.1.1")], OnDuplicate.KEEP)
    [row] = store._database.writing.execute("SELECT id FROM instance").fetchall()
    assert row == (4,)
    await store.close()
