"""Refuses what a browser asks on behalf of another site (CSRF): changes, and WebSockets, which CORS does not guard."""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from dicomweb_server.http.headers import header
from dicomweb_server.http.service_url import ServiceUrl

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_BODY = b'{"title":"Forbidden","status":403,"detail":"A page of another site may not do this; see cors_origins."}'


class CrossSiteGuard:
    """ASGI middleware. Browsers name where a request comes from (Sec-Fetch-Site); other clients do not, and pass.

    A server on this machine without users needs it too: any page in a browser on it could post to it otherwise.
    """

    def __init__(self, app: ASGIApp, allowed_origins: Collection[str], service_url: ServiceUrl) -> None:
        self._app = app
        self._service_url = service_url
        self._origins = frozenset(origin.encode("latin-1") for origin in allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_refused = (
            self._is_other(scope) if scope["type"] == "websocket" else _may_change(scope) and self._is_foreign(scope)
        )
        if is_refused:
            headers = [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(_BODY))]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": _BODY})
            return
        await self._app(scope, receive, send)

    def _is_foreign(self, scope: Scope) -> bool:
        headers = dict(scope["headers"])
        if headers.get(b"sec-fetch-site") not in (b"cross-site", b"same-site"):
            return False
        return b"*" not in self._origins and headers.get(b"origin") not in self._origins

    def _is_other(self, scope: Scope) -> bool:
        """Whether a page of another origin opens a WebSocket (RFC 6455 §10.2); browsers always name it."""
        origin = header(scope, b"origin")
        if origin is None or not self._origins.isdisjoint((b"*", origin.encode("latin-1"))):
            return False
        return urlsplit(self._service_url.root(scope)).netloc != origin.partition("://")[2]


def _may_change(scope: Scope) -> bool:
    # In the REST interface a parameter may name another method than the request's.
    return scope["method"] not in _SAFE or b"_method=" in scope.get("query_string", b"")
