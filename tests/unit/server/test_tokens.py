"""Tokens: which are believed, by which keys, and what the log says of the others."""

import base64
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from dicomweb_server.server.tokens import TokenCheck, TokenRules
from tests.tokens import AUDIENCE, EC, ED, ISSUER, OTHER_RSA, RSA, pem, token

SECRET = b"a secret of thirty-two bytes at least"


def check(folder: Path, keys: bytes | list[dict[str, Any]] = b"", user: str = "sub") -> TokenCheck:
    path = folder / "keys"
    path.write_bytes(keys if isinstance(keys, bytes) and keys else json.dumps({"keys": keys}).encode())
    return TokenCheck(TokenRules(path, ISSUER, AUDIENCE, user))


def key_set(*more: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(RSAAlgorithm.to_jwk(RSA.public_key())) | {"kid": "one", "alg": "RS256", "use": "sig"}, *more]


def shared_secret(**more: Any) -> dict[str, Any]:
    return {"kty": "oct", "k": base64.urlsafe_b64encode(SECRET).decode().rstrip("="), "kid": "two"} | more


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(RSA, "RS256"), (RSA, "PS512"), (EC, "ES256"), (ED, "EdDSA")],
    ids=lambda value: str(value)[:5],
)
def test_signatures_of_each_kind(tmp_path: Path, key: Any, algorithm: str) -> None:
    assert check(tmp_path, pem(OTHER_RSA, RSA, EC, ED)).user(token(key, algorithm), "10.0.0.1") == "jane"


def test_keys_of_a_set(tmp_path: Path) -> None:
    tokens = check(tmp_path, key_set(shared_secret(), {"kty": "new"}, {"kty": "RSA", "use": "enc"}))
    assert tokens.user(token(key_id="one"), "") == "jane"
    assert tokens.user(token(), "") == "jane"
    assert tokens.user(token(SECRET, "HS256", "two"), "") == "jane"
    assert tokens.user(token(RSA, "RS512", "one"), "") is None  # the set says RS256
    assert tokens.user(token(OTHER_RSA, key_id="one"), "") is None
    assert tokens.user(token(SECRET, "HS256", "one"), "") is None


def _confused() -> str:
    """Signed with the public key as if that were a shared secret."""
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in (
            {"alg": "HS256", "typ": "JWT"},
            {"iss": ISSUER, "aud": AUDIENCE, "sub": "jane", "exp": time.time() + 60},
        )
    )
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(head + b"." + body, pem(RSA))
    return b".".join((head, body, base64.urlsafe_b64encode(signature).rstrip(b"="))).decode()


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "rubbish",
        "a.b.c",
        token(None, "none"),
        _confused(),
        token(OTHER_RSA),
        token(EC, "ES256"),
        token(iss="https://elsewhere.example"),
        token(iss=None),
        token(aud="another"),
        token(aud=None),
        token(exp=int(time.time()) - 60),
        token(exp=None),
        token(nbf=int(time.time()) + 3600),
        token(sub=None),
        token(sub=""),
        token(sub="a\nb"),
        token(sub="x" * 300),
        token(more="x" * 20_000),
        token()[:-5],
        token().replace(".", ".."),
        "\ud800" + token(),
    ],
)
def test_what_is_not_believed(tmp_path: Path, bad: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert check(tmp_path, pem(RSA)).user(bad, "10.0.0.1") is None
    (line,) = caplog.records
    assert (line.getMessage(), vars(line)["address"]) == ("authentication failed", "10.0.0.1")
    assert "jane" not in str(vars(line))


def test_clocks_may_differ_a_little(tmp_path: Path) -> None:
    assert check(tmp_path, pem(RSA)).user(token(exp=int(time.time()) - 5), "") == "jane"


def test_another_claim_may_name_the_user(tmp_path: Path) -> None:
    tokens = check(tmp_path, pem(RSA), "preferred_username")
    assert tokens.user(token(preferred_username="joe"), "") == "joe"
    assert tokens.user(token(), "") is None


def test_keys_are_read_again_when_they_change(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tokens = check(tmp_path, pem(RSA))
    path = tmp_path / "keys"
    path.write_bytes(pem(OTHER_RSA))
    os.utime(path, (1, 1))
    assert tokens.user(token(OTHER_RSA), "") == "jane"
    assert tokens.user(token(RSA), "") is None
    path.write_bytes(b"half a fi")
    assert tokens.user(token(OTHER_RSA), "") == "jane"
    assert "cannot be read again" in caplog.text
    path.unlink()
    assert tokens.user(token(OTHER_RSA), "") == "jane"


@pytest.mark.parametrize(
    "keys",
    [
        b"nothing",
        b"[]",
        b'{"keys": 5}',
        b'{"keys": []}',
        b'{"keys": [{"kty": "RSA", "n": 5}]}',
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        pem(rsa.generate_private_key(65537, 1024)),
        json.dumps({"keys": [shared_secret(k="c2hvcnQ")]}).encode(),
    ],
)
def test_keys_that_cannot_be_used(tmp_path: Path, keys: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        check(tmp_path, keys)
