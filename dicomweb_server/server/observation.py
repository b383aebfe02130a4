"""One thin layer around the application: request id, log line, metrics and safety headers of every answer."""

import json
import logging
import os
import re
import time
from collections.abc import Callable, Sequence
from itertools import count

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dicomweb_server.server.logs import LineWriter, quoted, timestamp
from dicomweb_server.server.metrics import Metrics

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
_UPLOADING = frozenset({"POST", "PUT", "PATCH"})
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"}) | _UPLOADING
_POLICY = b"content-security-policy"

Headers = list[tuple[bytes, bytes]]
_logger = logging.getLogger("dicomweb_server.request")


def safety_headers(cors_origins: Sequence[str], *, tls: bool) -> Headers:
    """Headers that keep a browser from running, framing or sniffing what was stored."""
    ancestors = " ".join(["'self'", *(origin for origin in cors_origins)])
    headers = [
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-resource-policy", b"cross-origin" if cors_origins else b"same-origin"),
        (_POLICY, f"default-src 'none'; frame-ancestors {ancestors}".encode("latin-1")),
    ]
    if tls:
        headers.append((b"strict-transport-security", b"max-age=31536000"))
    return headers


class Observation:
    """ASGI middleware; costs a few microseconds, so it keeps to plain lists, and writes lines many at a time."""

    def __init__(self, app: ASGIApp, metrics: Metrics, log: Callable[["Seen"], None], headers: Headers) -> None:
        self._app = app
        self._metrics = metrics
        self._log = log
        self._headers = headers
        self._headers_but_policy = [header for header in headers if header[0] != _POLICY]
        self._prefix = os.urandom(4).hex()
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            scope["method"] = "GET"  # which it is, and to be looked at like any other
            send = _answering(send)
        seen = Seen(self, scope, receive, send)
        scope["request_id"] = seen.request_id
        try:
            await self._app(scope, seen.receive if scope["method"] in _UPLOADING else receive, seen.send)
        finally:
            seconds = time.perf_counter() - seen.started
            seen.seconds = seconds
            self._metrics.request(seen.method, seen.route(), seen.status, seconds, seen.received, seen.sent)
            self._log(seen)

    def request_id(self, scope: Scope) -> str:
        """The client's own X-Request-ID where it is a sane one, else a new one."""
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
                return str(value, "ascii")
        return f"{self._prefix}-{next(self._numbers)}"

    def dress(self, headers: Headers) -> Headers:
        """The application's headers and ours; a page's own content policy wins."""
        for name, _ in headers:
            if name == _POLICY:
                return [*headers, *self._headers_but_policy]
        return [*headers, *self._headers]


def _answering(send: Send) -> Send:
    """A way to answer a WebSocket handshake as any request (ASGI's extension "websocket.http.response")."""

    async def send_answer(message: Message) -> None:
        if message["type"].startswith("http.response."):
            message["type"] = f"websocket.{message['type']}"
        await send(message)

    return send_answer


class Seen:
    """What was seen of one request."""

    __slots__ = ("_observation", "_receive", "_scope", "_send", "method", "received", "request_id", "seconds", "sent",
                 "started", "status")  # fmt: skip

    def __init__(self, observation: Observation, scope: Scope, receive: Receive, send: Send) -> None:
        self.started = time.perf_counter()
        self.seconds = 0.0
        self.request_id = observation.request_id(scope)
        self.method: str = scope["method"] if scope["method"] in _METHODS else "other"
        self.status = 0
        self.received = 0
        self.sent = 0
        self._observation = observation
        self._scope = scope
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        """Count a piece of the body."""
        message = await self._receive()
        if message["type"] == "http.request":
            self.received += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Add headers to the start of the answer, count its bytes."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = self._observation.dress(list(message.get("headers", ())))
            message["headers"].append((b"x-request-id", self.request_id.encode("ascii")))
        elif message["type"] == "websocket.accept":
            self.status = 101
        else:
            self.sent += len(message.get("body", b"") or message.get("text", ""))
        await self._send(message)

    def route(self) -> str:
        """The template of the route, never the path itself, which may hold identifiers."""
        route = self._scope.get("route")
        template = getattr(route, "path_format", None) or getattr(route, "path", None)
        return template if isinstance(template, str) else "other"

    @property
    def user(self) -> str:
        """The authenticated user, if any."""
        user = self._scope.get("user", "")
        return user if isinstance(user, str) else ""

    @property
    def address(self) -> str:
        """The peer's address."""
        client = self._scope.get("client")
        return client[0] if client else ""


def request_log(writer: LineWriter, log_format: str) -> Callable[[Seen], None]:
    """A function that writes one line per request; does nothing when the level hides such lines."""
    if not _logger.isEnabledFor(logging.INFO):
        return lambda _seen: None
    line = _json_line if log_format == "json" else _text_line
    clock = _Clock()
    return lambda seen: writer.write(line(seen, clock.now()))


def _text_line(seen: Seen, now: str) -> str:
    user = f" user={quoted(seen.user)}" if seen.user else ""
    return (
        f"{now} INFO    request: id={seen.request_id} method={seen.method} route={seen.route()} status={seen.status} "
        f"ms={seen.seconds * 1000:.1f} received={seen.received} sent={seen.sent} address={seen.address}{user}"
    )


def _json_line(seen: Seen, now: str) -> str:
    # Only the user's name can need escaping; the rest is made of our own words, numbers and an address.
    user = f',"user":{json.dumps(seen.user)}' if seen.user else ""
    return (
        f'{{"time":"{now}","level":"info","event":"request","id":"{seen.request_id}","method":"{seen.method}",'
        f'"route":"{seen.route()}","status":{seen.status},"ms":{seen.seconds * 1000:.1f},"received":{seen.received},'
        f'"sent":{seen.sent},"address":"{seen.address}"{user}}}'
    )


class _Clock:
    """Time stamps whose text is made once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._text = ""

    def now(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second, self._text = second, timestamp(second)[:20]
        return f"{self._text}{int((now - second) * 1000):03d}Z"
