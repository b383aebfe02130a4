"""Runs an ASGI application under uvicorn in this process: sockets, TLS, signals, deadlines, and a stop that ends."""

import asyncio
import ctypes
import functools
import gc
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from dicomweb_server.certificates import RenewedContext, checking_context
from dicomweb_server.errors import StartError
from dicomweb_server.server.connection import Connection, Gate
from dicomweb_server.server.open_files import raise_open_files

_CHECKS_PER_SECOND = 2
_BACKLOG = 2048
_PING_SECONDS = 20.0  # between pings of WebSockets, and until the answer has to be here
_LARGEST_MESSAGE = 4096  # of a client by WebSocket: they have nothing to say
_M_ARENA_MAX = -8
_logger = logging.getLogger("dicomweb_server.server")


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of HTTPS. `client_ca`: clients must show a certificate that one of these authorities signed."""

    certificate: Path
    key: Path | None = None
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """How to listen and how to stop."""

    addresses: Sequence[str]
    port: int
    gate: Gate
    tls: Tls | None = None
    keep_alive_timeout: float = 75.0
    stop_timeout: float = 30.0


def run(app: ASGIApp, options: ProcessOptions, on_started: Callable[[Sequence[socket.socket]], None]) -> bool:
    """Serve until SIGTERM or SIGINT, then stop in an orderly way; False if the application did not start."""
    sockets = [listen(address, options.port) for address in options.addresses]
    server = make_server(app, options, lambda: on_started(sockets))
    # uvicorn raises the signals again when it is done: by then they have been obeyed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    _tune_memory()
    raise_open_files()
    try:
        server.run(sockets=sockets)
    except SystemExit:
        return False
    return server.started


def make_server(app: ASGIApp, options: ProcessOptions, on_started: Callable[[], None]) -> "DeadlineServer":
    """A uvicorn server whose connections obey our limits."""
    context = tls_context(options.tls) if options.tls else None
    config = uvicorn.Config(
        app=cast(Any, app),
        loop="uvloop" if _has_uvloop() else "asyncio",
        http=cast(Any, functools.partial(Connection, options.gate)),
        ws="none",  # `Connection` knows which
        ws_max_size=_LARGEST_MESSAGE,
        ws_ping_interval=_PING_SECONDS,
        ws_ping_timeout=_PING_SECONDS,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=cast(int, options.keep_alive_timeout),
        timeout_graceful_shutdown=cast(int, options.stop_timeout),
        ssl_context_factory=(lambda _config, _default: context) if context else None,
    )
    return DeadlineServer(config, on_started)


class DeadlineServer(uvicorn.Server):
    """uvicorn's server, which also looks at its connections' deadlines a few times a second."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            # What lives now lives long: collections need not look at it again (nor at every 700 new objects).
            gc.collect()
            gc.freeze()
            gc.set_threshold(20_000, 20, 50)
            self._on_started()

    async def on_tick(self, counter: int) -> bool:
        if counter % (10 // _CHECKS_PER_SECOND) == 0:
            self._check_deadlines()
        return await super().on_tick(counter)

    def _check_deadlines(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in list(self.server_state.connections):
            check = getattr(connection, "check_deadlines", None)  # those of HTTP and WebSockets have it
            if check is not None:
                check(now)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        _logger.info("stopping")
        watch = asyncio.ensure_future(self._watch_deadlines())
        try:
            await super().shutdown(sockets)
        finally:
            watch.cancel()

    async def _watch_deadlines(self) -> None:
        while True:
            self._check_deadlines()
            await asyncio.sleep(1 / _CHECKS_PER_SECOND)


def listen(address: str, port: int) -> socket.socket:
    """A listening socket, or a StartError in words."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(place)
        listener.listen(_BACKLOG)
    except OSError as error:
        raise StartError(f"Cannot listen on {address} port {port}: {error.strerror or error}") from None
    listener.settimeout(0.0)
    return listener


def tls_context(tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 and later (BCP 195), with client certificates if asked for; renewed with its files."""
    try:
        return RenewedContext(lambda: _tls_context(tls), (tls.certificate, tls.key, tls.client_ca))
    except OSError as error:  # an SSLError is one, too
        raise StartError(f"Cannot use the certificate files of tls_certificate = {tls.certificate}: {error}") from None


def _tls_context(tls: Tls) -> ssl.SSLContext:
    context = checking_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(tls.certificate, tls.key)
    if tls.client_ca:
        context.load_verify_locations(tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _tune_memory() -> None:
    """Few malloc arenas: reader threads would otherwise each keep memory that others could use."""
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
    except (OSError, AttributeError):
        return  # another libc


def _has_uvloop() -> bool:
    try:
        import uvloop  # noqa: F401
    except ImportError:
        return False
    return True
