"""FilesystemBlobs: one file per instance, `blobs/<6>/<2>/<32 hex digits>.dcm`; names never come from attributes.

Keys begin with the time, so that what arrives together lies together, and few folders change with each sync.
"""

import mmap
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.blobs import Make, Staged
from dicomweb_server.storage.data_folder import PRIVATE_FILE, PRIVATE_FOLDER
from dicomweb_server.storage.direct_files import DirectFiles
from dicomweb_server.storage.durability import Durability
from dicomweb_server.storage.failure import storage_failure
from dicomweb_server.storage.peeking import Peeker
from dicomweb_server.storage.reserve import Reserve
from dicomweb_server.storage.spool import Spool, SpoolFile, remove_files, write_all
from dicomweb_server.storage.threads import Threads
from dicomweb_server.storage.unplaced import Unplaced

MEMORY_BUDGET = 128 * 1024 * 1024
_CHUNK = 256 * 1024
_DIRECT_FROM = 64 * 1024  # what is smaller costs less by way of the page cache
_THREADS = 4


class FilesystemBlobs:
    """Implements `ports.blobs.Blobs`."""

    def __init__(
        self,
        folder: Path,
        spool: Path,
        durability: Durability,
        *,
        memory_budget: int = MEMORY_BUDGET,
        reserve: Reserve | None = None,
    ) -> None:
        """`folder` and `spool` are on one file system; `durability` is told of every new file."""
        self._folder = folder
        self._durability = durability
        self._threads = Threads(_THREADS, "blobs")
        self._reserve = reserve or Reserve((folder,), 0)
        self._spool = Spool(spool, self._threads, memory_budget, self._reserve)
        self._peeker = Peeker(folder)
        self._keys = KeySequence()
        direct = DirectFiles()
        self.unplaced = Unplaced(lambda key, data: self._place(Staged(len(data), data=data), key, direct))

    def stage(self) -> SpoolFile:
        """Memory for a small instance, a file of the spool for a large one."""
        return self._spool.stage()

    def placement(self, staged: Staged) -> "FilePlacement":
        """Writes, or moves from the spool."""
        return FilePlacement(staged, self._choose_key, self._place)

    def release(self, staged: Sequence[Staged]) -> None:
        """Free memory."""
        for one in staged:
            self._spool.release(one.token)

    async def stage_made(self, makes: Sequence[Make]) -> list[Staged | ServerError]:
        """To files, whatever their size: nothing is copied on the way."""
        return await self._spool.make(makes)

    async def discard(self, staged: Sequence[Staged]) -> None:
        """Free memory and files of the spool."""
        self.release(staged)
        await self._spool.remove([one.path for one in staged if one.path is not None])

    async def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of a blob."""
        return await self._threads.run(lambda: self._read(key, offset, length))

    def peek(self, key: str, offset: int, length: int) -> bytes | None:
        """The same if they are in the page cache, or not in a file yet."""
        waiting = self.unplaced.get(key)
        if waiting is not None:
            found = waiting[offset : offset + length]
            return found if length and len(found) == length else None
        descriptor = self._peeker.open(relative_path(key))
        if descriptor is None:
            return None
        try:
            return self._peeker.read(descriptor, offset, length)
        finally:
            self._peeker.close(descriptor)

    def local_path(self, key: str) -> Path | None:
        """The file, if it is made."""
        return None if self.unplaced.get(key) is not None else self._path(key)

    async def stream(self, key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes | memoryview]:
        """Chunks of 256 kB; those in the page cache come without a hop to a thread."""
        waiting = self.unplaced.get(key)
        if waiting is not None:
            part = _part(key, waiting, offset, length)
            for start in range(0, len(part), _CHUNK):
                yield part[start : start + _CHUNK]
            return
        descriptor, end = await self._threads.run(lambda: self._open(key, offset, length))
        try:
            while offset < end:
                size = min(_CHUNK, end - offset)
                chunk = self._peeker.read(descriptor, offset, size)
                yield (
                    chunk
                    if chunk is not None
                    else await self._threads.run(partial(_read_all, descriptor, offset, size))
                )
                offset += size
        finally:
            os.close(descriptor)

    async def map(self, key: str) -> bytes | mmap.mmap:
        """The file as memory; blobs never change, so that it stays valid."""
        return await self._threads.run(lambda: self._map(key))

    async def size(self, key: str) -> int | None:
        """Length of the file."""
        waiting = self.unplaced.get(key)
        return len(waiting) if waiting is not None else await self._threads.run(lambda: _size(self._path(key)))

    async def remove(self, keys: Sequence[str]) -> None:
        """Unlink files; readers that have one open keep it."""
        try:
            await self._threads.run(lambda: self._remove(keys))
        except OSError as error:
            raise storage_failure(error, "removing a blob") from error

    async def keys(self) -> AsyncIterator[tuple[str, int, float]]:
        """All files that are named like blobs, folder by folder, so in the order of their keys."""
        if not await self._threads.run(self.unplaced.place_all):
            raise ServerError(Reason.OUT_OF_RESOURCES, "files of acknowledged instances cannot be made now")
        for outer in await self._threads.run(lambda: _folders(self._folder, 6)):
            for inner in await self._threads.run(partial(_folders, outer, 2)):
                for found in await self._threads.run(partial(_blobs, inner)):
                    yield found

    async def close(self) -> None:
        """Let the threads end."""
        self._threads.close()
        self._peeker.shut()

    def _path(self, key: str) -> Path:
        return self._folder / relative_path(key)

    def _choose_key(self, staged: Staged) -> str:
        try:
            self._reserve.require(staged.size)
        except OSError as error:
            raise storage_failure(error, "writing a blob") from error
        return self._keys.next()

    def _place(self, staged: Staged, key: str, direct: DirectFiles | None = None) -> None:
        path = self._path(key)
        try:
            put(staged, path, direct)
        except OSError as error:
            path.unlink(missing_ok=True)  # nothing half placed may stay
            raise storage_failure(error, "writing a blob") from error
        self._durability.note([path])

    def _remove(self, keys: Sequence[str]) -> None:
        self.unplaced.forget(keys)
        remove_files([self._path(key) for key in keys])

    def _open(self, key: str, offset: int, length: int | None) -> tuple[int, int]:
        """A descriptor and the offset at which to end."""
        try:
            descriptor = os.open(self._path(key), os.O_RDONLY)
        except FileNotFoundError:
            raise ServerError(Reason.STORAGE_DAMAGED, f"blob {key} is missing") from None
        except OSError as error:
            raise storage_failure(error, f"opening blob {key}") from error
        try:
            return descriptor, _end(key, os.fstat(descriptor).st_size, offset, length)
        except ServerError:
            os.close(descriptor)
            raise

    def _map(self, key: str) -> bytes | mmap.mmap:
        waiting = self.unplaced.get(key)
        if waiting is not None:
            return waiting
        descriptor, end = self._open(key, 0, None)
        try:
            return mmap.mmap(descriptor, end, access=mmap.ACCESS_READ) if end else b""
        finally:
            os.close(descriptor)

    def _read(self, key: str, offset: int, length: int | None) -> bytes:
        waiting = self.unplaced.get(key)
        if waiting is not None:
            return bytes(_part(key, waiting, offset, length))
        descriptor, end = self._open(key, offset, length)
        try:
            return _read_all(descriptor, offset, end - offset)
        finally:
            os.close(descriptor)


class FilePlacement:
    """Implements `ports.blobs.Placement`."""

    __slots__ = ("_choose", "_chosen", "_place", "_staged", "key")

    def __init__(self, staged: Staged, choose: Callable[[Staged], str], place: Callable[[Staged, str], None]) -> None:
        self.key = ""
        self._chosen = ""
        self._staged = staged
        self._choose = choose
        self._place = place

    @property
    def data(self) -> bytes | None:
        """What is in memory."""
        return self._staged.data

    def choose_key(self) -> str:
        """Choose once."""
        if not self._chosen:
            self._chosen = self._choose(self._staged)
        return self._chosen

    def place(self) -> str:
        """Write them once."""
        if not self.key:
            key = self.choose_key()
            self._place(self._staged, key)
            self.key = key
        return self.key


class KeySequence:
    """Keys like UUID version 7: milliseconds of the epoch, then chance; each is greater than the one before."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> str:
        """A key that nobody else has."""
        fresh = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10), "big")
        with self._lock:
            # In the same millisecond, or after the clock was set back: a step of chance after the last.
            self._last = fresh if fresh > self._last else self._last + 1 + (fresh & 0xFFFFFFFF)
            return f"{self._last:032x}"


