"""pynetdicom as the one who is called."""

import ssl
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
