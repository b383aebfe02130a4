"""Files that were made of blobs: kept within a limit, forgotten with their blob, never half."""

import os
from pathlib import Path

import pytest

from dicomweb_server.storage.derived_files import DerivedFiles


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


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
    derived = DerivedFiles(tmp_path, 1 << 20)
    await derived.put("k", "small", b"one")
    assert await derived.get("k", "small") == b"one"
    files(tmp_path)[0].write_bytes(damage)
    assert await derived.get("k", "small") is None
    await derived.put("k", "small", b"one")
    assert await derived.get("k", "small") == b"one"
    await derived.close()


async def test_the_least_used_go_first(tmp_path: Path) -> None:
    derived = DerivedFiles(tmp_path, 1000)
    for number in range(9):
        await derived.put(f"k{number}", "small", bytes(100))
    assert await derived.get("k8", "small") is not None
    for path in files(tmp_path):
        os.utime(path, (1, 1))
    assert await derived.get("k0", "small") is not None
    for number in (9, 10):
        await derived.put(f"k{number}", "small", bytes(100))
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
    readonly = DerivedFiles(tmp_path / "file" / "below", 1000)
    (tmp_path / "file").write_bytes(b"")
    await readonly.put("k", "small", b"x")
    assert await readonly.get("k", "small") is None
    await readonly.close()


async def test_who_makes_much_waits_for_the_disk(tmp_path: Path) -> None:
    derived = DerivedFiles(tmp_path, 1 << 30)
    for number in range(20):
        await derived.put(f"k{number}", "large", bytes(4 << 20))
        whole = [path for path in files(tmp_path) if path.suffix != ".new"]
        assert len(whole) >= number - 8
    await derived.close()
    assert len(files(tmp_path)) == 20