def relative_path(key: str) -> str:
    """Where the blob of a key lies below the folder of blobs."""
    return f"{key[:6]}/{key[6:8]}/{key}.dcm"


def put(one: Staged, path: Path, direct: DirectFiles | None = None) -> None:
    """Make the file of a blob, which must not be there yet, and its folders; `direct`: thus, if it is large."""
    try:
        _put_into_folder(one, path, direct)
    except FileNotFoundError:
        for folder in (path.parent.parent, path.parent):
            folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        _put_into_folder(one, path, direct)


def _put_into_folder(one: Staged, path: Path, direct: DirectFiles | None) -> None:
    if one.path is not None:
        one.path.rename(path)
        return
    if direct is not None and one.size >= _DIRECT_FROM and direct.make(path, one.data or b""):
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    try:
        write_all(descriptor, one.data or b"")
    finally:
        os.close(descriptor)


def _end(key: str, size: int, offset: int, length: int | None) -> int:
    """Where a part of a blob of so many bytes ends, if it has that part."""
    end = size if length is None else offset + length
    if not offset <= end <= size:
        raise ServerError(Reason.STORAGE_DAMAGED, f"blob {key} has {size} bytes, not {max(end, offset)}")
    return end


def _part(key: str, data: bytes, offset: int, length: int | None) -> memoryview:
    return memoryview(data)[offset : _end(key, len(data), offset, length)]


def _read_all(descriptor: int, offset: int, length: int) -> bytes:
    try:
        data = os.pread(descriptor, length, offset)
        while len(data) < length:
            more = os.pread(descriptor, length - len(data), offset + len(data))
            if not more:
                raise ServerError(Reason.STORAGE_DAMAGED, "a blob became shorter while it was read")
            data += more
    except OSError as error:
        raise storage_failure(error, "reading a blob") from error
    return data


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _folders(folder: Path, digits: int) -> list[Path]:
    return sorted(path for path in folder.iterdir() if len(path.name) == digits and path.is_dir())


def _blobs(folder: Path) -> list[tuple[str, int, float]]:
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            key, dot, suffix = entry.name.partition(".")
            if len(key) == 32 and f"{dot}{suffix}" == ".dcm":
                status = entry.stat(follow_symlinks=False)
                found.append((key, status.st_size, status.st_mtime))
    return sorted(found)
