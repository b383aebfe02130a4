"""An HTTP connection with the deadlines and limits that uvicorn's own lacks; everything else stays uvicorn's."""

import asyncio
import functools
import re
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from dicomweb_server.server.unsent import Unsent

_READ_AFTER_ANSWER = 5.0
_JOINED = 2**18
_UPGRADE = re.compile(rb"\r\nupgrade:(?![ \t]*websocket[ \t]*\r\n)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How long, how much and how many. Times in seconds, sizes in bytes; 0 connections per address: no such limit."""

    header_timeout: float = 10.0
    body_timeout: float = 30.0
    min_body_rate: int = 1024
    write_timeout: float = 60.0
    max_header_size: int = 2**16
    max_header_count: int = 128
    max_connections: int = 2000
    max_connections_per_address: int = 0


@dataclass(slots=True)
class Gate:
    """What all connections of a server share: the limits, and how many are open by address."""

    limits: ConnectionLimits
    addresses: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    expired: int = 0

    def gauges(self) -> dict[str, float]:
        """How many are open now, and how many were refused or cut so far, by metric name."""
        return {
            "connections_open": self.addresses.total(),
            "connections_refused": self.refused,
            "connections_too_slow": self.expired,
        }

    def full_for(self, address: str) -> bool:
        """Would one more connection from this address be too many?"""
        per_address = self.limits.max_connections_per_address
        return self.addresses.total() >= self.limits.max_connections or 0 < per_address <= self.addresses[address]

    def leave(self, address: str) -> None:
        """A connection from this address is no more."""
        self.addresses[address] -= 1
        if not self.addresses[address]:
            del self.addresses[address]


class _RefusedError(Exception):
    """A request's header goes against a limit."""


class Connection(HttpToolsProtocol):
    """One client connection. `check_deadlines` is called a few times a second, so that no request needs a timer."""

    def __init__(
        self,
        gate: Gate,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._gate = gate
        self._limits = gate.limits
        self._address: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._corked: _Corked | None = None
        self._refusal: HTTPStatus | None = None
        self._header_since: float | None = None
        self._header_size = 0
        self._hosts = 0
        self._body_since = 0.0
        self._body_seen = 0
        self._receiving_body = False
        self._answered_early = 0.0
        self._unsent = Unsent(gate.limits.write_timeout)

    # What arrives

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if self._gate.full_for(address):
            self._gate.refused += 1
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        self._address = address
        self._gate.addresses[address] += 1
        self._header_since = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._address is not None:
            self._gate.leave(self._address)
            self._address = None
        answering = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        super().connection_lost(exc)
        if answering and self._task is not None:
            self._task.cancel()  # nobody will read the rest: stop reading it from the disk

    def data_received(self, data: bytes) -> None:
        if self.parser is None or self.transport.is_closing():
            return
        if self._header_since is None and not self._receiving_body:
            self._header_since = self.loop.time()
        self._body_seen += len(data)
        super().data_received(_without_upgrade(data) if self._header_since is not None and b"pgrade" in data else data)
        if self._header_since is not None and not self.transport.is_closing():
            self._header_size += len(data)
            if self._header_size > self._limits.max_header_size:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._hosts = 0
        self._header_size = 0
        self._header_since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self._limits.max_header_size:
            self._raise(HTTPStatus.REQUEST_URI_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._header_size += len(name) + len(value) + 4
        if len(self.headers) > self._limits.max_header_count or self._header_size > self._limits.max_header_size:
            self._raise(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if self.headers[-1][0] == b"host":
            self._hosts += 1

    def on_headers_complete(self) -> None:
        # RFC 9112 §3.2: exactly one Host in HTTP/1.1; two of them are how proxies and servers are played off.
        if self._hosts > 1 or (self._hosts == 0 and self.parser.get_http_version() == "1.1"):
            self._raise(HTTPStatus.BAD_REQUEST)
        self._header_since = None
        self._header_size = 0
        if self.parser.should_upgrade():  # at which the parser ends
            self.scope["method"] = self.parser.get_method().decode("ascii")
            return
        self._body_since = self.loop.time()
        self._body_seen = 0
        self._receiving_body = True
        super().on_headers_complete()
        self._corked = _Corked(self.transport, self.loop)
        self.cycle.transport = cast(asyncio.Transport, self._corked)  # its task has not begun yet

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._receiving_body = False
        super().on_message_complete()
        if self.cycle.response_complete and self.cycle.keep_alive:
            self._wait_for_next_request()

    def _should_upgrade(self) -> bool:
        """To a WebSocket only, by a GET (RFC 6455 §4.1), and when nothing else is being answered."""
        is_free = self.cycle is None or self.cycle.response_complete
        is_handshake = self._get_upgrade() == b"websocket" and self.parser.get_method() == b"GET"
        return is_free and is_handshake and self._address is not None

    def handle_websocket_upgrade(self) -> None:
        from dicomweb_server.server.web_socket import WebSocket  # costs memory, and few need it

        leave = functools.partial(self._gate.leave, cast(str, self._address))
        self._address = None  # from now on it is the WebSocket that counts
        limits = self._limits
        self.ws_protocol_class = cast(
            Any, functools.partial(WebSocket, leave, limits.header_timeout, limits.write_timeout)
        )
        super().handle_websocket_upgrade()

    def _unsupported_upgrade_warning(self) -> None:
        self._refuse(HTTPStatus.BAD_REQUEST)  # an offer that `_without_upgrade` did not see whole

    # What is answered

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        task = self.loop.create_task(cycle.run_asgi(_Guard(app, cycle)))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)
        self._task = task

    def on_response_complete(self) -> None:
        if self._corked is not None:
            self._corked.flush()
        super().on_response_complete()
        now = self.loop.time()
        if self._header_since is not None:
            self._header_since = now
        if self._receiving_body:
            # Answered early. To close now could destroy the answer on its way (RFC 9112 §9.6): read on for a while.
            self._answered_early = now
            if self.expect_100_continue and not self._body_seen:
                self.transport.close()  # the body may never come: what comes next could be either

    def _wait_for_next_request(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refusal or HTTPStatus.BAD_REQUEST)

    def _raise(self, status: HTTPStatus) -> None:
        self._refusal = status
        raise _RefusedError(status.phrase)

    def _refuse(self, status: HTTPStatus) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            body = f'{{"title":"{status.phrase}","status":{status.value}}}'.encode()
            self.transport.write(
                STATUS_LINE[status.value]
                + b"content-type: application/problem+json\r\nx-content-type-options: nosniff\r\n"
                + b"connection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
            )
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    # Deadlines

    def check_deadlines(self, now: float) -> None:
        """Close the connection if its client is too slow at what it is doing."""
        if self.transport is None or self.transport.is_closing():
            if self.transport is not None:
                self._check_reader(now)
            return
        answering = self.cycle is not None and not self.cycle.response_complete
        if self._header_since is not None:
            if not answering and now - self._header_since > self._limits.header_timeout:
                self._expire(HTTPStatus.REQUEST_TIMEOUT)
        elif self._receiving_body and not answering:
            if now - self._answered_early > _READ_AFTER_ANSWER:
                self.transport.close()
        elif self._receiving_body:
            self._check_body(now)
        self._check_reader(now)

    def _check_body(self, now: float) -> None:
        if self.flow.read_paused:  # it is we who are slow
            self._body_since, self._body_seen = now, 0
        elif now - self._body_since > self._limits.body_timeout:
            if self._body_seen < self._limits.min_body_rate * (now - self._body_since):
                self._expire(HTTPStatus.REQUEST_TIMEOUT)
            self._body_since, self._body_seen = now, 0

    def _check_reader(self, now: float) -> None:
        if self._unsent.is_stuck(self.transport.get_write_buffer_size(), now):
            self._gate.expired += 1
            self.transport.abort()

    def _expire(self, status: HTTPStatus) -> None:
        self._gate.expired += 1
        idle = self.cycle is None and self._header_size == 0
        if idle:  # it never said a word: it would not read an answer either
            self.transport.close()
        else:
            self._refuse(status)


def _without_upgrade(data: bytes) -> bytes:
    """Hide an offer of HTTP/2 (RFC 7540 §3.2), which Java's client makes: the parser would drop the request's body."""
    head, blank, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"\r\nx-upgrade:", head) + blank + rest


class _Corked:
    """What a response writes to: its header waits for the first of its body, so that both leave in one packet.

    The header leaves anyway when the loop comes round, so a body that takes its time does not hold it up.
    """

    __slots__ = ("_began", "_head", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""
        self._began = False

    def write(self, data: bytes | memoryview) -> None:
        if self._head:
            head, self._head = self._head, b""
            if len(data) <= _JOINED:
                data = b"".join((head, data))  # costs less than a second system call
            else:
                self._transport.write(head)
        elif not self._began and bytes(data[:10]) != b"HTTP/1.1 1":  # 100 Continue is no answer yet
            self._began = True
            self._head = bytes(data)
            self._loop.call_soon(self.flush)
            return
        self._transport.write(data)

    def flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        self._head = b""
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()


class _Guard:
    """Ends an application whose client has gone, or whose server stops, without a traceback."""

    __slots__ = ("_app", "_cycle")

    def __init__(self, app: Any, cycle: RequestResponseCycle) -> None:
        self._app = app
        self._cycle = cycle

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        cycle = self._cycle
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if cycle.disconnected:
                return
            if cycle.response_started:
                cycle.disconnected = True
                cycle.transport.abort()
                return
            await _unavailable(send)


async def _unavailable(send: Any) -> None:
    headers = [(b"content-length", b"0"), (b"connection", b"close"), (b"retry-after", b"5")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
