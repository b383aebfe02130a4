"""UserCheck: is this a user's password, or token? Slow on purpose, remembered while right, limited while wrong."""

import asyncio
import hashlib
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Protocol

_KNOWN = 1024
_KNOWN_FOR = 600.0
_FREE_FAILURES = 10
_FAILURES_FORGOTTEN_AFTER = 60.0
_MAX_FAILING = 10_000

_logger = logging.getLogger("dicomweb_server.users")


class Tokens(Protocol):
    """Believes some tokens."""

    def user(self, token: str, address: str) -> str | None:
        """The user whose token this is, None if it is not to be believed."""


class UserCheck:
    """Knows users by the hashes of their passwords, or by tokens of an issuer.

    What was right is remembered for a while by a keyed digest; what was wrong is counted by address.
    """

    def __init__(
        self, users: Mapping[str, str], verify: Callable[[str, str], bool], tokens: Tokens | None = None
    ) -> None:
        self._users = users
        self._verify = verify
        self._secret = os.urandom(32)
        self._known: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._one_at_a_time = asyncio.Semaphore(1)
        self._decoy = next(iter(users.values()), "")
        self._tokens = tokens

    @property
    def schemes(self) -> tuple[str, ...]:
        """By which schemes of HTTP (RFC 9110 §11) a user may say who it is."""
        return (*(("Basic",) if self._users else ()), *(("Bearer",) if self._tokens else ()))

    def bearer(self, token: str, address: str) -> str | None:
        """The user whose token this is; None if it is not to be believed, or none are."""
        return None if self._tokens is None else self._tokens.user(token, address)

    def remembered(self, name: str, password: str) -> str | None:
        """The user, if the password was right a while ago."""
        known = self._known.get(self._digest(name, password))
        return known[0] if known and time.monotonic() < known[1] else None

    def is_blocked(self, address: str) -> bool:
        """Whether too many passwords from an address were wrong."""
        count, since = self._failures.get(address, (0, 0.0))
        if count and time.monotonic() - since > _FAILURES_FORGOTTEN_AFTER:
            del self._failures[address]
            return False
        return count >= _FREE_FAILURES

    async def user(self, name: str, password: str, address: str) -> str | None:
        """The user of this name, None if there is none, the password is wrong, or too many were."""
        if (known := self.remembered(name, password)) is not None:
            return known
        if not self._users or self.is_blocked(address):
            return None
        # An unknown name costs the same time as a wrong password, so that names cannot be guessed by the clock.
        hashed = self._users.get(name, self._decoy)
        async with self._one_at_a_time:
            right = await asyncio.to_thread(self._verify, password, hashed)
        if not right or name not in self._users:
            self._count_failure(address)
            _logger.warning("authentication failed", extra={"user": name[:64], "address": address})
            return None
        self._failures.pop(address, None)
        self._known[self._digest(name, password)] = (name, time.monotonic() + _KNOWN_FOR)
        while len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        return name

    def _digest(self, name: str, password: str) -> bytes:
        text = f"{name}\0{password}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._secret, digest_size=32).digest()

    def _count_failure(self, address: str) -> None:
        count, _ = self._failures.pop(address, (0, 0.0))
        self._failures[address] = (count + 1, time.monotonic())
        while len(self._failures) > _MAX_FAILING:
            self._failures.popitem(last=False)
