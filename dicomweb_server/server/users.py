"""HTTP Basic authentication as ASGI middleware; installed only where there are users."""

import asyncio
import base64
import binascii
import hashlib
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

_KNOWN = 1024
_KNOWN_FOR = 600.0
_MAX_AUTHORIZATION = 4096
_FREE_FAILURES = 10
_FAILURES_FORGOTTEN_AFTER = 60.0
_MAX_FAILING = 10_000
_DENIED = b'{"title":"Unauthorized","status":401,"detail":"A user name and password are needed (HTTP Basic)."}'
_SLOW_DOWN = b'{"title":"Too Many Requests","status":429,"detail":"Too many wrong passwords; wait a minute."}'

_logger = logging.getLogger("dicomweb_server.users")


class BasicAuthentication:
    """Lets known users pass, names them in `scope["user"]`, answers 401 to everyone else (RFC 7617).

    Hashes are slow on purpose, so an Authorization header that was right is remembered for a while by a keyed digest,
    and wrong ones are limited by address.
    """

    def __init__(
        self,
        app: ASGIApp,
        users: Mapping[str, str],
        verify: Callable[[str, str], bool],
        public_paths: Collection[str] = (),
    ) -> None:
        self._app = app
        self._users = users
        self._verify = verify
        self._public_paths = frozenset(public_paths)
        self._secret = os.urandom(32)
        self._known: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._one_at_a_time = asyncio.Semaphore(1)
        self._decoy = next(iter(users.values()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._public_paths:
            await self._app(scope, receive, send)
            return
        authorization = _authorization(scope)
        user = self._remembered(authorization)
        if user is None:
            address = scope["client"][0] if scope.get("client") else ""
            if self._too_many_failures(address):
                await _answer(send, 429, _SLOW_DOWN, [(b"retry-after", b"60")])
                return
            user = await self._check(authorization, address) if authorization else None
        if user is None:
            challenge = (b"www-authenticate", b'Basic realm="dicomweb-server", charset="UTF-8"')
            await _answer(send, 401, _DENIED, [challenge])
            return
        scope["user"] = user
        await self._app(scope, receive, send)

    def _digest(self, authorization: bytes) -> bytes:
        return hashlib.blake2b(authorization, key=self._secret, digest_size=32).digest()

    def _remembered(self, authorization: bytes) -> str | None:
        if not authorization:
            return None
        known = self._known.get(self._digest(authorization))
        return known[0] if known and time.monotonic() < known[1] else None

    async def _check(self, authorization: bytes, address: str) -> str | None:
        credentials = _credentials(authorization)
        if credentials is None:
            return None
        name, password = credentials
        # An unknown name costs the same time as a wrong password, so that names cannot be guessed by the clock.
        hashed = self._users.get(name, self._decoy)
        async with self._one_at_a_time:
            right = await asyncio.to_thread(self._verify, password, hashed)
        if not right or name not in self._users:
            self._count_failure(address)
            _logger.warning("authentication failed", extra={"user": name[:64], "address": address})
            return None
        self._failures.pop(address, None)
        self._known[self._digest(authorization)] = (name, time.monotonic() + _KNOWN_FOR)
        while len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        return name

    def _too_many_failures(self, address: str) -> bool:
        count, since = self._failures.get(address, (0, 0.0))
        if count and time.monotonic() - since > _FAILURES_FORGOTTEN_AFTER:
            del self._failures[address]
            return False
        return count >= _FREE_FAILURES

    def _count_failure(self, address: str) -> None:
        count, _ = self._failures.pop(address, (0, 0.0))
        self._failures[address] = (count + 1, time.monotonic())
        while len(self._failures) > _MAX_FAILING:
            self._failures.popitem(last=False)


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
