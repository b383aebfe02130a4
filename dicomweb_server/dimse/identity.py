"""User identity negotiation (PS3.7 §D.3.3.7): who the peer says he is, checked by whoever checks users for the web."""

from dataclasses import dataclass
from typing import Protocol

from dicomweb_server.dimse.admission import Refused
from dicomweb_server.dimse.items import UserIdentity
from dicomweb_server.dimse.pdu import Rejection

USER_NAME, USER_NAME_AND_PASSCODE, JSON_WEB_TOKEN = 1, 2, 5
_LONGEST = 256  # bytes of a name or passcode


class Authenticator(Protocol):
    """Knows users."""

    async def user(self, name: str, password: str, address: str) -> str | None:
        """The user of this name, None if there is none or the password is wrong."""

    def bearer(self, token: str, address: str) -> str | None:
        """The user whose token this is, None if it is not to be believed."""


@dataclass(frozen=True, slots=True)
class Identified:
    """The user, "" if nobody checked; `response`: the server response that was asked for, None if none is due."""

    user: str = ""
    response: bytes | None = None


async def identified(
    identity: UserIdentity | None, authenticator: Authenticator | None, address: str, *, required: bool
) -> Identified | Refused:
    """Who the peer is. Where nobody can check, what it says is passed over, as PS3.7 allows.

    A response that was asked for is empty: only those to Kerberos and SAML have content (PS3.7 table D.3-15).
    """
    if authenticator is None:
        return Identified()
    if identity is None or identity.kind == USER_NAME:  # a name alone proves nothing
        return _refused("a user name and passcode, or a token, are required") if required else Identified()
    if identity.kind == JSON_WEB_TOKEN:
        user = authenticator.bearer(identity.primary.decode("utf-8", "replace"), address)
    elif identity.kind != USER_NAME_AND_PASSCODE:
        return _refused(f"user identities of type {identity.kind} cannot be checked")
    elif max(len(identity.primary), len(identity.secondary)) > _LONGEST:
        return _refused("the user name or passcode is too long")
    else:
        name, password = (part.decode("utf-8", "replace") for part in (identity.primary, identity.secondary))
        user = await authenticator.user(name, password, address)
    if user is None:
        return _refused("the user name and passcode, or the token, are wrong")
    return Identified(user, b"" if identity.response_requested else None)


def _refused(detail: str) -> Refused:
    return Refused(Rejection.NO_REASON, detail)
