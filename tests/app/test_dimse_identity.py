"""User identity: pynetdicom says who it is."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE, build_context
from pynetdicom.pdu_primitives import UserIdentityNegotiation

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
