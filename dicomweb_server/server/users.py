"""HTTP authentication by password or token as ASGI middleware; installed only where there are users."""

import base64
import binascii
from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from dicomweb_server.server.user_check import UserCheck

_MAX_AUTHORIZATION = 20_000  # tokens may be long
_DENIED = b'{"title":"Unauthorized","status":401,"detail":"Expected are name and password, or the token, of a user."}'
_BASIC, _BEARER = b'Basic realm="dicomweb-server", charset="UTF-8"', b'Bearer realm="dicomweb-server"'
_SLOW_DOWN = b'{"title":"Too Many Requests","status":429,"detail":"Too many wrong passwords; wait a minute."}'


class Authentication:
    """Lets known users pass, names them in `scope["user"]`, answers 401 to everyone else (RFC 7617, RFC 6750)."""

    def __init__(self, app: ASGIApp, users: UserCheck, public_paths: Collection[str] = ()) -> None:
        self._app = app
        self._users = users
        self._public_paths = frozenset(public_paths)
        challenges = {"Basic": _BASIC, "Bearer": _BEARER}
        self._challenges = [(b"www-authenticate", challenges[scheme]) for scheme in users.schemes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in self._public_paths:
            await self._app(scope, receive, send)
            return
        address = scope["client"][0] if scope.get("client") else ""
        scheme, _, credentials = _authorization(scope).partition(b" ")
        if scheme.lower() == b"bearer":
            user = self._users.bearer(credentials.strip().decode("latin-1"), address)
        else:
            pair = _credentials(credentials) if scheme.lower() == b"basic" else None
            user = self._users.remembered(*pair) if pair else None
            if user is None and self._users.is_blocked(address):
                await _answer(send, 429, _SLOW_DOWN, [(b"retry-after", b"60")])
                return
            if user is None and pair:
                user = await self._users.user(*pair, address)
        if user is None:
            await _answer(send, 401, _DENIED, self._challenges)
            return
        scope["user"] = user
        await self._app(scope, receive, send)


def _authorization(scope: Scope) -> bytes:
    found = [value for name, value in scope["headers"] if name == b"authorization"]
    return bytes(found[0]) if len(found) == 1 and len(found[0]) <= _MAX_AUTHORIZATION else b""


def _credentials(encoded: bytes) -> tuple[str, str] | None:
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
