"""Advance: a response that another thread sends as soon as what it says is true, without waiting for the event loop."""

import os
import socket
import threading
from collections.abc import Callable


class Advance:
    """Whole PDUs that any thread may send, once, by calling `send`; `sent`: how many of their bytes were."""

    __slots__ = ("_send", "pdus", "sent")

    def __init__(self, pdus: bytes, send: "Callable[[Advance], None]") -> None:
        self.pdus = pdus
        self.sent = 0
        self._send = send

    def send(self) -> None:
        """Send them, unless it is too late."""
        self._send(self)


class Outlet:
    """The way out of a plain TCP connection for other threads than the loop's.

    It has a descriptor of its own: by the number of one that the loop has closed, others might get what is sent.
    """

    def __init__(self, descriptor: int) -> None:
        self.socket = socket.socket(fileno=os.dup(descriptor))
        self._lock = threading.Lock()
        self._ready: Advance | None = None

    def ready(self, pdus: bytes) -> Advance:
        """What may be sent until `settle`."""
        self._ready = Advance(pdus, self._send)
        return self._ready

    def settle(self) -> tuple[int, bytes]:
        """Nothing is sent any more. How many bytes were, with those of PDUs that were begun and are left to be sent."""
        if self._ready is None:
            return 0, b""
        with self._lock:
            advance, self._ready = self._ready, None
        return (len(advance.pdus), advance.pdus[advance.sent :]) if advance.sent else (0, b"")

    def close(self) -> None:
        """Nothing can be sent any more."""
        with self._lock:
            self._ready = None
            self.socket.close()

    def _send(self, advance: Advance) -> None:
        with self._lock:
            if advance is not self._ready:
                return
            try:
                advance.sent = self.socket.send(advance.pdus)
            except OSError:
                return  # no room, or lost: the loop will see
