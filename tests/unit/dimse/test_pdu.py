"""PDUs and their items: two ways, and against pynetdicom's."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom import pdu as theirs
from pynetdicom import pdu_primitives as primitives
from pynetdicom.presentation import PresentationContext, build_context

from dicomweb_server.dimse import pdu
from dicomweb_server.dimse.items import (
    AnsweredContext,
    AsynchronousWindow,
    CommonExtendedNegotiation,
    ContextResult,
    ExtendedNegotiation,
    ProposedContext,
    RoleSelection,
    UserIdentity,
    UserInformation,
    item,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"

FULL_USER = UserInformation(
    maximum_length=16382,
    implementation_class_uid="1.2.3.4",
    implementation_version_name="VERSION",
    window=AsynchronousWindow(3, 2),
    roles=(RoleSelection(CT, scu=True, scp=True), RoleSelection(FIND, scu=True, scp=False)),
    extended=(ExtendedNegotiation(FIND, b"\1\1\0"),),
    common_extended=(CommonExtendedNegotiation(CT, "1.2.840.10008.4.2", ("1.2.3", "1.2.4")),),
    identity=UserIdentity(2, response_requested=True, primary=b"name", secondary=b"secret"),
)
REQUEST = pdu.AssociateRequest(
    "CALLED",
    "CALLING",
    (ProposedContext(1, CT, (IMPLICIT, EXPLICIT)), ProposedContext(255, FIND, (EXPLICIT,))),
    FULL_USER,
)
ACCEPT = pdu.AssociateAccept(
    "CALLED",
    "CALLING",
    (
        AnsweredContext(1, ContextResult.ACCEPTED, EXPLICIT),
        AnsweredContext(3, ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED, IMPLICIT),
    ),
    UserInformation(maximum_length=131072, implementation_class_uid="1.2", identity_response=b"token"),
)


def body(whole: bytes) -> memoryview:
    kind, length = pdu.HEADER.unpack_from(whole)
    assert length == len(whole) - 6
    assert kind in set(pdu.PduType)
    return memoryview(whole)[6:]


def reason_of(content: bytes, kind: int = pdu.PduType.ASSOCIATE_RQ) -> pdu.AbortReason:
    with pytest.raises(pdu.PduError) as caught:
        pdu.decode(kind, memoryview(content))
    assert caught.value.detail
    return caught.value.reason


def associate_body(*contents: bytes) -> bytes:
    return bytes(body(pdu.encode_request(REQUEST)))[:68] + b"".join(contents)


def test_request_both_ways() -> None:
    assert pdu.decode(pdu.PduType.ASSOCIATE_RQ, body(pdu.encode_request(REQUEST))) == REQUEST


def test_accept_both_ways() -> None:
    assert pdu.decode(pdu.PduType.ASSOCIATE_AC, body(pdu.encode_accept(ACCEPT))) == ACCEPT


def test_reject_release_abort_both_ways() -> None:
    rejection = pdu.encode_reject(pdu.Rejection.LOCAL_LIMIT_EXCEEDED)
    assert pdu.decode(pdu.PduType.ASSOCIATE_RJ, body(rejection)) == pdu.AssociateReject(2, 3, 2)
    abort = pdu.encode_abort(pdu.AbortSource.PROVIDER, pdu.AbortReason.UNEXPECTED_PDU)
    assert pdu.decode(pdu.PduType.ABORT, body(abort)) == pdu.Abort(2, 2)
    assert pdu.decode(pdu.PduType.RELEASE_RQ, body(pdu.RELEASE_REQUEST)) is None
    assert pdu.decode(pdu.PduType.RELEASE_RP, body(pdu.RELEASE_REPLY)) is None


def test_pynetdicom_reads_our_request() -> None:
    decoded = theirs.A_ASSOCIATE_RQ()
    decoded.decode(pdu.encode_request(REQUEST))
    primitive = decoded.to_primitive()
    assert (primitive.called_ae_title, primitive.calling_ae_title) == ("CALLED", "CALLING")
    contexts = primitive.presentation_context_definition_list
    assert [(c.context_id, c.abstract_syntax, c.transfer_syntax) for c in contexts] == [
        (1, CT, [IMPLICIT, EXPLICIT]),
        (255, FIND, [EXPLICIT]),
    ]
    found: dict[str, Any] = {type(each).__name__: each for each in primitive.user_information}
    assert found["MaximumLengthNotification"].maximum_length_received == 16382
    assert found["AsynchronousOperationsWindowNegotiation"].maximum_number_operations_invoked == 3
    assert found["UserIdentityNegotiation"].secondary_field == b"secret"
    assert found["SOPClassCommonExtendedNegotiation"].related_general_sop_class_identification == ["1.2.3", "1.2.4"]


def test_we_read_pynetdicoms_request_to_the_byte() -> None:
    primitive = primitives.A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = "CALLING", "CALLED"
    contexts: list[PresentationContext] = [build_context(CT, [IMPLICIT, EXPLICIT]), build_context(FIND, [EXPLICIT])]
    contexts[0].context_id, contexts[1].context_id = 1, 255
    primitive.presentation_context_definition_list = contexts
    length = primitives.MaximumLengthNotification()
    length.maximum_length_received = 16382
    implementation = primitives.ImplementationClassUIDNotification()
    implementation.implementation_class_uid = "1.2.3.4"
    role = primitives.SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid, role.scu_role, role.scp_role = CT, True, True
    primitive.user_information = [length, implementation, role]
    encoded = theirs.A_ASSOCIATE_RQ()
    encoded.from_primitive(primitive)
    decoded = pdu.decode_request(body(encoded.encode()))
    assert decoded.contexts == REQUEST.contexts
    assert decoded.user.roles == (RoleSelection(CT, scu=True, scp=True),)
    assert pdu.encode_request(decoded) == encoded.encode()


def test_padding_of_titles_and_uids_is_removed() -> None:
    padded = associate_body(
        item(0x20, b"\1\0\0\0" + item(0x30, CT.encode() + b"\0") + item(0x40, b"1.2.840.10008.1.2 "))
    )
    decoded = pdu.decode_request(memoryview(padded))
    assert decoded.contexts == (ProposedContext(1, CT, (IMPLICIT,)),)
    assert decoded.called_ae_title == "CALLED"


def test_unknown_items_are_passed_over() -> None:
    user = item(0x50, item(0x51, bytes(4)) + item(0x7E, b"whatever"))
    decoded = pdu.decode_request(memoryview(associate_body(item(0x77, b"?"), user)))
    assert decoded.contexts == ()


def test_identity_keeps_its_secret() -> None:
    assert "secret" not in repr(FULL_USER)


@pytest.mark.parametrize("context_id", [0, 2, 254])
def test_even_context_identifier(context_id: int) -> None:
    content = associate_body(item(0x20, bytes((context_id, 0, 0, 0)) + item(0x30, CT.encode())))
    assert reason_of(content) is pdu.AbortReason.INVALID_PARAMETER


def test_context_identifier_twice() -> None:
    context = item(0x20, b"\1\0\0\0" + item(0x30, CT.encode()))
    assert reason_of(associate_body(context, context)) is pdu.AbortReason.INVALID_PARAMETER


def test_more_contexts_than_identifiers() -> None:
    contexts = [item(0x20, bytes((n % 256, 0, 0, 0))) for n in range(1, 400, 2)]
    assert reason_of(associate_body(*contexts)) is pdu.AbortReason.INVALID_PARAMETER


def test_thousands_of_transfer_syntaxes() -> None:
    context = item(0x20, b"\1\0\0\0" + item(0x30, CT.encode()) + 10_000 * item(0x40, b"1"))
    assert reason_of(associate_body(context)) is pdu.AbortReason.INVALID_PARAMETER


def test_thousands_of_user_items() -> None:
    user = item(0x50, 6000 * item(0x54, b"\0\1" + b"1\1\1"))
    assert reason_of(associate_body(user)) is pdu.AbortReason.INVALID_PARAMETER


@pytest.mark.parametrize(
    "content",
    [
        b"\x20\0\0",
        b"\x20\0\0\x09abc",
        item(0x20, b"\1\0"),
        item(0x50, item(0x51, b"\0\0")),
        item(0x50, item(0x53, b"\0\1")),
        item(0x50, item(0x54, b"\0\x20" + b"1.2")),
        item(0x50, item(0x54, b"\0\3" + b"1.2")),
        item(0x50, item(0x56, b"\0")),
        item(0x50, item(0x57, b"\0\0\0\0\0\4\0\x09ab")),
        item(0x50, item(0x58, b"\1")),
        item(0x50, item(0x58, b"\1\0\xff\xff")),
    ],
)
def test_lying_lengths(content: bytes) -> None:
    assert reason_of(associate_body(content)) is pdu.AbortReason.INVALID_PARAMETER


@pytest.mark.parametrize(
    "kind", [pdu.PduType.ASSOCIATE_RJ, pdu.PduType.RELEASE_RQ, pdu.PduType.RELEASE_RP, pdu.PduType.ABORT]
)
def test_fixed_pdus_of_another_length(kind: pdu.PduType) -> None:
    assert reason_of(b"\0\0\0", kind) is pdu.AbortReason.INVALID_PARAMETER


def test_short_association_pdu() -> None:
    assert reason_of(bytes(67)) is pdu.AbortReason.INVALID_PARAMETER


def test_answered_context_with_an_undefined_result() -> None:
    content = associate_body(item(0x21, b"\1\0\x09\0" + item(0x40, IMPLICIT.encode())))
    assert reason_of(content, pdu.PduType.ASSOCIATE_AC) is pdu.AbortReason.INVALID_PARAMETER


def test_fragments_are_views() -> None:
    content = bytearray(b"\0\0\0\5\1\3abc" + b"\0\0\0\2\3\0")
    found = list(pdu.fragments(memoryview(content)))
    assert [(context, control, bytes(fragment)) for context, control, fragment in found] == [
        (1, 3, b"abc"),
        (3, 0, b""),
    ]
    content[6] = ord("X")
    assert bytes(found[0][2]) == b"Xbc"


@pytest.mark.parametrize(
    "content", [b"", b"\0\0\0\2\1", b"\0\0\0\1\1\0", b"\0\0\0\x09\1\3abc", b"\xff\xff\xff\xff\1\3abc"]
)
def test_wrong_fragments(content: bytes) -> None:
    with pytest.raises(pdu.PduError):
        list(pdu.fragments(memoryview(content)))


@given(st.sampled_from([pdu.PduType.ASSOCIATE_RQ, pdu.PduType.ASSOCIATE_AC]), st.binary(max_size=300))
def test_anything_is_decoded_or_refused(kind: pdu.PduType, content: bytes) -> None:
    for whole in (content, bytes(68) + content):
        try:
            pdu.decode(kind, memoryview(whole))
        except pdu.PduError as error:
            assert error.detail  # noqa: PT017


@given(st.data())
def test_a_request_with_one_wrong_byte(data: st.DataObject) -> None:
    content = bytearray(body(pdu.encode_request(REQUEST)))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = pdu.decode_request(memoryview(content))
    except pdu.PduError:
        return
    assert len(decoded.contexts) <= 128
