"""Content: bytes to be sent, told by where they lie in a blob: sizes and ranges are known before any is read."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from dicomweb_server.ports.blobs import Blobs

Span = tuple[int, int]  # (offset, length) in a blob
Buffer = bytes | memoryview

# A content up to this size is read whole; a larger one in steps.
WHOLE_SIZE = 4 << 20
# How much is read ahead of what is being sent.
_AHEAD_SIZE = 8 << 20
_AHEAD_COUNT = 64
# Small pieces are put together up to this size: each one that is sent costs more than its copy.
_GATHERED_SIZE = 256 << 10


class Made(Protocol):
    """Bytes that are made while they are read, such as a `Reencoded` file."""

    @property
    def size(self) -> int:
        """How many there will be."""

    def __iter__(self) -> Iterator[bytes | bytearray]:
        """The bytes in pieces of bounded size."""


@dataclass(frozen=True, slots=True)
class _Part:
    """`size` bytes of what is made, from `offset` on; those before are made in vain."""

    whole: Made
    offset: int
    size: int

    def __iter__(self) -> Iterator[bytes | bytearray]:
        skipped, left = self.offset, self.size
        for piece in self.whole:
            wanted = piece[skipped : skipped + left]
            skipped = max(0, skipped - len(piece))
            left -= len(wanted)
            if wanted:
                yield wanted
            if not left:
                return


Make = Callable[[], Awaitable[bytes | Made]]


@dataclass(frozen=True, slots=True)
class Content:
    """`size` bytes: the spans of the blob `key` one after the other, or what `make` gives when they are wanted.

    `exact` False: the size is a guess, and only what `make` gives tells.
    """

    size: int
    key: str = ""
    spans: tuple[Span, ...] = ()
    make: Make | None = None
    exact: bool = True

    def part(self, offset: int, length: int) -> "Content":
        """`length` bytes from `offset` on, both inside of the content."""
        make = self.make
        if make is not None:

            async def cut() -> bytes | Made:
                made = await make()
                return made[offset : offset + length] if isinstance(made, bytes) else _Part(made, offset, length)

            return Content(length, make=cut)
        spans: list[Span] = []
        wanted = length
        for start, size in self.spans:
            if offset >= size:
                offset -= size
                continue
            taken = min(size - offset, wanted)
            if taken > 0:
                spans.append((start + offset, taken))
            offset, wanted = 0, wanted - taken
        return Content(length, self.key, tuple(spans))


def at_hand(made: bytes | Made) -> Content:
    """Content that needs no more waiting."""

    async def make() -> bytes | Made:
        return made

    return Content(len(made) if isinstance(made, bytes) else made.size, make=make)


def stored(key: str, spans: Sequence[Span]) -> Content:
    """Content that is stored as it is to be sent."""
    return Content(sum([length for _, length in spans]), key, tuple(spans))


class ContentReader:
    """Reads contents from blobs, without waiting where it can."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def peek(self, content: Content) -> bytes | None:
        """The bytes, if they can be had without waiting."""
        if content.make is not None:
            return None
        if len(content.spans) == 1:
            offset, length = content.spans[0]
            return self._blobs.peek(content.key, offset, length)
        pieces: list[bytes] = []
        for offset, length in content.spans:
            piece = self._blobs.peek(content.key, offset, length)
            if piece is None:
                return None
            pieces.append(piece)
        return b"".join(pieces)

    async def settled(self, content: Content) -> Content:
        """The same content with its exact size."""
        return content if content.exact or content.make is None else at_hand(await content.make())

    async def read(self, content: Content) -> bytes:
        """The bytes of a content that is not large."""
        if content.make is not None:
            made = await content.make()
            return made if isinstance(made, bytes) else await asyncio.to_thread(_joined, made)
        there = self.peek(content)
        if there is not None:
            return there
        pieces = [await self._blobs.read(content.key, offset, length) for offset, length in content.spans]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def stream(self, content: Content) -> AsyncIterator[Buffer]:
        """The bytes of a content of any size, in pieces of bounded size."""
        if content.size <= WHOLE_SIZE:
            yield await self.read(content)
            return
        if content.make is not None:
            async for piece in _steps(await content.make()):
                yield piece
            return
        for offset, length in content.spans:
            async for piece in self._blobs.stream(content.key, offset, length):
                yield piece

    async def stream_all(self, items: Iterable[bytes | Content]) -> AsyncIterator[Buffer]:
        """Bytes as they are and contents, in their order; the next ones are read while one is being sent.

        Nothing is given before the first content, or the beginning of a large one, could be read.
        """
        gathered: list[Buffer] = []
        size = 0
        async for piece in self._pieces(items):
            if len(piece) < _GATHERED_SIZE:
                gathered.append(piece)
                size += len(piece)
                if size < _GATHERED_SIZE:
                    continue
            if gathered:
                yield b"".join(gathered)
                gathered, size = [], 0
            if len(piece) >= _GATHERED_SIZE:
                yield piece
        if gathered:
            yield b"".join(gathered)

    async def _pieces(self, items: Iterable[bytes | Content]) -> AsyncIterator[Buffer]:
        async for item in self.read_ahead(items):
            if isinstance(item, Content):
                async for piece in self.stream(item):
                    yield piece
            else:
                yield item

    async def read_ahead(self, items: Iterable[bytes | Content]) -> AsyncIterator[bytes | Content]:
        """Each item, contents as their bytes unless they are large; the next ones are read meanwhile."""
        waiting: deque[tuple[int, bytes | Content | asyncio.Task[bytes]]] = deque()
        ahead = 0
        warm = True
        try:
            for item in items:
                if warm:
                    # Bytes that are at hand are best read just before they are sent, while they are in the processor.
                    ready = self._at_once(item)
                    if ready is not None:
                        yield ready
                        continue
                    warm = False
                waiting.append(self._started(item))
                ahead += waiting[-1][0]
                while ahead > _AHEAD_SIZE or len(waiting) > _AHEAD_COUNT:
                    size, first = waiting.popleft()
                    ahead -= size
                    yield await self._finished(first)
            while waiting:
                yield await self._finished(waiting.popleft()[1])
        finally:
            for _, rest in waiting:
                if isinstance(rest, asyncio.Task):
                    rest.cancel()

    def _at_once(self, item: bytes | Content) -> bytes | Content | None:
        """What a reader gets of an item, None if that needs waiting."""
        if isinstance(item, bytes):
            return item
        if item.size <= WHOLE_SIZE:
            return self.peek(item)
        return item

    def _started(self, item: bytes | Content) -> tuple[int, bytes | Content | asyncio.Task[bytes]]:
        if isinstance(item, bytes):
            return len(item), item
        if item.size > WHOLE_SIZE:
            return 0, item
        return item.size, asyncio.create_task(self.read(item))

    async def _finished(self, item: bytes | Content | asyncio.Task[bytes]) -> bytes | Content:
        if isinstance(item, asyncio.Task):
            return await item
        return item


def _joined(made: bytes | Made) -> bytes:
    return made if isinstance(made, bytes) else b"".join(made)


async def _steps(made: bytes | Made) -> AsyncIterator[Buffer]:
    if isinstance(made, bytes):
        yield made
        return
    pieces = iter(made)
    # Making a piece takes milliseconds: other requests must not wait for it.
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield bytes(piece)
