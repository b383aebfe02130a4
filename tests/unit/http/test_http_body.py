"""Bodies of requests: bounded, inflated in steps, and clear about a client that goes away."""

import gzip
import os
from collections.abc import Sequence

import pytest

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.body import DisconnectedError, chunks


async def read(pieces: Sequence[bytes | None], limit: int = 1000, **headers: str) -> list[bytes]:
    """The chunks of a body that comes in these pieces; None is a client that goes away."""
    messages: list[dict[str, object]] = [
        {"type": "http.disconnect"}
        if piece is None
        else {"type": "http.request", "body": piece, "more_body": position < len(pieces) - 1}
        for position, piece in enumerate(pieces)
    ]

    async def receive() -> dict[str, object]:
        return messages.pop(0)

    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return [chunk async for chunk in chunks({"headers": fields}, receive, limit)]


async def test_chunks_come_as_they_arrive() -> None:
    assert await read([b"ab", b"", b"c"]) == [b"ab", b"c"]
    assert await read([b""]) == []


async def test_a_client_that_goes_away() -> None:
    with pytest.raises(DisconnectedError):
        await read([b"ab", None])


@pytest.mark.parametrize(
    ("pieces", "headers"),
    [([b"x" * 600, b"x" * 600], {}), ([b"x"], {"content_length": "1001"}), ([b"x"], {"content_length": "9" * 30})],
)
async def test_a_body_over_the_limit(pieces: list[bytes], headers: dict[str, str]) -> None:
    with pytest.raises(ServerError) as caught:
        await read(pieces, 1000, **headers)
    assert caught.value.reason is Reason.TOO_LARGE


async def test_a_length_that_is_none_is_ignored() -> None:
    assert await read([b"x"], content_length="many") == [b"x"]


@pytest.mark.parametrize("size", [1, 10, 10_000])
async def test_gzip(size: int) -> None:
    body = os.urandom(500)
    packed = gzip.compress(body)
    pieces = [packed[start : start + size] for start in range(0, len(packed), size)]
    assert b"".join(await read(pieces, content_encoding="gzip")) == body


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (b"not gzip", Reason.BAD_REQUEST),
        (gzip.compress(b"x" * 500)[:-9], Reason.BAD_REQUEST),
        (b"", Reason.BAD_REQUEST),
        (gzip.compress(bytes(10_000_000)), Reason.TOO_LARGE),
    ],
)
async def test_gzip_that_is_broken_or_a_bomb(packed: bytes, reason: Reason) -> None:
    with pytest.raises(ServerError) as caught:
        await read([packed], content_encoding="x-gzip")
    assert caught.value.reason is reason


async def test_another_coding() -> None:
    with pytest.raises(ServerError) as caught:
        await read([b"x"], content_encoding="br, gzip")
    assert caught.value.reason is Reason.UNSUPPORTED_MEDIA_TYPE
