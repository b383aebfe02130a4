"""DerivedFiles: thumbnails and the like in a folder of bounded size; the ones not asked for the longest go first.

Nothing is synced: a file that a power cut left half written is known by its checksum, and made again.
"""

import contextlib
import os
import shutil
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

from dicomweb_server.storage.data_folder import PRIVATE_FILE, PRIVATE_FOLDER
from dicomweb_server.storage.threads import Threads

_CHECKSUM = 4
_KEPT_AFTER_EVICTION = 0.8
_MOST_UNWRITTEN = 32 << 20
_LEAST_FREE = 1 << 28  # of the disk; what can be made again must not be what fills it


class DerivedFiles:
    """A `ports.derived.Derived` on a folder."""

    def __init__(self, folder: Path, limit: int) -> None:
        """`limit`: bytes of all files; 0 keeps nothing."""
        self._folder = folder
        self._limit = limit
        self._size = -1  # not known before the first file is written
        self._unwritten = 0  # bytes on their way to the disk
        self._threads = Threads(1, "derived")

    async def get(self, key: str, variant: str) -> bytes | None:
        """Its bytes, which thereby are wanted again."""
        return await self._threads.run(lambda: self._get(self._path(key, variant))) if self._limit else None

    async def put(self, key: str, variant: str, data: bytes) -> None:
        """Begin to write it, and make room if that is needed; wait for that only where much is to be written.

        Who asks for it, or removes it, comes after that.
        """
        if not 0 < 4 * len(data) <= self._limit:
            return
        self._unwritten += len(data)
        written = self._threads.begun(lambda: self._put(self._path(key, variant), data))
        written.add_done_callback(lambda _: self._has_written(len(data)))
        if self._unwritten > _MOST_UNWRITTEN:
            await written

    def _has_written(self, size: int) -> None:
        self._unwritten -= size

    async def remove(self, keys: Sequence[str]) -> None:
        """Unlink the files of blobs."""
        for key in keys if self._limit else ():
            await self._threads.run(partial(self._remove, key))

    async def close(self) -> None:
        """Let the thread end."""
        self._threads.close()

    def _path(self, key: str, variant: str) -> Path:
        return self._bucket(key) / f"{key}.{sha256(variant.encode()).hexdigest()[:24]}"

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

    def _put(self, path: Path, data: bytes) -> None:
        with contextlib.suppress(OSError):
            if self._size < 0:
                self._size = sum(size for _, size, _ in self._files())
            self._folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            if shutil.disk_usage(self._folder).free < _LEAST_FREE:
                return
            path.parent.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            temporary = path.with_suffix(".new")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
            with open(descriptor, "wb") as file:
                file.write(zlib.crc32(data).to_bytes(_CHECKSUM, "little") + data)
            temporary.rename(path)
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
        with contextlib.suppress(OSError):
            for entry in os.scandir(self._bucket(key)):
                if entry.name.startswith(key + "."):
                    os.unlink(entry.path)

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """(last use, size, path) of all."""
        with contextlib.suppress(FileNotFoundError):
            for bucket in os.scandir(self._folder):
                for entry in os.scandir(bucket.path):
                    status = entry.stat()
                    yield status.st_mtime, status.st_size, Path(entry.path)
