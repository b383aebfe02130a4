"""Refuses requests that change something and that a browser sends on behalf of another site (CSRF)."""

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_BODY = b'{"title":"Forbidden","status":403,"detail":"A page of another site may not do this; see cors_origins."}'


class CrossSiteGuard:
    """ASGI middleware. Browsers name where a request comes from (Sec-Fetch-Site); other clients do not, and pass.

    A server on this machine without users needs it too: any page in a browser on it could post to it otherwise.
    """

    def __init__(self, app: ASGIApp, allowed_origins: Collection[str]) -> None:
        self._app = app
        self._origins = frozenset(origin.encode("latin-1") for origin in allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _may_change(scope) and self._is_foreign(scope):
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


def _may_change(scope: Scope) -> bool:
    # In the REST interface a parameter may name another method than the request's.
    return scope["method"] not in _SAFE or b"_method=" in scope.get("query_string", b"")
