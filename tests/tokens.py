"""An issuer of JSON Web Tokens, for those who check them."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER, AUDIENCE = "https://login.example", "archive"
RSA, OTHER_RSA = (rsa.generate_private_key(65537, 2048) for _ in range(2))
EC, ED = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()


def pem(*keys: Any) -> bytes:
    """The public keys of some."""
    form = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    return b"".join(key.public_key().public_bytes(*form) for key in keys)


def token(key: Any = RSA, algorithm: str = "RS256", key_id: str = "", **claims: Any) -> str:
    """One for jane, which is good unless the claims say otherwise; None leaves one out."""
    usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "jane", "exp": int(time.time()) + 60}
    said = {name: value for name, value in (usual | claims).items() if value is not None}
    return jwt.encode(said, key, algorithm, headers={"kid": key_id} if key_id else None)


@dataclass(frozen=True, slots=True)
class Users:
    """Knows jane by her password, and by the tokens that it is given."""

    tokens: dict[str, str] = field(default_factory=dict)

    async def user(self, name: str, password: str, address: str) -> str | None:
        return name if (name, password) == ("jane", "right") else None

    def bearer(self, token: str, address: str) -> str | None:
        return self.tokens.get(token)


def write_keys(folder: Path) -> Path:
    """A file with the issuer's key."""
    path = folder / "keys.pem"
    path.write_bytes(pem(RSA))
    return path
