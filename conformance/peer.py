"""pynetdicom as the one who is called, and as one who asks several times."""

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pynetdicom import AE


@contextmanager
def listening(
    ae: AE, port: int, handlers: Sequence[tuple[Any, Callable[[Any], Any]]] = (), tls: ssl.SSLContext | None = None
) -> Iterator[None]:
    """An application entity that takes associations on this port."""
    server = ae.start_server(("127.0.0.1", port), block=False, ssl_context=tls, evt_handlers=list(handlers))
    assert server is not None
    try:
        yield
    finally:
        server.shutdown()


@contextmanager
def only_asking(association: Any) -> Iterator[None]:
    """While an association only asks: its own thread that serves requests stands still.

    pynetdicom stops that thread for each request anew and may see it stopped just when it goes on; then it takes the
    response for a request, the sooner that comes the more often.
    """
    checkpoint = association._reactor_checkpoint
    checkpoint.clear()
    time.sleep(0.05)  # so that it has come there
    checkpoint.set = lambda: None
    try:
        yield
    finally:
        del checkpoint.set
        checkpoint.set()
