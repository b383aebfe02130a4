"""Hashes of passwords (scrypt) and their verification; a password itself is never kept."""

import base64
import hashlib
import hmac
import os

_N, _R, _P = 2**14, 8, 1
_MAX_MEMORY = 64 * 2**20


def hash_password(password: str) -> str:
    """A salted hash as text: `scrypt$n$r$p$salt$hash`."""
    salt = os.urandom(16)
    return "$".join(["scrypt", str(_N), str(_R), str(_P), _text(salt), _text(_derive(password, salt, _N, _R, _P))])


def verify_password(password: str, hashed: str) -> bool:
    """Is this the password of the hash? Takes tens of milliseconds on purpose."""
    _, n, r, p, salt, expected = hashed.split("$")
    derived = _derive(password, base64.b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(derived, base64.b64decode(expected))


def _derive(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode("utf-8"), salt=salt, n=n, r=r, p=p, maxmem=_MAX_MEMORY, dklen=32)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
