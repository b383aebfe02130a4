"""User identity: pynetdicom says who it is."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE, build_context
from pynetdicom.pdu_primitives import UserIdentityNegotiation

from dicomweb_server.bootstrap import open_store, start_dimse
from dicomweb_server.server.metrics import Metrics
from dicomweb_server.settings import Settings, SettingsError, load
from dicomweb_server.settings.passwords import hash_password
from tests.app.dimse_harness import VERIFICATION, open_node
from tests.tokens import AUDIENCE, ISSUER, Users, token, write_keys


def associate(port: int, password: bytes | None, kind: int = 2) -> tuple[bool, bytes | None]:
    """Whether the association was accepted, and the server's response about the user."""
    negotiation: list[Any] = []
    if password is not None:
        identity = UserIdentityNegotiation()
        identity.user_identity_type, identity.positive_response_requested = kind, True
        identity.primary_field = b"jane" if kind == 2 else password
        identity.secondary_field = password if kind == 2 else b""
        negotiation = [identity]
    association = AE("USER").associate("127.0.0.1", port, [build_context(VERIFICATION)], ext_neg=negotiation)
    answered = association.acceptor.user_identity
    if association.is_established:
        association.release()
        return True, answered.server_response if answered is not None else None
    return False, None


async def test_the_users_of_the_web_are_those_of_dimse(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, dimse_port=0, users={"jane": hash_password("right")}, dimse_require_user=True)
    async with open_store(settings) as store, start_dimse(settings, store, Metrics()) as server:
        assert server is not None
        port = server.ports[0]
        assert await asyncio.to_thread(associate, port, b"right") == (True, b"")
        assert await asyncio.to_thread(associate, port, b"wrong") == (False, None)
        assert await asyncio.to_thread(associate, port, None) == (False, None)


async def test_the_tokens_of_the_web_are_those_of_dimse(tmp_path: Path) -> None:
    settings = Settings(
        data=tmp_path / "data",
        dimse_port=0,
        token_keys=write_keys(tmp_path),
        token_issuer=ISSUER,
        token_audience=AUDIENCE,
        dimse_require_user=True,
    )
    async with open_store(settings) as store, start_dimse(settings, store, Metrics()) as server:
        assert server is not None
        port = server.ports[0]
        assert await asyncio.to_thread(associate, port, token().encode(), 5) == (True, b"")
        assert await asyncio.to_thread(associate, port, token(exp=1).encode(), 5) == (False, None)
        for kind in (2, 3, 4):  # no users with passwords; Kerberos and SAML cannot be checked
            assert await asyncio.to_thread(associate, port, b"right", kind) == (False, None)
        assert await asyncio.to_thread(associate, port, None) == (False, None)


def test_users_are_required_only_where_there_are_some() -> None:
    with pytest.raises(SettingsError, match="without users"):
        load({"dimse_require_user": "true"})
    with pytest.raises(SettingsError, match="token_issuer"):
        load({"token_keys": "keys.json", "token_audience": AUDIENCE})
    tokens = {"token_keys": "keys.json", "token_issuer": ISSUER, "token_audience": AUDIENCE}
    assert load({"dimse_require_user": "true", "host": "0.0.0.0", **tokens}).settings.dimse_require_user


@pytest.mark.parametrize(
    ("authenticator", "required", "password", "expected"),
    [
        (None, True, b"anything", (True, None)),
        (Users(), False, None, (True, None)),
        (Users(), True, None, (False, None)),
        (Users(), True, b"right", (True, b"")),
        (Users(), False, b"wrong", (False, None)),
    ],
)
async def test_user_name_and_passcode(
    tmp_path: Path,
    authenticator: Users | None,
    required: bool,
    password: bytes | None,
    expected: tuple[bool, bytes | None],
) -> None:
    async with open_node(tmp_path, authenticator=authenticator, require_identity=required) as node:
        assert await asyncio.to_thread(associate, node.port, password) == expected
