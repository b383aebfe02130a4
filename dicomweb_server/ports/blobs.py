"""Blobs: where the bytes of instances rest. Keys are ours, immutable, and never made from attributes."""

import mmap
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dicomweb_server.errors import ServerError


@dataclass(frozen=True, slots=True)
class Staged:
    """One instance received whole: in memory (`data`) if it was small, else in a file of the spool (`path`).

    Whoever has it passes it on (ingest takes it over), or calls `Blobs.discard`. `token`: what the blobs count it by.
    """

    size: int
    digest: bytes | None = None  # SHA-256 of all its bytes; None while in memory, where ingest computes it off the loop
    data: bytes | None = None
    path: Path | None = None
    token: int = 0


Make = Callable[[], Iterable[bytes | bytearray | memoryview]]
"""Makes the pieces of one instance, in a thread; ServerError if it cannot."""


def received_at(key: str) -> float:
    """When the blob of a key was placed, in seconds of the epoch: keys begin with it, in milliseconds."""
    return int(key[:12], 16) / 1000


class Placement(Protocol):
    """One staged instance on its way to a key of its own."""

    @property
    def key(self) -> str:
        """Where its bytes are; "" until they are written."""

    @property
    def data(self) -> bytes | None:
        """All of them, if they are in memory."""

    def choose_key(self) -> str:
        """Where they will be. Blocks, as `place` does; ServerError(OUT_OF_RESOURCES) where there is no room."""

    def place(self) -> str:
        """Write them, unless that was done, and tell the key. Blocks; for any thread, one at a time.

        They are durable only after `Index.add` has returned. ServerError(OUT_OF_RESOURCES) where there is no room.
        """


class StagingFile(Protocol):
    """A spool that takes the bytes of one instance as they arrive, hashing and counting them."""

    async def write(self, chunk: bytes | memoryview) -> None:
        """Take some more bytes. The buffer is not kept after the call returns."""

    async def finish(self) -> Staged:
        """The instance is whole."""

    async def discard(self) -> None:
        """Forget it and free what it holds; also after `finish`, unless ingest took it over. Safe to call twice."""


class Blobs(Protocol):
    """Immutable byte strings under keys."""

    def stage(self) -> StagingFile:
        """A new spool: memory up to a limit, a file beyond it."""

    def placement(self, staged: Staged) -> Placement:
        """How to write it under a new key; nothing is written yet. Whoever has placed it calls `release`."""

    async def stage_made(self, makes: Sequence[Make]) -> list[Staged | ServerError]:
        """Bytes that are made off the loop, each to a file of the spool at once; what a `Make` raised in its place.

        ServerError(OUT_OF_RESOURCES) where there is no room.
        """

    def release(self, staged: Sequence[Staged]) -> None:
        """These were placed: free the memory that they hold."""

    async def discard(self, staged: Sequence[Staged]) -> None:
        """Free what these hold, which were not placed. Safe to call twice."""

    async def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of a blob; ServerError(STORAGE_DAMAGED) if it is missing or too short."""

    def peek(self, key: str, offset: int, length: int) -> bytes | None:
        """The same without waiting: None where the bytes are not at hand (not in the page cache, or remote)."""

    def local_path(self, key: str) -> Path | None:
        """Where other processes of this machine can read a blob; None if they cannot."""

    def stream(self, key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes | memoryview]:
        """The same in chunks of bounded size."""

    async def map(self, key: str) -> bytes | mmap.mmap:
        """A whole blob as a buffer to parse, in memory only as far as it is read; STORAGE_DAMAGED if it is missing."""

    async def size(self, key: str) -> int | None:
        """Length of a blob, None if there is none."""

    async def remove(self, keys: Sequence[str]) -> None:
        """Delete blobs; those that do not exist are no error."""

    def keys(self) -> AsyncIterator[tuple[str, int, float]]:
        """All (key, size, modification time in seconds of the epoch), by key, for `check`, `reindex` and the sweep."""

    async def close(self) -> None:
        """Finish what is under way and close."""
