"""HTTP Basic authentication as ASGI middleware; installed only where there are users."""

import base64
import binascii
from collections.abc import Callable, Collection, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from dicomweb_server.server.user_check import UserCheck

_MAX_AUTHORIZATION = 4096
_DENIED = b'{"title":"Unauthorized","status":401,"detail":"A user name and password are needed (HTTP Basic)."}'
_SLOW_DOWN = b'{"title":"Too Many Requests","status":429,"detail":"Too many wrong passwords; wait a minute."}'


class BasicAuthentication:
    """Lets known users pass, names them in `scope["user"]`, answers 401 to everyone else (RFC 7617)."""

    def __init__(
        self,
        app: ASGIApp,
        users: Mapping[str, str],
        verify: Callable[[str, str], bool],
        public_paths: Collection[str] = (),
    ) -> None:
        self._app = app
        self._users = UserCheck(users, verify)
        self._public_paths = frozenset(public_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._public_paths:
            await self._app(scope, receive, send)
            return
        credentials = _credentials(_authorization(scope))
        user = self._users.remembered(*credentials) if credentials else None
        if user is None:
            address = scope["client"][0] if scope.get("client") else ""
            if self._users.is_blocked(address):
                await _answer(send, 429, _SLOW_DOWN, [(b"retry-after", b"60")])
                return
            user = await self._users.user(*credentials, address) if credentials else None
        if user is None:
            challenge = (b"www-authenticate", b'Basic realm="dicomweb-server", charset="UTF-8"')
            await _answer(send, 401, _DENIED, [challenge])
            return
        scope["user"] = user
        await self._app(scope, receive, send)


def _authorization(scope: Scope) -> bytes:
    found = [value for name, value in scope["headers"] if name == b"authorization"]
    return bytes(found[0]) if len(found) == 1 and len(found[0]) <= _MAX_AUTHORIZATION else b""


def _credentials(authorization: bytes) -> tuple[str, str] | None:
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    name, colon, password = text.partition(":")
    return (name, password) if colon else None


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", str(len(body)).encode("ascii"))
    kind = (b"content-type", b"application/problem+json")
    await send({"type": "http.response.start", "status": status, "headers": [kind, length, *headers]})
    await send({"type": "http.response.body", "body": body})
