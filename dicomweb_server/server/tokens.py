"""TokenCheck: whose token is this? JSON Web Tokens (RFC 7519) of a known issuer, by keys that a file holds."""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

_LONGEST = 16_384  # characters of a token
_LEEWAY = 30.0  # seconds by which clocks may differ
_LONGEST_NAME = 256
_LARGEST_FILE = 1 << 20
_PEM = b"-----BEGIN PUBLIC KEY-----"
# By what a key is, never by what a token says of itself (RFC 8725 §3.1).
_ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA",),
    "oct": ("HS256", "HS384", "HS512"),
}
_LEAST_BITS = {"RSA": 2048, "oct": 256}

_logger = logging.getLogger("dicomweb_server.users")


@dataclass(frozen=True, slots=True)
class TokenRules:
    """`keys`: a file with a JWK Set (RFC 7517) or with PEM public keys; `user`: the claim that names the user."""

    keys: Path
    issuer: str
    audience: str
    user: str = "sub"


@dataclass(frozen=True, slots=True)
class _Key:
    key_id: str
    key: Any
    algorithms: Sequence[str]


class TokenCheck:
    """Reads the keys again when their file changes, so that an issuer can change them."""

    def __init__(self, rules: TokenRules) -> None:
        """OSError or ValueError if the file cannot be used."""
        self._rules = rules
        self._stamp = self._file_stamp()
        self._keys = _keys(rules.keys)

    def user(self, token: str, address: str) -> str | None:
        """The user that a token names; None if it is not to be believed, for a reason that the log tells."""
        try:
            return self._named(token)
        except (jwt.PyJWTError, ValueError) as error:
            problem = type(error).__name__  # its message may quote what the token says
            _logger.warning("authentication failed", extra={"problem": problem, "address": address})
            return None

    def _named(self, token: str) -> str:
        if len(token) > _LONGEST:
            raise ValueError("too long")
        key_id = jwt.get_unverified_header(token).get("kid")
        keys = self._known_keys()
        error: jwt.PyJWTError = jwt.InvalidKeyError("no key fits")
        for key in [each for each in keys if each.key_id == key_id] or keys:
            try:
                return _name(self._claims(token, key), self._rules.user)
            except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError) as wrong:
                error = wrong
        raise error

    def _claims(self, token: str, key: _Key) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=list(key.algorithms),
            audience=self._rules.audience,
            issuer=self._rules.issuer,
            leeway=_LEEWAY,
            options={"require": ["exp", "iss", "aud", self._rules.user]},
        )
        return claims

    def _known_keys(self) -> Sequence[_Key]:
        try:
            stamp = self._file_stamp()
            if stamp != self._stamp:
                self._keys, self._stamp = _keys(self._rules.keys), stamp
        except (OSError, ValueError) as error:  # while it is written anew, say: those that were there before count
            _logger.error("the keys of tokens cannot be read again: %s", type(error).__name__)
        return self._keys

    def _file_stamp(self) -> tuple[int, int, int]:
        found = self._rules.keys.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino


def _keys(path: Path) -> Sequence[_Key]:
    """ValueError says what is wrong with the file; it names no key."""
    with path.open("rb") as file:
        content = file.read(_LARGEST_FILE)
    found = list(_pem_keys(content) if _PEM in content else _set_keys(content))
    if not found:
        raise ValueError("there is no key in it")
    return found


def _pem_keys(content: bytes) -> Iterator[_Key]:
    for block in content.split(_PEM)[1:]:
        key = load_pem_public_key(_PEM + block)
        kind = "RSA" if isinstance(key, rsa.RSAPublicKey) else "EC" if hasattr(key, "curve") else "OKP"
        yield _checked(_Key("", key, _ALGORITHMS[kind]), kind)


def _set_keys(content: bytes) -> Iterator[_Key]:
    try:
        listed = json.loads(content)["keys"]
        for each in listed:
            kind = each.get("kty", "")
            allowed = [name for name in _ALGORITHMS.get(kind, ()) if each.get("alg", name) == name]
            if allowed and each.get("use", "sig") == "sig":
                yield _checked(_Key(each.get("kid", ""), jwt.PyJWK(each, allowed[0]).key, allowed), kind)
    except (TypeError, KeyError, AttributeError, jwt.PyJWTError):
        raise ValueError("expected are public keys in PEM, or a JWK Set") from None


def _checked(key: _Key, kind: str) -> _Key:
    bits = len(key.key) * 8 if isinstance(key.key, bytes) else getattr(key.key, "key_size", 0)
    if bits < _LEAST_BITS.get(kind, 0):
        raise ValueError(f"a key of {bits} bits is too short: {_LEAST_BITS[kind]} are needed")
    return key


def _name(claims: dict[str, Any], claim: str) -> str:
    name = claims[claim]
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise ValueError("no name")
    return name
