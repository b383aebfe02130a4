"""DerivedFiles: thumbnails and the like in a folder of bounded size; the ones not asked for the longest go first.

Nothing is synced: a file that a power cut left half written is known by its checksum, and made again. What is made in
a short while is written together, since a trip to the thread costs as much as a small file.
"""

import asyncio
import contextlib
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path

from dicomweb_server.storage.data_folder import PRIVATE_FILE, PRIVATE_FOLDER
from dicomweb_server.storage.spool import write_all
from dicomweb_server.storage.threads import Threads

_CHECKSUM = 4
_KEPT_AFTER_EVICTION = 0.8
_DELAY = 1.0  # seconds that something waits for others to be written with it
_ENOUGH_UNWRITTEN = 4 << 20  # bytes that nothing waits for any more
_MOST_UNWRITTEN = 32 << 20
_MOST_AT_ONCE, _ENOUGH_AT_ONCE = 64, 1 << 20  # files and bytes; who asks for one meanwhile waits until they are written
_LEAST_FREE = 1 << 28  # of the disk; what can be made again must not be what fills it
_FILTER_SIZE = 1 << 20

_Name = tuple[str, str]  # the key of a blob, and the variant


class DerivedFiles:
    """A `ports.derived.Derived` on a folder."""

    def __init__(self, folder: Path, limit: int, delay: float = _DELAY) -> None:
        """`limit`: bytes of all files; 0 keeps nothing. `delay`: seconds before something is written."""
        self._folder = folder
        self._limit = limit
        self._delay = delay
        self._size = 0
        self._unwritten: dict[_Name, bytes] = {}
        self._unwritten_size = 0  # of these, and of what is being written
        self._timer: asyncio.TimerHandle | None = None
        self._written: asyncio.Future[None] | None = None  # what is being written
        self._names = _NameFilter()
        self._survey: asyncio.Task[None] | None = None
        self._threads = Threads(1, "derived")

    async def get(self, key: str, variant: str) -> bytes | None:
        """Its bytes, which thereby are wanted again."""
        if not self._limit:
            return None
        self._begin_survey()
        there = self._unwritten.get((key, variant))
        if there is not None:
            return there
        name = _file_name(key, variant)
        return await self._threads.run(lambda: self._get(self._path(name))) if name in self._names else None

    async def put(self, key: str, variant: str, data: bytes) -> None:
        """Write it soon, and make room if that is needed; wait for that only where much is to be written.

        Who asks for it, or removes it, comes after that.
        """
        if not 0 < 4 * len(data) <= self._limit:
            return
        self._begin_survey()
        self._unwritten_size += len(data) - len(self._unwritten.pop((key, variant), b""))
        self._unwritten[key, variant] = data
        self._names.add(_file_name(key, variant))
        if self._unwritten_size >= _ENOUGH_UNWRITTEN:
            self._begin_writing()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._delay, self._begin_writing)
        while self._unwritten_size > _MOST_UNWRITTEN and self._written is not None:
            await asyncio.wait([self._written])

    async def remove(self, keys: Sequence[str]) -> None:
        """Unlink the files of blobs."""
        gone = frozenset(keys)
        for name in [name for name in self._unwritten if name[0] in gone]:
            self._unwritten_size -= len(self._unwritten.pop(name))
        for key in keys if self._limit else ():
            await self._threads.run(partial(self._remove, key))

    async def close(self) -> None:
        """Write what is not yet written, and let the thread end."""
        if self._survey is not None:
            self._survey.cancel()
            await asyncio.wait([self._survey])
        self._begin_writing()
        while self._written is not None:
            await asyncio.wait([self._written])
        self._threads.close()

    def _begin_writing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._written is not None or not self._unwritten:
            return
        batch: dict[_Name, bytes] = {}
        size = 0
        while self._unwritten and len(batch) < _MOST_AT_ONCE and size < _ENOUGH_AT_ONCE:
            name = next(iter(self._unwritten))
            batch[name] = self._unwritten.pop(name)
            size += len(batch[name])
        self._written = self._threads.begun(lambda: self._put(batch))
        self._written.add_done_callback(lambda _: self._has_written(size))

    def _has_written(self, size: int) -> None:
        self._written = None
        self._unwritten_size -= size
        self._begin_writing()

    def _begin_survey(self) -> None:
        """Look once what there is; until that is known, each name is looked for in the folder."""
        if self._survey is None:
            self._survey = asyncio.create_task(self._look_around())

    async def _look_around(self) -> None:
        for bucket in await self._threads.run(self._buckets):  # one at a time: others have business with the thread
            await self._threads.run(partial(self._look_into, bucket))
        self._names.is_complete = True

    def _buckets(self) -> list[str]:
        try:
            return [entry.path for entry in os.scandir(self._folder)]
        except OSError:
            return []

    def _look_into(self, bucket: str) -> None:
        with contextlib.suppress(OSError):
            for _, size, path in _files_in(bucket):
                self._size += size
                self._names.add(path.name)

    def _path(self, name: str) -> Path:
        return self._bucket(name.partition(".")[0]) / name

    def _bucket(self, key: str) -> Path:
        return self._folder / sha256(key.encode()).hexdigest()[:2]

    def _get(self, path: Path) -> bytes | None:
        try:
            content = path.read_bytes()
            if zlib.crc32(content[_CHECKSUM:]).to_bytes(_CHECKSUM, "little") != content[:_CHECKSUM]:
                path.unlink()
                return None
            os.utime(path)
        except OSError:
            return None
        return content[_CHECKSUM:]

    def _put(self, batch: Mapping[_Name, bytes]) -> None:
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            if shutil.disk_usage(self._folder).free < _LEAST_FREE:
                return
            for name, data in batch.items():
                _write(self._path(_file_name(*name)), zlib.crc32(data).to_bytes(_CHECKSUM, "little") + data)
                self._size += len(data) + _CHECKSUM
                if self._size > self._limit:
                    self._evict()

    def _evict(self) -> None:
        files = sorted(self._files())
        self._size = sum(size for _, size, _ in files)
        for _, size, path in files:
            if self._size <= _KEPT_AFTER_EVICTION * self._limit:
                break
            with contextlib.suppress(OSError):
                path.unlink()
            self._size -= size

    def _remove(self, key: str) -> None:
        with contextlib.suppress(OSError), os.scandir(self._bucket(key)) as entries:
            for entry in entries:
                if entry.name.startswith(key + "."):
                    os.unlink(entry.path)

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """(last use, size, path) of all."""
        with contextlib.suppress(OSError):
            for bucket in self._buckets():
                yield from _files_in(bucket)


