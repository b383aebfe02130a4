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


class Users:
    """Knows one user."""

    async def user(self, name: str, password: str, address: str) -> str | None:
        return name if (name, password) == ("jane", "right") else None


def associate(port: int, password: bytes | None) -> tuple[bool, bytes | None]:
    """Whether the association was accepted, and the server's response about the user."""
    negotiation: list[Any] = []
    if password is not None:
        identity = UserIdentityNegotiation()
        identity.user_identity_type, identity.positive_response_requested = 2, True
        identity.primary_field, identity.secondary_field = b"jane", password
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


def test_users_are_required_only_where_there_are_some() -> None:
    with pytest.raises(SettingsError, match="without users"):
        load({"dimse_require_user": "true"})


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
