"""Blobs in files: names, modes, and that a failure leaves nothing half placed."""

import errno
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.blobs import Staged
from dicomweb_server.storage import blobs_filesystem, unplaced
from dicomweb_server.storage.blobs_filesystem import FilesystemBlobs, KeySequence
from dicomweb_server.storage.durability import NoSync
from dicomweb_server.storage.spool import write_all
from tests.stored import place


@pytest.fixture
async def blobs(tmp_path: Path) -> AsyncIterator[FilesystemBlobs]:
    for name in ("blobs", "spool"):
        (tmp_path / name).mkdir()
    made = FilesystemBlobs(tmp_path / "blobs", tmp_path / "spool", NoSync())
    yield made
    await made.close()


def memory(data: bytes) -> Staged:
    return Staged(size=len(data), data=data)


async def test_where_blobs_lie(blobs: FilesystemBlobs, tmp_path: Path) -> None:
    [key] = place(blobs, memory(b"data"))
    path = tmp_path / "blobs" / key[:6] / key[6:8] / f"{key}.dcm"
    assert path.read_bytes() == b"data"
    assert path.stat().st_mode & 0o777 == 0o600
    assert {folder.stat().st_mode & 0o777 for folder in (path.parent, path.parent.parent)} == {0o700}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EMFILE])
async def test_nothing_half_placed_stays(
    blobs: FilesystemBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(descriptor: int, data: bytes) -> None:
        os.write(descriptor, data[:2])
        raise OSError(number, os.strerror(number))

    placement = blobs.placement(memory(b"data"))
    with monkeypatch.context() as patch:
        patch.setattr(blobs_filesystem, "write_all", fail)
        with pytest.raises(ServerError) as caught:
            placement.place()
    expected = {errno.ENOSPC: Reason.OUT_OF_RESOURCES, errno.EIO: Reason.STORAGE_DAMAGED, errno.EMFILE: Reason.BUSY}
    assert caught.value.reason is expected[number]
    assert placement.key == ""
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []
    assert await blobs.read(placement.place()) == b"data"


async def test_a_spooled_file_that_cannot_be_placed_stays_until_it_is_discarded(
    blobs: FilesystemBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, target: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    spooled = tmp_path / "spool" / "1.part"
    spooled.write_bytes(b"spooled")
    staged = Staged(size=7, path=spooled)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail)
        with pytest.raises(ServerError):
            blobs.placement(staged).place()
    assert spooled.read_bytes() == b"spooled"
    await blobs.discard([staged])
    assert not spooled.exists()


async def test_a_placement_writes_once(blobs: FilesystemBlobs, tmp_path: Path) -> None:
    placement = blobs.placement(memory(b"data"))
    assert placement.key == ""
    assert placement.place() == placement.place() == placement.key
    assert len([path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]) == 1


async def test_short_writes_are_completed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write = os.write
    descriptor = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data)[:3]))
    write_all(descriptor, b"0123456789")
    os.close(descriptor)
    assert (tmp_path / "file").read_bytes() == b"0123456789"


async def test_foreign_files_are_no_blobs(blobs: FilesystemBlobs, tmp_path: Path) -> None:
    [key] = place(blobs, memory(b"data"))
    folder = tmp_path / "blobs" / key[:6] / key[6:8]
    (folder / "notes.txt").touch()
    (folder / "0123.dcm").touch()
    (tmp_path / "blobs" / "lost+found").mkdir()
    found = blobs.keys()
    assert [one[0] async for one in found] == [key]


async def test_a_blob_that_shrank_while_it_was_read(blobs: FilesystemBlobs, tmp_path: Path) -> None:
    [key] = place(blobs, memory(b"x" * 600_000))
    path = tmp_path / "blobs" / key[:6] / key[6:8] / f"{key}.dcm"
    stream = blobs.stream(key)
    await anext(stream)
    os.truncate(path, 1000)
    with pytest.raises(ServerError) as caught:
        await anext(stream)
    assert caught.value.reason is Reason.STORAGE_DAMAGED


async def test_peek_finds_what_is_in_memory(blobs: FilesystemBlobs) -> None:
    [key] = place(blobs, memory(bytes(range(256)) * 1000))
    if blobs.peek(key, 0, 1) is None:
        pytest.skip("this system has no reads that never wait")
    for offset, length in ((0, 256_000), (5, 10), (255_999, 1)):
        assert blobs.peek(key, offset, length) == (bytes(range(256)) * 1000)[offset : offset + length]
    assert blobs.peek(key, 0, 0) is None
    assert blobs.peek(key, 1, 256_000) is None
    assert len(os.listdir("/proc/self/fd")) < 100


def test_keys_grow_even_if_the_clock_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = KeySequence()
    now = 1_800_000_000 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: now)
    made = [keys.next() for _ in range(100)]
    now -= 3600 * 10**9
    made += [keys.next() for _ in range(100)]
    assert made == sorted(set(made))
    assert all(len(key) == 32 and int(key, 16) for key in made)
    assert int(made[0][:12], 16) == 1_800_000_000_000


async def test_what_has_no_file_yet_is_read_from_memory(
    blobs: FilesystemBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unplaced, "_PAUSE", 60.0)
    data = bytes(range(256)) * 2000
    key = blobs.placement(memory(data)).choose_key()
    blobs.unplaced.add([(key, data)])
    assert blobs.local_path(key) is None
    assert await blobs.size(key) == len(data)
    assert await blobs.map(key) == data
    assert await blobs.read(key) == data
    assert await blobs.read(key, 3, 4) == data[3:7]
    assert blobs.peek(key, 3, 4) == data[3:7]
    assert blobs.peek(key, len(data) - 1, 2) is None
    assert blobs.peek(key, 0, 0) is None
    chunks = [bytes(chunk) async for chunk in blobs.stream(key, 5)]
    assert b"".join(chunks) == data[5:]
    assert len(chunks) == 2
    for beyond in (blobs.read(key, len(data) + 1), blobs.read(key, 0, len(data) + 1)):
        with pytest.raises(ServerError) as caught:
            await beyond
        assert caught.value.reason is Reason.STORAGE_DAMAGED
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []
    listed = blobs.keys()
    assert [found[:2] async for found in listed] == [(key, len(data))]
    path = blobs.local_path(key)
    assert path is not None
    assert path.read_bytes() == data
    assert await blobs.read(key) == data


async def test_what_has_no_file_yet_is_removed(
    blobs: FilesystemBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unplaced, "_PAUSE", 60.0)
    key = blobs.placement(memory(b"data")).choose_key()
    blobs.unplaced.add([(key, b"data")])
    await blobs.remove([key])
    assert await blobs.size(key) is None
    assert blobs.unplaced.place_all()
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


async def test_blobs_are_not_listed_while_a_file_cannot_be_made(
    blobs: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    with monkeypatch.context() as patch:
        patch.setattr(blobs_filesystem, "write_all", fail)
        blobs.unplaced.add([("0" * 32, b"data")])
        with pytest.raises(ServerError) as caught:
            await anext(blobs.keys())
    assert caught.value.reason is Reason.OUT_OF_RESOURCES
