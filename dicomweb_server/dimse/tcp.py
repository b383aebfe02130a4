"""TCP: what is asked of the kernel for one connection, besides what the event loop's transports do."""

import asyncio
import socket
from typing import Any

from dicomweb_server.dimse.advance import Advance, Outlet

_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux


class Tcp:
    """A connection's socket. Until it is open, and where it is none of TCP, nothing is done."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._socket: Any = None
        self._outlet: Outlet | None = None

    def open(self, transport: asyncio.Transport) -> str:
        """The connection is open; the address of the peer."""
        found = transport.get_extra_info("socket")
        if found is not None and found.family in (socket.AF_INET, socket.AF_INET6):
            self._transport, self._socket = transport, found
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        peer = transport.get_extra_info("peername")
        return str(peer[0]) if isinstance(peer, tuple) else ""

    def acknowledge_now(self) -> None:
        """Acknowledge what comes next without delay.

        A sender with Nagle's algorithm on waits for our acknowledgement before its last, short segment, and the kernel
        falls back to delaying it by 40 ms after every answer of ours.
        """
        if self._socket is not None and _QUICK_ACK is not None:
            self._own().socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)

    def in_advance(self, pdus: bytes) -> Advance | None:
        """What another thread may send until `settle`. None over TLS, whose state is the loop's, or behind others."""
        transport = self._transport
        if transport is None or transport.get_extra_info("sslcontext") is not None:
            return None
        if transport.get_write_buffer_size():
            return None
        return self._own().ready(pdus)

    def settle(self) -> int:
        """No other thread sends now. How many bytes one has sent; of what it has only begun the loop sends the rest."""
        if self._outlet is None:
            return 0
        count, rest = self._outlet.settle()
        if rest and self._transport is not None:
            self._transport.write(rest)
        return count

    def close(self) -> None:
        """The connection is lost."""
        self._transport = self._socket = None
        if self._outlet is not None:
            self._outlet.close()

    def _own(self) -> Outlet:
        """With a socket of ours: the one of uvloop's transports makes a new one for each call."""
        if self._outlet is None:
            self._outlet = Outlet(self._socket.fileno())
        return self._outlet
