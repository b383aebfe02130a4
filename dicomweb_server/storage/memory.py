"""Blobs in memory and a store that leaves nothing behind: for tests and for `serve --ephemeral`.

The index of an ephemeral store is the one on SQLite, in a temporary folder: a second implementation would be another
set of answers to every search.
"""

import hashlib
import mmap
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.blobs import Make, Staged
from dicomweb_server.storage.blobs_filesystem import FilePlacement, KeySequence
from dicomweb_server.storage.durability import SyncMode
from dicomweb_server.storage.store import Store, StoreOptions

_CHUNK = 256 * 1024


class EphemeralStore(Store):
    """A store in a temporary folder, removed when it is closed."""

    def __init__(self, options: StoreOptions | None = None) -> None:
        """Nothing is synced to disk: it would not outlive the process anyway."""
        self._temporary = tempfile.TemporaryDirectory(prefix="dicomweb-server-")
        try:
            super().__init__(Path(self._temporary.name), replace(options or StoreOptions(), sync=SyncMode.OFF))
        except BaseException:
            self._temporary.cleanup()
            raise

    async def close(self) -> None:
        """Close and remove it."""
        await super().close()
        self._temporary.cleanup()


class MemoryStagingFile:
    """Implements `ports.blobs.StagingFile`."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    async def write(self, chunk: bytes | memoryview) -> None:
        """Take some more bytes."""
        self._chunks.append(bytes(chunk))

    async def finish(self) -> Staged:
        """The instance is whole."""
        data = b"".join(self._chunks)
        return Staged(size=len(data), digest=hashlib.sha256(data).digest(), data=data)

    async def discard(self) -> None:
        """Forget it."""
        self._chunks.clear()


class MemoryBlobs:
    """Implements `ports.blobs.Blobs`; `content` is open to tests, which may damage it."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self._times: dict[str, float] = {}
        self._keys = KeySequence()

    def stage(self) -> MemoryStagingFile:
        """A list of chunks."""
        return MemoryStagingFile()

    def placement(self, staged: Staged) -> FilePlacement:
        """Keeps the bytes under a new key."""
        return FilePlacement(staged, lambda _: self._keys.next(), self._place)

    def _place(self, staged: Staged, key: str) -> None:
        self.content[key] = staged.data if staged.data is not None else _moved(staged)
        self._times[key] = time.time()

    def release(self, staged: Sequence[Staged]) -> None:
        """Nothing is held."""

    async def stage_made(self, makes: Sequence[Make]) -> list[Staged | ServerError]:
        """Joined."""
        made: list[Staged | ServerError] = []
        for make in makes:
            try:
                data = b"".join(make())
                made.append(Staged(size=len(data), digest=hashlib.sha256(data).digest(), data=data))
            except ServerError as error:
                made.append(error)
        return made

    async def discard(self, staged: Sequence[Staged]) -> None:
        """Nothing is held."""

    async def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of a blob."""
        data = self.content.get(key)
        if data is None:
            raise ServerError(Reason.STORAGE_DAMAGED, f"blob {key} is missing")
        end = len(data) if length is None else offset + length
        if not offset <= end <= len(data):
            raise ServerError(Reason.STORAGE_DAMAGED, f"blob {key} has {len(data)} bytes, not {max(end, offset)}")
        return data[offset:end]

    def local_path(self, _key: str) -> None:
        """Nobody else sees this memory."""
        return

    def peek(self, key: str, offset: int, length: int) -> bytes | None:
        """The same; None if the blob is missing or too short."""
        found = self.content.get(key, b"")[offset : offset + length]
        return found if len(found) == length and length else None

    async def stream(self, key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes | memoryview]:
        """Chunks of 256 kB."""
        data = await self.read(key, offset, length)
        for start in range(0, len(data), _CHUNK):
            yield data[start : start + _CHUNK]

    async def map(self, key: str) -> bytes | mmap.mmap:
        """All bytes of a blob."""
        return await self.read(key)

    async def size(self, key: str) -> int | None:
        """Length of a blob."""
        return len(self.content[key]) if key in self.content else None

    async def remove(self, keys: Sequence[str]) -> None:
        """Forget blobs."""
        for key in keys:
            self.content.pop(key, None)

    async def keys(self) -> AsyncIterator[tuple[str, int, float]]:
        """All that are held, in order."""
        for key in sorted(self.content):
            yield key, len(self.content[key]), self._times[key]

    async def close(self) -> None:
        """Nothing to end."""


def _moved(staged: Staged) -> bytes:
    assert staged.path is not None
    data = staged.path.read_bytes()
    staged.path.unlink()
    return data
