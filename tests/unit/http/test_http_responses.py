"""Answers whole and in pieces, also to clients that leave and from storage that fails."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.responses import Pieces, Whole


class Connection:
    """Records what is sent; the client leaves after `stays` messages."""

    def __init__(self, stays: int = 1000) -> None:
        self.sent: list[Any] = []
        self._stays = stays
        self._left = asyncio.Event()

    async def receive(self) -> Any:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if len(self.sent) >= self._stays:
            self._left.set()
        await asyncio.sleep(0)

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])

    @property
    def is_complete(self) -> bool:
        return bool(self.sent) and not self.sent[-1].get("more_body", False) and len(self.sent) > 1


async def numbers(count: int, failing_at: int | None = None) -> AsyncIterator[bytes]:
    for number in range(count):
        if number == failing_at:
            raise ServerError(Reason.STORAGE_DAMAGED, "lost")
        yield b"%d," % number


def scope(method: str = "GET") -> Any:
    return {"type": "http", "method": method}


async def test_whole() -> None:
    connection = Connection()
    await Whole(b"body", b"text/plain", headers=[(b"x-more", b"1")])(scope(), connection.receive, connection.send)
    assert connection.sent[0]["headers"] == [
        (b"x-more", b"1"),
        (b"content-type", b"text/plain"),
        (b"content-length", b"4"),
    ]
    assert connection.body == b"body"


@pytest.mark.parametrize(("status", "length"), [(204, False), (304, False), (200, True)])
async def test_no_body(status: int, length: bool) -> None:
    connection = Connection()
    await Whole(status=status)(scope(), connection.receive, connection.send)
    assert connection.sent[0] == {
        "type": "http.response.start",
        "status": status,
        "headers": [(b"content-length", b"0")] if length else [],
    }


async def test_pieces() -> None:
    connection = Connection()
    await Pieces(numbers(3), b"text/plain", length=6, status=206)(scope(), connection.receive, connection.send)
    assert connection.sent[0]["status"] == 206
    assert (b"content-length", b"6") in connection.sent[0]["headers"]
    assert (connection.body, connection.is_complete) == (b"0,1,2,", True)
    empty = Connection()
    await Pieces(numbers(0), b"text/plain")(scope(), empty.receive, empty.send)
    assert (empty.body, empty.is_complete) == (b"", True)


async def test_head_reads_nothing() -> None:
    connection = Connection()
    await Pieces(numbers(3, failing_at=0), b"text/plain", length=6)(scope("HEAD"), connection.receive, connection.send)
    assert (len(connection.sent), connection.body) == (2, b"")


async def test_an_early_failure_is_raised_before_anything_is_sent() -> None:
    connection = Connection()
    with pytest.raises(ServerError, match="lost"):
        await Pieces(numbers(3, failing_at=0), b"text/plain")(scope(), connection.receive, connection.send)
    assert connection.sent == []


async def test_a_late_failure_leaves_the_answer_incomplete(caplog: pytest.LogCaptureFixture) -> None:
    connection = Connection()
    await Pieces(numbers(3, failing_at=2), b"text/plain")(scope(), connection.receive, connection.send)
    assert (connection.body, connection.is_complete) == (b"0,1,", False)
    assert "STORAGE_DAMAGED" in caplog.text


async def test_a_client_that_leaves_ends_the_reading() -> None:
    connection = Connection(stays=5)
    pieces = numbers(100_000)
    await Pieces(pieces, b"text/plain")(scope(), connection.receive, connection.send)
    assert len(connection.sent) < 20
    assert not connection.is_complete
    assert await anext(pieces, None) is None
