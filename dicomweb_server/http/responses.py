"""Answers: a whole body, or a stream of pieces. Their headers are lists of byte pairs, for the hot paths' sake."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from dicomweb_server.errors import ServerError

Buffer = bytes | memoryview
HeaderList = Sequence[tuple[bytes, bytes]]

_logger = logging.getLogger("dicomweb_server.http")


class Whole(Response):
    """An answer with all of its body at hand. Without a content type it has no body and says so."""

    def __init__(
        self, body: Buffer = b"", content_type: bytes = b"", *, status: int = 200, headers: HeaderList = ()
    ) -> None:
        # Starlette's own constructor encodes and sorts out headers, which costs more than all of this class.
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = [*headers]
        if content_type:
            self.raw_headers.append((b"content-type", content_type))
            self.raw_headers.append((b"content-length", b"%d" % len(body)))
        elif status not in (204, 304):
            self.raw_headers.append((b"content-length", b"0"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; of an answer to HEAD the headers only."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else self.body})


class Pieces(Response):
    """An answer whose body comes piece by piece, of `length` bytes if that is known.

    When a piece cannot be had, the connection is closed, so that no client takes the answer for whole.
    """

    def __init__(
        self,
        pieces: AsyncIterator[Buffer],
        content_type: bytes,
        *,
        length: int | None = None,
        status: int = 200,
        headers: HeaderList = (),
    ) -> None:
        self.status_code = status
        self.body = b""
        self.background = None
        self._pieces = pieces
        self.raw_headers = [*headers, (b"content-type", content_type)]
        if length is not None:
            self.raw_headers.append((b"content-length", b"%d" % length))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it until the client goes away; of an answer to HEAD the headers only."""
        start: Message = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        try:
            if scope["method"] == "HEAD":
                await send(start)
                await send({"type": "http.response.body", "body": b""})
                return
            # If not even the first piece can be had, whoever calls this can still answer with an error.
            first = await anext(self._pieces, b"")
            await send(start)
            if await self._send_pieces(first, receive, send):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            close = getattr(self._pieces, "aclose", None)
            if close is not None:
                await close()

    async def _send_pieces(self, first: Buffer, receive: Receive, send: Send) -> bool:
        """Whether all pieces were sent."""
        # The server swallows what is sent to a client that has gone: only `receive` tells.
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await send({"type": "http.response.body", "body": first, "more_body": True})
            async for piece in self._pieces:
                if gone.done():
                    return False
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except ServerError as error:
            _logger.error("an answer was cut short: %s: %s", error.reason.name, error.detail)
            return False
        finally:
            gone.cancel()
        return True


async def _disconnected(receive: Receive) -> None:
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()
