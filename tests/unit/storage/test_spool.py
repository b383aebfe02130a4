"""The spool: what stays in memory, what goes to a file, and that neither is ever left behind."""

import errno
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.storage import spool as spool_module
from dicomweb_server.storage.blobs_filesystem import FilesystemBlobs
from dicomweb_server.storage.durability import NoSync
from tests.stored import place

MEGABYTE = 1024 * 1024


@pytest.fixture
async def blobs(tmp_path: Path) -> AsyncIterator[FilesystemBlobs]:
    for name in ("blobs", "spool"):
        (tmp_path / name).mkdir()
    made = FilesystemBlobs(tmp_path / "blobs", tmp_path / "spool", NoSync(), memory_budget=4 * MEGABYTE)
    yield made
    await made.close()


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_small_ones_stay_in_memory_large_ones_do_not(blobs: FilesystemBlobs, tmp_path: Path) -> None:
    for size, in_memory in ((MEGABYTE, True), (MEGABYTE + 1, False)):
        staging = blobs.stage()
        for _ in range(2):
            await staging.write(b"x" * (size // 2))
        await staging.write(b"x" * (size % 2))
        staged = await staging.finish()
        assert (staged.data is not None) == in_memory
        assert len(files(tmp_path / "spool")) == (0 if in_memory else 1)
        if staged.path is not None:
            assert staged.path.stat().st_mode & 0o777 == 0o600
            assert staged.digest == hashlib.sha256(b"x" * size).digest()
        [key] = place(blobs, staged)
        assert await blobs.size(key) == size
        assert files(tmp_path / "spool") == []


async def test_memory_is_given_back(blobs: FilesystemBlobs) -> None:
    for _ in range(20):  # ten times the budget, a third of it at a time
        staged = []
        for _ in range(2):
            staging = blobs.stage()
            await staging.write(b"x" * MEGABYTE)
            staged.append(await staging.finish())
        assert all(one.data is not None for one in staged)
        place(blobs, *staged[:1])
        await blobs.discard(staged[1:])
    staging = blobs.stage()
    await staging.write(b"x" * MEGABYTE)
    await staging.discard()


async def test_without_memory_small_ones_go_to_files(blobs: FilesystemBlobs, tmp_path: Path) -> None:
    stagings = [blobs.stage() for _ in range(6)]
    for staging in stagings:
        for _ in range(9):
            await staging.write(b"x" * 100_000)
    staged = [await staging.finish() for staging in stagings]
    assert sum(one.data is not None for one in staged) == 4
    keys = place(blobs, *staged)
    assert [await blobs.read(key) for key in keys] == [b"x" * 900_000] * 6
    assert files(tmp_path / "spool") == []


async def test_memory_does_not_grow_with_the_instance(blobs: FilesystemBlobs) -> None:
    staging = blobs.stage()
    for _ in range(64):
        await staging.write(b"x" * MEGABYTE)
        assert sum(map(len, staging._chunks)) <= 2 * MEGABYTE
    staged = await staging.finish()
    assert staged.size == 64 * MEGABYTE
    await staging.discard()


@pytest.mark.parametrize("size", [60_000, 70_000, MEGABYTE, 3 * MEGABYTE + 5])
@pytest.mark.parametrize("step", [999, 70_000, 4 * MEGABYTE])
async def test_what_comes_in_several_kinds_of_chunks_is_the_same(blobs: FilesystemBlobs, size: int, step: int) -> None:
    content = os.urandom(size)
    staging = blobs.stage()
    for start in range(0, size, step):
        middle = start + step // 3
        await staging.write(memoryview(content)[start:middle])
        await staging.write(content[middle : start + step])
    staged = await staging.finish()
    assert staged.digest == (hashlib.sha256(content).digest() if size > MEGABYTE else None)
    [key] = place(blobs, staged)
    assert await blobs.read(key) == content


async def test_no_room_is_told_and_nothing_is_left(
    blobs: FilesystemBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: bytes) -> None:
        os.write(descriptor, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    staging = blobs.stage()
    with monkeypatch.context() as patch:
        patch.setattr(spool_module, "write_all", full)
        with pytest.raises(ServerError) as caught:
            await staging.write(b"x" * 2 * MEGABYTE)
    assert caught.value.reason is Reason.OUT_OF_RESOURCES
    with pytest.raises(ServerError):
        await staging.write(b"x" * 2 * MEGABYTE)
    with pytest.raises(ServerError):
        await staging.finish()
    assert files(tmp_path / "spool") == []
    other = blobs.stage()
    await other.write(b"x" * 2 * MEGABYTE)
    assert (await other.finish()).size == 2 * MEGABYTE
