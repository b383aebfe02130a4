"""PURE: the seven PDUs of PS3.8 §9.3 and their bytes. Never reads a socket and never decides what to do with a PDU."""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from dicomweb_server.dimse.items import (
    APPLICATION_CONTEXT,
    MOST_CONTEXTS,
    AnsweredContext,
    ItemError,
    ProposedContext,
    UserInformation,
    decode_answered_context,
    decode_proposed_context,
    decode_user_information,
    encode_answered_context,
    encode_proposed_context,
    encode_user_information,
    item,
    items,
    uid,
)

HEADER = struct.Struct(">BxL")  # type, reserved, length of what follows
PDV_HEADER = struct.Struct(">LBB")  # length of what follows, context, message control header
COMMAND_FRAGMENT = 0x01  # bits of the message control header (PS3.8 annex E)
LAST_FRAGMENT = 0x02


class PduType(IntEnum):
    """The first byte of a PDU."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    P_DATA = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


class AbortSource(IntEnum):
    """Who aborts (PS3.8 table 9-26)."""

    USER = 0
    PROVIDER = 2


class AbortReason(IntEnum):
    """Why a provider aborts (PS3.8 table 9-26)."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNIZED_PARAMETER = 4
    UNEXPECTED_PARAMETER = 5
    INVALID_PARAMETER = 6


