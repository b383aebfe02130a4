"""User identities: checked where somebody can, passed over where nobody does."""

import pytest

from dicomweb_server.dimse.admission import Refused
from dicomweb_server.dimse.identity import Identified, identified
from dicomweb_server.dimse.items import UserIdentity
from tests.tokens import Users


def identity(kind: int = 2, password: bytes = b"right", *, response: bool = False) -> UserIdentity:
    return UserIdentity(kind, response_requested=response, primary=b"jane", secondary=password)


@pytest.mark.parametrize("offered", [None, identity(), identity(5), identity(password=b"wrong", response=True)])
async def test_nobody_checks(offered: UserIdentity | None) -> None:
    assert await identified(offered, None, "10.0.0.1", required=True) == Identified()


@pytest.mark.parametrize("response", [True, False])
@pytest.mark.parametrize("kind", [2, 5])
async def test_right(response: bool, kind: int) -> None:
    offered = identity(kind, response=response)
    found = await identified(offered, Users({"jane": "joe"}), "10.0.0.1", required=True)
    assert found == Identified("jane" if kind == 2 else "joe", b"" if response else None)


@pytest.mark.parametrize(
    "offered", [identity(password=b"wrong"), identity(password=b"\xff" * 1000), identity(3), identity(4), identity(5)]
)
async def test_wrong_or_not_to_be_checked(offered: UserIdentity) -> None:
    assert isinstance(await identified(offered, Users(), "10.0.0.1", required=False), Refused)


@pytest.mark.parametrize("offered", [None, identity(1)])
async def test_nobody_in_particular(offered: UserIdentity | None) -> None:
    assert await identified(offered, Users(), "10.0.0.1", required=False) == Identified()
    assert isinstance(await identified(offered, Users(), "10.0.0.1", required=True), Refused)
