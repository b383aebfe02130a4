"""The body of a request, chunk by chunk: bounded, decoded, and clear about a client that goes away."""

import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

from starlette.types import Receive, Scope

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.headers import header

# What one step of inflating may yield: a bomb is met with an error long before it fills the memory.
_INFLATED_STEP = 1 << 20


class DisconnectedError(Exception):
    """The client closed the connection before its request was whole; there is nobody to answer."""


async def chunks(scope: Scope, receive: Receive, limit: int) -> AsyncGenerator[bytes, None]:
    """The body as it arrives, at most `limit` bytes of it, also after `Content-Encoding: gzip` was undone.

    ServerError: TOO_LARGE, UNSUPPORTED_MEDIA_TYPE (another coding), BAD_REQUEST (broken gzip).
    """
    _check_length(scope, limit)
    decoder = _decoder(header(scope, b"content-encoding"))
    size = 0
    async for received in _received(receive):
        for chunk in decoder.decode(received) if decoder else (received,):
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            yield chunk
    if decoder:
        decoder.finish()


async def _received(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        body: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        if body:
            yield body


def _check_length(scope: Scope, limit: int) -> None:
    declared = header(scope, b"content-length")
    if declared is not None and declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> ServerError:
    return ServerError(Reason.TOO_LARGE, f"the body of the request exceeds {limit} bytes")


class _Gzip:
    """Inflates a gzip stream in bounded steps."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(31)

    def decode(self, data: bytes) -> Iterator[bytes]:
        """What these bytes inflate to, a step at a time."""
        while data and not self._stream.eof:
            try:
                inflated = self._stream.decompress(data, _INFLATED_STEP)
            except zlib.error:
                raise ServerError(Reason.BAD_REQUEST, "the body of the request is not valid gzip") from None
            data = self._stream.unconsumed_tail
            if inflated:
                yield inflated

    def finish(self) -> None:
        """The body ended; ServerError if its gzip stream did not."""
        if not self._stream.eof:
            raise ServerError(Reason.BAD_REQUEST, "the gzip body of the request ends too early")


def _decoder(coding: str | None) -> _Gzip | None:
    name = (coding or "identity").strip().lower()
    if name in ("gzip", "x-gzip"):
        return _Gzip()
    if name in ("identity", ""):
        return None
    raise ServerError(Reason.UNSUPPORTED_MEDIA_TYPE, f"Content-Encoding {name[:40]!r}: gzip or none expected")