class PduError(Exception):
    """Bytes that are no valid PDU; `reason` goes into the A-ABORT that answers them."""

    def __init__(self, reason: AbortReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Rejection(IntEnum):
    """Why an association is rejected: result, source and reason of PS3.8 table 9-21, one byte each."""

    NO_REASON = 0x010101
    APPLICATION_CONTEXT_NOT_SUPPORTED = 0x010102
    CALLING_AE_TITLE_NOT_RECOGNIZED = 0x010103
    CALLED_AE_TITLE_NOT_RECOGNIZED = 0x010107
    NO_REASON_BY_ACSE = 0x010201
    PROTOCOL_VERSION_NOT_SUPPORTED = 0x010202
    TEMPORARY_CONGESTION = 0x020301
    LOCAL_LIMIT_EXCEEDED = 0x020302


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    """A-ASSOCIATE-RQ."""

    called_ae_title: str
    calling_ae_title: str
    contexts: tuple[ProposedContext, ...]
    user: UserInformation
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = 1


@dataclass(frozen=True, slots=True)
class AssociateAccept:
    """A-ASSOCIATE-AC. The AE titles repeat those of the request and mean nothing (PS3.8 table 9-17)."""

    called_ae_title: str
    calling_ae_title: str
    contexts: tuple[AnsweredContext, ...]
    user: UserInformation
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = 1


@dataclass(frozen=True, slots=True)
class AssociateReject:
    """A-ASSOCIATE-RJ."""

    result: int
    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class Abort:
    """A-ABORT."""

    source: int
    reason: int


RELEASE_REQUEST = HEADER.pack(PduType.RELEASE_RQ, 4) + bytes(4)
RELEASE_REPLY = HEADER.pack(PduType.RELEASE_RP, 4) + bytes(4)


def encode_request(request: AssociateRequest) -> bytes:
    """A-ASSOCIATE-RQ (PS3.8 table 9-11)."""
    contexts = b"".join([encode_proposed_context(context) for context in request.contexts])
    return _encode_associate(PduType.ASSOCIATE_RQ, request, contexts)


def encode_accept(accept: AssociateAccept) -> bytes:
    """A-ASSOCIATE-AC (PS3.8 table 9-17)."""
    contexts = b"".join([encode_answered_context(context) for context in accept.contexts])
    return _encode_associate(PduType.ASSOCIATE_AC, accept, contexts)


def encode_reject(rejection: Rejection) -> bytes:
    """A-ASSOCIATE-RJ (PS3.8 table 9-21)."""
    return HEADER.pack(PduType.ASSOCIATE_RJ, 4) + rejection.to_bytes(4, "big")


def encode_abort(source: AbortSource, reason: AbortReason = AbortReason.NOT_SPECIFIED) -> bytes:
    """A-ABORT (PS3.8 table 9-26)."""
    return HEADER.pack(PduType.ABORT, 4) + bytes((0, 0, source, reason))


def decode(kind: int, body: memoryview) -> AssociateRequest | AssociateAccept | AssociateReject | Abort | None:
    """The content of a PDU that is not P-DATA-TF; releases have none."""
    decoder = _DECODERS.get(kind)
    return decoder(body) if decoder is not None else None


def decode_request(body: memoryview) -> AssociateRequest:
    """A-ASSOCIATE-RQ out of what follows the header."""
    version, called, calling, application, contexts, user = _decode_associate(body, 0x20)
    try:
        proposed = tuple([decode_proposed_context(content) for content in contexts])
        information = decode_user_information(user)
    except ItemError as error:
        raise PduError(AbortReason.INVALID_PARAMETER, str(error)) from error
    if len({context.context_id for context in proposed}) != len(proposed):
        raise PduError(AbortReason.INVALID_PARAMETER, "a presentation context identifier is used twice")
    return AssociateRequest(called, calling, proposed, information, application, version)


def decode_accept(body: memoryview) -> AssociateAccept:
    """A-ASSOCIATE-AC out of what follows the header."""
    version, called, calling, application, contexts, user = _decode_associate(body, 0x21)
    try:
        answered = tuple([decode_answered_context(content) for content in contexts])
        information = decode_user_information(user)
    except ItemError as error:
        raise PduError(AbortReason.INVALID_PARAMETER, str(error)) from error
    return AssociateAccept(called, calling, answered, information, application, version)


def decode_reject(body: memoryview) -> AssociateReject:
    """A-ASSOCIATE-RJ out of what follows the header."""
    return AssociateReject(*_fixed(body)[1:4])


def decode_abort(body: memoryview) -> Abort:
    """A-ABORT out of what follows the header."""
    return Abort(*_fixed(body)[2:4])


def decode_release(body: memoryview) -> None:
    """A-RELEASE-RQ or -RP: nothing but its length can be wrong."""
    _fixed(body)


_DECODERS: Mapping[int, Callable[[memoryview], AssociateRequest | AssociateAccept | AssociateReject | Abort | None]] = {
    PduType.ASSOCIATE_RQ: decode_request,
    PduType.ASSOCIATE_AC: decode_accept,
    PduType.ASSOCIATE_RJ: decode_reject,
    PduType.RELEASE_RQ: decode_release,
    PduType.RELEASE_RP: decode_release,
    PduType.ABORT: decode_abort,
}


def fragments(body: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """The presentation data values of a P-DATA-TF PDU: context, message control header, fragment (not copied)."""
    position, end = 0, len(body)
    if not end:
        raise PduError(AbortReason.INVALID_PARAMETER, "a P-DATA PDU without presentation data values")
    while position < end:
        if end - position < 6:
            raise PduError(AbortReason.INVALID_PARAMETER, "a presentation data value is cut off")
        length, context_id, control = PDV_HEADER.unpack_from(body, position)
        following = position + 4 + length
        if length < 2 or following > end:
            raise PduError(
                AbortReason.INVALID_PARAMETER,
                f"a presentation data value declares {length} bytes, {end - position - 4} are there",
            )
        yield context_id, control, body[position + 6 : following]
        position = following


def _encode_associate(kind: PduType, pdu: AssociateRequest | AssociateAccept, contexts: bytes) -> bytes:
    body = b"".join(
        (
            pdu.protocol_version.to_bytes(2, "big"),
            bytes(2),
            pdu.called_ae_title.encode("latin-1", "replace").ljust(16)[:16],
            pdu.calling_ae_title.encode("latin-1", "replace").ljust(16)[:16],
            bytes(32),
            item(0x10, pdu.application_context.encode()),
            contexts,
            encode_user_information(pdu.user),
        )
    )
    return HEADER.pack(kind, len(body)) + body


def _decode_associate(body: memoryview, context_type: int) -> tuple[int, str, str, str, list[memoryview], memoryview]:
    if len(body) < 68:
        raise PduError(AbortReason.INVALID_PARAMETER, f"an association PDU of {len(body)} bytes")
    version = int.from_bytes(body[:2], "big")
    called, calling = (str(body[start : start + 16], "latin-1").strip(" \0") for start in (4, 20))
    application, user = "", memoryview(b"")
    contexts = []
    try:
        for kind, content in items(body[68:]):
            if kind == context_type:
                contexts.append(content)
            elif kind == 0x10:
                application = uid(content)
            elif kind == 0x50:
                user = content
    except ItemError as error:
        raise PduError(AbortReason.INVALID_PARAMETER, str(error)) from error
    if len(contexts) > MOST_CONTEXTS:
        raise PduError(AbortReason.INVALID_PARAMETER, f"{len(contexts)} presentation contexts")
    return version, called, calling, application, contexts, user


def _fixed(body: memoryview) -> memoryview:
    if len(body) != 4:
        raise PduError(AbortReason.INVALID_PARAMETER, f"a PDU of {len(body)} bytes where 4 are defined")
    return body
