"""CORS: pages of configured origins may call the server and read its answers; other pages learn nothing."""

import re
from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dicomweb_server.errors import Reason
from dicomweb_server.http.errors import problem
from dicomweb_server.http.headers import header
from dicomweb_server.http.responses import Whole

METHODS = b"GET, HEAD, POST, PUT, DELETE, OPTIONS"
# What scripts need of DICOMweb answers beyond what browsers always show them.
EXPOSED = (
    b"Accept-Ranges, Allow, Content-Encoding, Content-Length, Content-Location, Content-Range, ETag, Last-Modified, "
    b"Location, Retry-After, Warning, X-Request-ID, X-Total-Count"
)
_DEFAULT_HEADERS = "accept, authorization, content-type, if-modified-since, if-none-match, range"
_MAX_AGE = b"7200"
_REQUESTED = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z, \t-]{1,2000}")


class Cors:
    """ASGI middleware; only headers are touched, bodies pass as they are."""

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        """`origins`: such as "https://viewer.example"; "*" is every origin, but without credentials."""
        self._app = app
        self._origins = frozenset(origins)
        self._any = "*" in self._origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or let the request pass and mark its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = header(scope, b"origin")
        if scope["method"] == "OPTIONS" and origin and header(scope, b"access-control-request-method"):
            await self._preflight(scope, origin)(scope, receive, send)
            return
        marks = self._marks(origin)

        async def marked_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *marks]
            await send(message)

        await self._app(scope, receive, marked_send)

    def _preflight(self, scope: Scope, origin: str) -> Whole:
        if not self._allows(origin):
            return problem(Reason.BAD_REQUEST, "pages of this origin may not call this server (cors_origins)")
        requested = header(scope, b"access-control-request-headers") or ""
        allowed = requested if _REQUESTED.fullmatch(requested) else _DEFAULT_HEADERS
        headers = [
            *self._marks(origin),
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", allowed.encode("ascii")),
            (b"access-control-max-age", _MAX_AGE),
        ]
        return Whole(status=204, headers=headers)

    def _allows(self, origin: str) -> bool:
        return self._any or origin in self._origins

    def _marks(self, origin: str | None) -> list[tuple[bytes, bytes]]:
        if self._any:
            return [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", EXPOSED)]
        # Caches must keep answers to different origins apart, also those to no origin at all.
        marks = [(b"vary", b"Origin")]
        if origin is not None and self._allows(origin):
            marks += [
                (b"access-control-allow-origin", origin.encode("latin-1")),
                (b"access-control-allow-credentials", b"true"),
                (b"access-control-expose-headers", EXPOSED),
            ]
        return marks
