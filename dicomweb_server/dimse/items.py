"""PURE: the values inside association PDUs (PS3.8 §9.3, PS3.7 annex D) and their bytes. Never negotiates.

Written out here rather than taken from pynetdicom, whose items cost 13 ms for a request of 128 contexts and these 1 ms:
that time would be taken from everybody else on the event loop. pynetdicom is the oracle in the tests.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
MOST_CONTEXTS = 128  # odd identifiers from 1 to 255
MOST_TRANSFER_SYNTAXES = 256  # in one context; the standard has fewer
MOST_USER_ITEMS = 4096

_ITEM = struct.Struct(">BxH")
_TWO = struct.Struct(">H")


class ItemError(ValueError):
    """An item of an association PDU that cannot be understood."""


class ContextResult(IntEnum):
    """Result of a presentation context (PS3.8 table 9-18)."""

    ACCEPTED = 0
    USER_REJECTION = 1
    NO_REASON = 2
    ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
    TRANSFER_SYNTAXES_NOT_SUPPORTED = 4


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """A presentation context of an A-ASSOCIATE-RQ."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnsweredContext:
    """A presentation context of an A-ASSOCIATE-AC; the transfer syntax counts only if accepted."""

    context_id: int
    result: ContextResult
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class RoleSelection:
    """Which roles the requestor of the association may play for a SOP class (PS3.7 D.3.3.4)."""

    sop_class_uid: str
    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class AsynchronousWindow:
    """How many operations may be outstanding; 0 is unlimited (PS3.7 D.3.3.3)."""

    invoked: int
    performed: int


@dataclass(frozen=True, slots=True)
class ExtendedNegotiation:
    """What a service class negotiates about a SOP class in its own bytes (PS3.7 D.3.3.5)."""

    sop_class_uid: str
    information: bytes


@dataclass(frozen=True, slots=True)
class CommonExtendedNegotiation:
    """The service class and the related general classes of a SOP class (PS3.7 D.3.3.6)."""

    sop_class_uid: str
    service_class_uid: str
    related: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """Who the requestor says he is (PS3.7 D.3.3.7): 1 user, 2 user and passcode, 3 Kerberos, 4 SAML, 5 JWT."""

    kind: int
    response_requested: bool
    primary: bytes
    secondary: bytes = b""

    def __repr__(self) -> str:
        return f"UserIdentity(kind={self.kind})"  # its fields are secrets


@dataclass(frozen=True, slots=True)
class UserInformation:
    """The user information item. `maximum_length`: of a P-DATA PDU that its sender takes, 0 is unlimited."""

    maximum_length: int = 0
    implementation_class_uid: str = ""
    implementation_version_name: str = ""
    window: AsynchronousWindow | None = None
    roles: tuple[RoleSelection, ...] = ()
    extended: tuple[ExtendedNegotiation, ...] = ()
    common_extended: tuple[CommonExtendedNegotiation, ...] = ()
    identity: UserIdentity | None = None
    identity_response: bytes | None = None


