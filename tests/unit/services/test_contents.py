"""Contents: their parts, and the reading of many ahead."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services import contents
from dicomweb_server.services.contents import Content, ContentReader, at_hand, stored

BLOB = bytes(range(256)) * 4


class MemoryBlobs:
    """One blob; nothing is at hand unless `warm`."""

    def __init__(self, *, warm: bool) -> None:
        self.warm = warm
        self.reads = 0

    def peek(self, key: str, offset: int, length: int) -> bytes | None:
        return BLOB[offset : offset + length] if self.warm else None

    async def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        self.reads += 1
        await asyncio.sleep(0)
        if key == "lost":
            raise ServerError(Reason.STORAGE_DAMAGED, "the blob is missing")
        return BLOB[offset : None if length is None else offset + length]

    async def stream(self, key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        whole = await self.read(key, offset, length)
        for start in range(0, len(whole), 100):
            yield whole[start : start + 100]


class Growing:
    """What is made while it is read."""

    size = 30

    def __iter__(self) -> Iterator[bytes]:
        for letter in (b"a", b"b", b"c"):
            yield letter * 10


def reader(*, warm: bool = True) -> ContentReader:
    return ContentReader(MemoryBlobs(warm=warm))  # type: ignore[arg-type]


@pytest.mark.parametrize("warm", [True, False])
async def test_reads_spans_in_their_order(warm: bool) -> None:
    content = stored("key", ((10, 5), (0, 3)))
    assert content.size == 8
    assert await reader(warm=warm).read(content) == BLOB[10:15] + BLOB[:3]


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [
        (0, 8, BLOB[10:15] + BLOB[:3]),
        (0, 5, BLOB[10:15]),
        (5, 3, BLOB[:3]),
        (4, 2, BLOB[14:15] + BLOB[:1]),
        (2, 1, BLOB[12:13]),
    ],
)
async def test_a_part_of_spans(offset: int, length: int, expected: bytes) -> None:
    part = stored("key", ((10, 5), (0, 3))).part(offset, length)
    assert (part.size, await reader().read(part)) == (length, expected)


async def test_what_is_made() -> None:
    whole = at_hand(b"0123456789")
    assert await reader().read(whole.part(3, 4)) == b"3456"
    growing = at_hand(Growing())
    assert growing.size == 30
    assert await reader().read(growing) == b"a" * 10 + b"b" * 10 + b"c" * 10
    assert await reader().read(growing.part(9, 2)) == b"ab"


@given(st.integers(0, 30), st.integers(0, 30))
async def test_a_part_of_what_is_made_is_made_in_pieces(first: int, second: int) -> None:
    offset, end = sorted((first, second))
    made = await at_hand(Growing()).part(offset, end - offset).make()  # type: ignore[misc]
    assert not isinstance(made, bytes)
    pieces = list(made)
    assert b"".join(pieces) == b"".join(Growing())[offset:end]
    assert all(0 < len(piece) <= 10 for piece in pieces)


async def test_a_guessed_size_is_settled() -> None:
    async def make() -> Any:
        return Growing()

    settled = await reader().settled(Content(7, make=make, exact=False))
    assert (settled.size, settled.exact) == (30, True)
    assert await reader().settled(settled) is settled


async def test_large_contents_are_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "WHOLE_SIZE", 20)
    assert [bytes(piece) async for piece in reader().stream(stored("key", ((0, 250),)))] == [
        BLOB[:100], BLOB[100:200], BLOB[200:250],
    ]  # fmt: skip
    assert [bytes(piece) async for piece in reader().stream(at_hand(Growing()))] == [b"a" * 10, b"b" * 10, b"c" * 10]
    large = at_hand(Growing()).part(5, 22)
    assert [bytes(piece) async for piece in reader().stream(large)] == [b"a" * 5, b"b" * 10, b"c" * 7]
    assert [bytes(piece) async for piece in reader().stream(at_hand(bytes(50)))] == [bytes(50)]


@pytest.mark.parametrize("warm", [True, False])
async def test_many_come_in_their_order(warm: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "WHOLE_SIZE", 400)
    monkeypatch.setattr(contents, "_AHEAD_COUNT", 3)
    monkeypatch.setattr(contents, "_GATHERED_SIZE", 300)
    items: list[bytes | Content] = []
    expected = b""
    for size in (1, 10, 399, 400, 401, 1000, 5, 5, 350, 2):
        items += [b"<%d>" % size, stored("key", ((3, size),)), at_hand(b"made")]
        expected += b"<%d>" % size + BLOB[3 : 3 + size] + b"made"
    pieces = [bytes(piece) async for piece in reader(warm=warm).stream_all(items)]
    assert b"".join(pieces) == expected
    assert len(pieces) < len(items)


async def test_a_lost_blob_is_told_when_its_turn_comes() -> None:
    items: list[bytes | Content] = [b"x" * 300_000, stored("lost", ((0, 1),)), stored("key", ((0, 1),))]
    stream = reader(warm=False).stream_all(items)
    assert await anext(stream) == b"x" * 300_000
    with pytest.raises(ServerError, match="missing"):
        await anext(stream)


async def test_nothing_is_given_before_the_first_content_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "WHOLE_SIZE", 20)
    with pytest.raises(ServerError, match="missing"):
        await anext(reader(warm=False).stream_all([b"head", stored("lost", ((0, 100),))]))


async def test_what_is_read_ahead_ends_with_the_reader() -> None:
    stream = reader(warm=False).stream_all([stored("key", ((0, 10),)) for _ in range(50)])
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1
