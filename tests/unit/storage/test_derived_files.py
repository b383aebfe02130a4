"""Files that were made of blobs: kept within a limit, forgotten with their blob, never half."""

import asyncio
import os
from pathlib import Path

import pytest

from dicomweb_server.storage.derived_files import DerivedFiles


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def written(folder: Path, key: str) -> None:
    for _ in range(1000):
        if any(path.name.startswith(key + ".") for path in files(folder)):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"nothing is written for {key}")


async def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    derived = DerivedFiles(tmp_path / "derived", 1 << 20)
    assert await derived.get("k", "small") is None
    await derived.put("k", "small", b"one")
    await derived.put("k", "large", b"two")
    await derived.close()
    again = DerivedFiles(tmp_path / "derived", 1 << 20)
    assert (await again.get("k", "small"), await again.get("k", "large")) == (b"one", b"two")
    assert {path.stat().st_mode & 0o777 for path in files(tmp_path)} == {0o600}
    await again.remove(["k", "other"])
    assert await again.get("k", "small") is None
    assert files(tmp_path) == []
    await again.close()


async def test_only_the_files_of_the_blob_go(tmp_path: Path) -> None:
    derived = DerivedFiles(tmp_path, 1 << 20)
    for number in range(40):
        await derived.put(f"k{number}", "small", b"x")
    await derived.remove(["k1"])
    assert await derived.get("k1", "small") is None
    assert await derived.get("k11", "small") == b"x"
    await derived.close()


@pytest.mark.parametrize("damage", [b"", b"abc", b"\0\0\0\0one"])
async def test_a_damaged_file_is_none(tmp_path: Path, damage: bytes) -> None:
    for _ in range(2):
        derived = DerivedFiles(tmp_path, 1 << 20)
        await derived.put("k", "small", b"one")
        await derived.close()
        derived = DerivedFiles(tmp_path, 1 << 20)
        assert await derived.get("k", "small") == b"one"
        files(tmp_path)[0].write_bytes(damage)
        assert await derived.get("k", "small") is None
        await derived.close()


async def test_the_least_used_go_first(tmp_path: Path) -> None:
    derived = DerivedFiles(tmp_path, 1000, delay=0)
    for number in range(9):
        await derived.put(f"k{number}", "small", bytes(100))
    await written(tmp_path, "k8")
    assert await derived.get("k8", "small") is not None
    for path in files(tmp_path):
        os.utime(path, (1, 1))
    assert await derived.get("k0", "small") is not None
    for number in (9, 10):
        await derived.put(f"k{number}", "small", bytes(100))
    await written(tmp_path, "k10")
    assert await derived.get("k10", "small") is not None
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 1000
    for key in ("k0", "k10"):
        assert await derived.get(key, "small") is not None
    await derived.close()


async def test_nothing_is_kept_without_room(tmp_path: Path) -> None:
    for limit, size in ((0, 1), (100, 26)):
        derived = DerivedFiles(tmp_path, limit)
        await derived.put("k", "small", bytes(size))
        assert await derived.get("k", "small") is None
        await derived.close()
    assert files(tmp_path) == []
    readonly = DerivedFiles(tmp_path / "file" / "below", 1000, delay=0)
    (tmp_path / "file").write_bytes(b"")
    await readonly.put("k", "small", b"x")
    await asyncio.sleep(0.01)  # it tries to write meanwhile
    assert await readonly.get("k", "small") is None
    await readonly.close()


async def test_who_makes_much_waits_for_the_disk(tmp_path: Path) -> None:
    derived = DerivedFiles(tmp_path, 1 << 30)
    for number in range(20):
        await derived.put(f"k{number}", "large", bytes(4 << 20))
        assert len(files(tmp_path)) >= number - 8
    await derived.close()
    assert len(files(tmp_path)) == 20


async def test_what_is_not_yet_written_is_there_and_can_be_removed(tmp_path: Path) -> None:
    derived = DerivedFiles(tmp_path, 1 << 20, delay=60)
    for key in ("k1", "k2", "k2"):
        await derived.put(key, "small", key.encode())
    assert (await derived.get("k1", "small"), files(tmp_path)) == (b"k1", [])
    await derived.remove(["k1"])
    assert await derived.get("k1", "small") is None
    await derived.close()
    assert [path.name[:3] for path in files(tmp_path)] == ["k2."]


async def test_what_was_never_kept_is_not_looked_for(tmp_path: Path) -> None:
    derived = DerivedFiles(tmp_path, 1 << 20)
    await derived.put("k1", "small", b"one")
    await derived.close()
    derived = DerivedFiles(tmp_path, 1 << 20)
    assert await derived.get("k2", "small") is None
    assert derived._survey is not None
    await derived._survey
    behind_its_back = DerivedFiles(tmp_path, 1 << 20)
    await behind_its_back.put("k2", "small", b"two")
    await behind_its_back.close()
    assert (await derived.get("k1", "small"), await derived.get("k2", "small")) == (b"one", None)
    await derived.close()