def items(body: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The items that follow each other in `body`: type and content."""
    position, end = 0, len(body)
    while position < end:
        if end - position < 4:
            raise ItemError("an item is cut off in its header")
        kind, length = _ITEM.unpack_from(body, position)
        position += 4
        if length > end - position:
            raise ItemError(f"item {kind:02X}H declares {length} bytes, {end - position} are there")
        yield kind, body[position : position + length]
        position += length


def item(kind: int, content: bytes) -> bytes:
    """One item with its header."""
    return _ITEM.pack(kind, len(content)) + content


def uid(content: memoryview | bytes) -> str:
    """A UID without its padding; bytes that no UID can have stay visible."""
    return str(content, "latin-1").rstrip("\0 ")


def decode_proposed_context(content: memoryview) -> ProposedContext:
    """Presentation context item of a request (PS3.8 table 9-13)."""
    context_id = _context_id(content)
    abstract_syntax = ""
    transfer_syntaxes = []
    for kind, value in items(content[4:]):
        if kind == 0x30:
            abstract_syntax = uid(value)
        elif kind == 0x40:
            transfer_syntaxes.append(uid(value))
    if len(transfer_syntaxes) > MOST_TRANSFER_SYNTAXES:
        raise ItemError(f"presentation context {context_id} proposes {len(transfer_syntaxes)} transfer syntaxes")
    return ProposedContext(context_id, abstract_syntax, tuple(transfer_syntaxes))


def encode_proposed_context(context: ProposedContext) -> bytes:
    """Presentation context item of a request."""
    syntaxes = b"".join([item(0x40, syntax.encode()) for syntax in context.transfer_syntaxes])
    head = bytes((context.context_id, 0, 0, 0))
    return item(0x20, head + item(0x30, context.abstract_syntax.encode()) + syntaxes)


def decode_answered_context(content: memoryview) -> AnsweredContext:
    """Presentation context item of an acceptance (PS3.8 table 9-18)."""
    context_id = _context_id(content)
    transfer_syntax = ""
    for kind, value in items(content[4:]):
        if kind == 0x40:
            transfer_syntax = uid(value)
    if content[2] > ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED:
        raise ItemError(f"presentation context {context_id} has the result {content[2]}")
    return AnsweredContext(context_id, ContextResult(content[2]), transfer_syntax)


def encode_answered_context(context: AnsweredContext) -> bytes:
    """Presentation context item of an acceptance."""
    head = bytes((context.context_id, 0, context.result, 0))
    return item(0x21, head + item(0x40, context.transfer_syntax.encode()))


def _context_id(content: memoryview) -> int:
    if len(content) < 4:
        raise ItemError("a presentation context item is cut off")
    if content[0] % 2 == 0:
        raise ItemError(f"presentation context identifier {content[0]} is not odd")
    return content[0]


def decode_user_information(body: memoryview) -> UserInformation:
    """The user information item; sub-items that are not known are passed over (PS3.8 §9.3.1)."""
    single: dict[int, memoryview] = {}
    roles, extended, common = [], [], []
    for count, (kind, content) in enumerate(items(body)):
        if count >= MOST_USER_ITEMS:
            raise ItemError(f"there are more than {MOST_USER_ITEMS} user information sub-items")
        if kind == 0x54:
            roles.append(_decode_role(content))
        elif kind == 0x56:
            class_uid, rest = _prefixed(content)
            extended.append(ExtendedNegotiation(uid(class_uid), bytes(rest)))
        elif kind == 0x57:
            common.append(_decode_common_extended(content))
        else:
            single[kind] = content
    return UserInformation(
        maximum_length=int.from_bytes(_exactly(single.get(0x51), 4), "big"),
        implementation_class_uid=uid(single.get(0x52, b"")),
        implementation_version_name=uid(single.get(0x55, b"")),
        window=_decode_window(single.get(0x53)),
        roles=tuple(roles),
        extended=tuple(extended),
        common_extended=tuple(common),
        identity=_decode_identity(single.get(0x58)),
        identity_response=None if 0x59 not in single else bytes(_prefixed(single[0x59])[0]),
    )


def encode_user_information(user: UserInformation) -> bytes:
    """The user information item, its sub-items in the order of their types."""
    parts = [item(0x51, user.maximum_length.to_bytes(4, "big"))]
    if user.implementation_class_uid:
        parts.append(item(0x52, user.implementation_class_uid.encode()))
    if user.window is not None:
        parts.append(item(0x53, struct.pack(">HH", user.window.invoked, user.window.performed)))
    parts += [item(0x54, _prefix(role.sop_class_uid.encode()) + bytes((role.scu, role.scp))) for role in user.roles]
    if user.implementation_version_name:
        parts.append(item(0x55, user.implementation_version_name.encode()))
    parts += [item(0x56, _prefix(each.sop_class_uid.encode()) + each.information) for each in user.extended]
    for common in user.common_extended:
        related = b"".join([_prefix(related_uid.encode()) for related_uid in common.related])
        uids = _prefix(common.sop_class_uid.encode()) + _prefix(common.service_class_uid.encode())
        parts.append(item(0x57, uids + _prefix(related)))
    if user.identity is not None:
        identity = user.identity
        head = bytes((identity.kind, identity.response_requested))
        parts.append(item(0x58, head + _prefix(identity.primary) + _prefix(identity.secondary)))
    if user.identity_response is not None:
        parts.append(item(0x59, _prefix(user.identity_response)))
    return item(0x50, b"".join(parts))


def _decode_role(content: memoryview) -> RoleSelection:
    class_uid, rest = _prefixed(content)
    roles = _exactly(rest, 2)
    return RoleSelection(uid(class_uid), scu=roles[0] == 1, scp=roles[1] == 1)


def _decode_window(content: memoryview | None) -> AsynchronousWindow | None:
    return None if content is None else AsynchronousWindow(*struct.unpack(">HH", _exactly(content, 4)))


def _decode_common_extended(content: memoryview) -> CommonExtendedNegotiation:
    class_uid, rest = _prefixed(content)
    service_class_uid, rest = _prefixed(rest)
    remaining = _prefixed(rest)[0] if rest else rest
    related = []
    while remaining:
        related_uid, remaining = _prefixed(remaining)
        related.append(uid(related_uid))
    return CommonExtendedNegotiation(uid(class_uid), uid(service_class_uid), tuple(related))


def _decode_identity(content: memoryview | None) -> UserIdentity | None:
    if content is None:
        return None
    if len(content) < 2:
        raise ItemError("the user identity sub-item is cut off")
    primary, rest = _prefixed(content[2:])
    secondary = _prefixed(rest)[0] if rest else rest
    return UserIdentity(content[0], content[1] == 1, bytes(primary), bytes(secondary))


def _exactly(content: memoryview | None, length: int) -> memoryview:
    if content is None:
        return memoryview(bytes(length))
    if len(content) != length:
        raise ItemError(f"a sub-item has {len(content)} bytes where {length} are defined")
    return content


def _prefixed(content: memoryview) -> tuple[memoryview, memoryview]:
    """A value that follows its two-byte length, and what comes after it."""
    if len(content) < 2:
        raise ItemError("a length is cut off")
    end = 2 + int(_TWO.unpack_from(content)[0])
    if end > len(content):
        raise ItemError(f"a value declares {end - 2} bytes, {len(content) - 2} are there")
    return content[2:end], content[end:]


def _prefix(content: bytes) -> bytes:
    return _TWO.pack(len(content)) + content
