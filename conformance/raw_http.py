"""HTTP as bytes on a socket, for requests that no client library would send."""

import contextlib
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from conformance.patience import SOON


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status` 0: nothing before the connection ended; -1: nothing and it is still open."""

    status: int
    head: str


def exchange(root: str, pieces: Iterable[bytes], *, wait: float = SOON, close: bool = False) -> Answer:
    """Send pieces as they are and take the first answer. `close`: send no more after the last piece."""
    url = urlsplit(root)
    with socket.create_connection((url.hostname or "", url.port or 80), timeout=wait) as connection:
        with contextlib.suppress(ConnectionError, TimeoutError):
            for piece in pieces:
                connection.sendall(piece)
        if close:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
        status, head = _first_answer(connection, wait)
    return Answer(status, head)


def leave(root: str, pieces: Iterable[bytes], *, read: int = 0) -> None:
    """Send pieces, take `read` bytes of the answer, and go away."""
    url = urlsplit(root)
    with socket.create_connection((url.hostname or "", url.port or 80), timeout=SOON) as connection:
        for piece in pieces:
            connection.sendall(piece)
        while read > 0:
            read -= len(connection.recv(read)) or read


def request(root: str, method: str, path: str, *fields: str) -> bytes:
    """The head of a request, without its body."""
    url = urlsplit(root)
    lines = [f"{method} {url.path}{path} HTTP/1.1", f"Host: {url.netloc}", *fields, "", ""]
    return "\r\n".join(lines).encode()


def _first_answer(connection: socket.socket, wait: float) -> tuple[int, str]:
    deadline, seen = time.monotonic() + wait, b""
    while b"\r\n\r\n" not in seen:
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            chunk = connection.recv(65536)
        except TimeoutError:
            return -1, ""
        except ConnectionError:
            return 0, ""
        if not chunk:
            return 0, ""
        seen += chunk
    head = seen.partition(b"\r\n\r\n")[0].decode("latin-1")
    return int(head.split()[1]), head
