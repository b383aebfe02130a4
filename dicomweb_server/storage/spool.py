"""Spool: takes the bytes of instances as they arrive; small ones stay in memory, large ones go to a file at once."""

import hashlib
import os
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from dicomweb_server.errors import ServerError
from dicomweb_server.ports.blobs import Make, Staged
from dicomweb_server.storage.data_folder import PRIVATE_FILE
from dicomweb_server.storage.failure import storage_failure
from dicomweb_server.storage.reserve import Reserve
from dicomweb_server.storage.threads import Threads

_IN_MEMORY = 1024 * 1024  # the largest instance that stays in memory
_FLUSH = 1024 * 1024  # one hop to a thread for so many bytes


class Spool:
    """What is on its way in, and how much memory it may take altogether."""

    def __init__(self, folder: Path, threads: Threads, memory_budget: int, reserve: Reserve) -> None:
        """Files lie in `folder`, which is on the file system of the blobs."""
        self._folder = folder
        self._threads = threads
        self._free = memory_budget
        self._reserve = reserve
        self._held: dict[int, int] = {}  # bytes of memory by token
        self._tokens = count(1)

    def stage(self) -> "SpoolFile":
        """A place for one instance."""
        return SpoolFile(self, next(self._tokens))

    def charge(self, token: int, size: int) -> bool:
        """Take memory for so many more bytes; False where there is none left."""
        if size > self._free:
            return False
        self._free -= size
        self._held[token] = self._held.get(token, 0) + size
        return True

    def release(self, token: int) -> None:
        """Give the memory back; no error if that was done."""
        self._free += self._held.pop(token, 0)

    def path(self, token: int) -> Path:
        """The file of an instance that does not stay in memory."""
        return self._folder / f"{token:016x}.part"

    async def append(self, path: Path, chunks: Sequence[bytes], digest: "hashlib._Hash") -> None:
        """Write and hash in a thread."""
        try:
            await self._threads.run(lambda: self._append(path, chunks, digest))
        except OSError as error:
            raise storage_failure(error, "writing to the spool") from error

    def _append(self, path: Path, chunks: Sequence[bytes], digest: "hashlib._Hash") -> None:
        self._reserve.require(sum(map(len, chunks)))
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE_FILE)
        try:
            for chunk in chunks:
                digest.update(chunk)
                write_all(descriptor, chunk)
        finally:
            os.close(descriptor)

    async def make(self, makes: Sequence[Make]) -> list[Staged | ServerError]:
        """Write what each makes to a file, in one hop; what it raised in its place."""
        try:
            return await self._threads.run(lambda: self._make(makes))
        except OSError as error:
            raise storage_failure(error, "writing to the spool") from error

    def _make(self, makes: Sequence[Make]) -> list[Staged | ServerError]:
        self._reserve.require()
        made: list[Staged | ServerError] = []
        try:
            for make in makes:
                made += [self._made(make)]
        except BaseException:
            remove_files([one.path for one in made if isinstance(one, Staged) and one.path is not None])
            raise
        return made

    def _made(self, make: Make) -> Staged | ServerError:
        token = next(self._tokens)
        path = self.path(token)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        digest, size = hashlib.sha256(), 0
        try:
            for piece in make():
                write_all(descriptor, piece)
                digest.update(piece)
                size += len(piece)
        except ServerError as error:
            path.unlink()
            return error
        except BaseException:
            path.unlink()
            raise
        finally:
            os.close(descriptor)
        return Staged(size=size, digest=digest.digest(), path=path, token=token)

    async def remove(self, paths: Sequence[Path]) -> None:
        """Delete files of the spool; those that are gone are no error."""
        if paths:
            await self._threads.run(lambda: remove_files(paths))


class SpoolFile:
    """Implements `ports.blobs.StagingFile`."""

    def __init__(self, spool: Spool, token: int) -> None:
        """Made by `Spool.stage`."""
        self._spool = spool
        self._token = token
        # Put together at the end: a BytesIO copies less, but grows by moving what it has, and takes five times as long.
        self._chunks: list[bytes] = []
        self._size = 0
        self._pending = 0  # bytes in _chunks
        self._digest: hashlib._Hash | None = None  # once there is a file
        self._failure: ServerError | None = None

    async def write(self, chunk: bytes | memoryview) -> None:
        """Take some more bytes."""
        length = len(chunk)
        self._chunks.append(bytes(chunk))  # what is bytes already is not copied
        self._size += length
        self._pending += length
        if self._digest is not None:
            if self._pending >= _FLUSH:
                await self._flush(self._digest)
        elif self._size > _IN_MEMORY or not self._spool.charge(self._token, length):
            self._digest = hashlib.sha256()
            await self._flush(self._digest)
            self._spool.release(self._token)

    async def finish(self) -> Staged:
        """The instance is whole."""
        if self._digest is None:
            data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
            self._chunks.clear()
            return Staged(size=self._size, data=data, token=self._token)
        await self._flush(self._digest)
        path = self._spool.path(self._token)
        return Staged(size=self._size, digest=self._digest.digest(), path=path, token=self._token)

    async def discard(self) -> None:
        """Forget it."""
        self._chunks.clear()
        self._spool.release(self._token)
        if self._digest is not None:
            await self._spool.remove([self._spool.path(self._token)])

    async def _flush(self, digest: "hashlib._Hash") -> None:
        if self._failure is not None:
            raise self._failure
        chunks, self._chunks, self._pending = self._chunks, [], 0
        try:
            await self._spool.append(self._spool.path(self._token), chunks, digest)
        except ServerError as error:
            self._failure = error
            await self.discard()
            raise


def remove_files(paths: Sequence[Path]) -> None:
    """Delete files; those that are gone are no error."""
    for path in paths:
        path.unlink(missing_ok=True)


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write the whole, however little the system takes at a time."""
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])
