"""Handshake: a TCP connection on its way to TLS, which counts and can be cut like any other that says nothing yet."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from dicomweb_server.dimse.connection import Connection

_SECONDS = 10.0  # that it may take


class Handshake(asyncio.Protocol):
    """Ends in a connection over TLS, or in a reason why there is none, which event loops do not tell who listens."""

    def __init__(
        self,
        context: ssl.SSLContext,
        connection: Connection,
        began: "Callable[[Handshake, asyncio.Task[None]], None]",
        ended: "Callable[[Handshake, str], None]",
    ) -> None:
        """`connection`: goes on with what is said over TLS; `ended`: with the reason, "" where it goes on."""
        self.address = ""
        self._context = context
        self._connection = connection
        self._began = began
        self._ended = ended
        self._reason = ""
        self._socket: socket.socket | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It begins, on a transport of its own: nothing has been read here."""
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) else ""
        self._socket = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
        self._socket.settimeout(0)
        cast(asyncio.Transport, transport).abort()
        self._began(self, asyncio.create_task(self._shake(self._socket)))

    def cut(self, detail: str) -> None:
        """End it without a word."""
        self._reason = self._reason or detail
        if self._socket is not None:
            with suppress(OSError):  # it has ended already
                self._socket.shutdown(socket.SHUT_RDWR)

    async def _shake(self, plain: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self._connection, plain, ssl=self._context, ssl_handshake_timeout=_SECONDS
            )
        except OSError as error:  # an SSLError is one, too
            plain.close()
            self._ended(self, self._reason or f"no TLS: {_told(error)}")
        else:
            self._ended(self, "")


def _told(error: OSError) -> str:
    """What it was, without where OpenSSL's source says it."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    if isinstance(error, ConnectionAbortedError):  # what event loops raise then
        return f"no end of the handshake within {_SECONDS:g} s"
    return type(error).__name__