class _NameFilter:
    """Which names of files there may be: few of those that are absent are taken for present. It never shrinks.

    Two threads that add at once may lose a name, which is then made again.
    """

    def __init__(self) -> None:
        self._bits = bytearray(_FILTER_SIZE)
        self.is_complete = False

    def add(self, name: str) -> None:
        place, bit = divmod(zlib.crc32(name.encode()) % (8 * _FILTER_SIZE), 8)
        self._bits[place] |= 1 << bit

    def __contains__(self, name: str) -> bool:
        place, bit = divmod(zlib.crc32(name.encode()) % (8 * _FILTER_SIZE), 8)
        return not self.is_complete or bool(self._bits[place] >> bit & 1)


def _file_name(key: str, variant: str) -> str:
    return f"{key}.{_digest(variant)}"


@lru_cache(maxsize=256)
def _digest(variant: str) -> str:
    return sha256(variant.encode()).hexdigest()[:24]


def _write(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    try:
        descriptor = os.open(path, flags, PRIVATE_FILE)
    except FileNotFoundError:
        path.parent.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        descriptor = os.open(path, flags, PRIVATE_FILE)
    try:
        write_all(descriptor, content)
    finally:
        os.close(descriptor)


def _files_in(bucket: str) -> Iterator[tuple[float, int, Path]]:
    with os.scandir(bucket) as entries:
        for entry in entries:
            status = entry.stat()
            yield status.st_mtime, status.st_size, Path(entry.path)
