"""PS3.7 §9 and annexes C, D, E: commands, statuses, and what is negotiated about operations."""

import struct

import pytest

from conformance.requirement import requires
from conformance.upper_layer import (
    ABORT,
    CT_STORAGE,
    EXPLICIT,
    IMPLICIT,
    STUDY_ROOT_FIND,
    VERIFICATION,
    Peer,
    command_set,
    item,
    number,
    p_data,
    proposal,
)

Address = tuple[str, int]
STATUS, RESPONDED_TO, COMMAND_FIELD, NO_DATA_SET = 0x0900, 0x0120, 0x0100, 0x0101


def prefixed(uid: str) -> bytes:
    return struct.pack(">H", len(uid)) + uid.encode()


@requires("PS3.7 §9.3.5")
def test_c_echo_is_answered_with_its_message_id_and_class(dimse: Address) -> None:
    with Peer(dimse) as peer:
        peer.associate()
        peer.send(p_data(1, 3, command_set({0x0002: VERIFICATION, 0x0100: 0x30, 0x0110: 4711, 0x0800: NO_DATA_SET})))
        answer = peer.response()
        assert number(answer, COMMAND_FIELD) == 0x8030
        assert number(answer, RESPONDED_TO) == 4711
        assert number(answer, 0x0800) == NO_DATA_SET
        assert answer[0x0002].rstrip(b"\0").decode() == VERIFICATION
        assert int.from_bytes(answer[0x0000], "little") > 0
        peer.release()


@requires("PS3.7 §C.5.21")
@pytest.mark.parametrize("field", [0x0130, 0x0150, 0x4711])
def test_an_operation_that_the_class_does_not_have(dimse: Address, field: int) -> None:
    with Peer(dimse) as peer:
        peer.associate()
        elements: dict[int, int | str] = {0x0003: VERIFICATION, 0x0100: field, 0x0110: 1, 0x0800: NO_DATA_SET}
        peer.send(p_data(1, 3, command_set(elements | {0x1001: "1.2.3", 0x1008: 1})))
        answer = peer.response()
        assert (number(answer, COMMAND_FIELD), number(answer, STATUS)) == (field | 0x8000, 0x0211)
        assert peer.echo() == 0
        peer.release()


@requires("PS3.7 §9.1.1")
def test_a_sop_class_other_than_that_of_the_context(dimse: Address) -> None:
    with Peer(dimse) as peer:
        peer.associate(proposal(1, CT_STORAGE, EXPLICIT))
        mr = "1.2.840.10008.5.1.4.1.1.4"
        store: dict[int, int | str] = {0x0002: mr, 0x0100: 1, 0x0110: 1, 0x0700: 0, 0x0800: 1, 0x1000: "1.2.3"}
        peer.send(p_data(1, 3, command_set(store)) + p_data(1, 2, b""))
        assert number(peer.response(), STATUS) == 0x0122
        peer.release()


@requires("PS3.7 §9.3.1")
@pytest.mark.parametrize("missing", [0x0002, 0x0110, 0x1000])
def test_a_command_without_mandatory_elements(dimse: Address, missing: int) -> None:
    with Peer(dimse) as peer:
        peer.associate(proposal(1, CT_STORAGE, EXPLICIT))
        store: dict[int, int | str] = {0x0002: CT_STORAGE, 0x0100: 1, 0x0110: 1, 0x0800: 1, 0x1000: "1.2.3"}
        del store[missing]
        peer.send(p_data(1, 3, command_set(store)))
        assert peer.receive()[0] == ABORT


@requires("PS3.7 §6.3.1")
@pytest.mark.parametrize("command", [b"", b"\0\0\0", b"\x08\0\x18\0\4\0\0\x001.2\0", bytes(64), b"\xff" * 64])
def test_what_is_no_command_set(dimse: Address, command: bytes) -> None:
    with Peer(dimse) as peer:
        peer.associate()
        peer.send(p_data(1, 3, command))
        assert peer.receive()[0] == ABORT


@requires("PS3.7 §9.3.2.3")
def test_a_cancel_of_nothing_is_ignored(dimse: Address) -> None:
    with Peer(dimse) as peer:
        peer.associate()
        peer.send(p_data(1, 3, command_set({0x0100: 0x0FFF, 0x0120: 99, 0x0800: NO_DATA_SET})))
        assert peer.echo() == 0
        peer.release()


@requires("PS3.7 §D.3.3.3")
@pytest.mark.parametrize("proposed", [(1, 1), (0, 0), (5, 3), (1000, 1000)])
def test_the_asynchronous_operations_window_is_answered_within_what_was_proposed(
    dimse: Address, proposed: tuple[int, int]
) -> None:
    with Peer(dimse) as peer:
        answer = peer.associate(user=item(0x53, struct.pack(">HH", *proposed)))
        for window in answer.sub_items(0x53):  # absent: one operation at a time
            for offered, agreed in zip(proposed, struct.unpack(">HH", window), strict=True):
                assert agreed >= 1 or not offered
                assert not offered or agreed <= offered
        peer.release()


@requires("PS3.7 §D.3.3.4")
def test_roles_are_answered_for_what_was_proposed_only(dimse: Address) -> None:
    with Peer(dimse) as peer:
        role = item(0x54, prefixed(CT_STORAGE) + b"\1\1")
        answer = peer.associate(proposal(1, CT_STORAGE, EXPLICIT), proposal(3, VERIFICATION, IMPLICIT), user=role)
        found = answer.sub_items(0x54)
        assert len(found) <= 1
        assert all(content.startswith(prefixed(CT_STORAGE)) for content in found)
        peer.release()
    with Peer(dimse) as peer:
        assert peer.associate(proposal(1, CT_STORAGE, EXPLICIT)).sub_items(0x54) == []
        peer.release()


@requires("PS3.7 §D.3.3.5")
def test_extended_negotiation_is_answered_for_what_was_proposed_only(dimse: Address) -> None:
    with Peer(dimse) as peer:
        proposed = item(0x56, prefixed(STUDY_ROOT_FIND) + b"\1\1\1\1\1")
        answer = peer.associate(proposal(1, STUDY_ROOT_FIND, IMPLICIT), user=proposed)
        for content in answer.sub_items(0x56):
            information = content[len(prefixed(STUDY_ROOT_FIND)) :]
            assert content.startswith(prefixed(STUDY_ROOT_FIND))
            assert set(information) <= {0, 1}
        peer.release()


@requires("PS3.7 §D.3.3.7")
@pytest.mark.parametrize("kind", [1, 2, 3, 4, 5])
def test_user_identities_of_every_type_are_understood(dimse: Address, kind: int) -> None:
    with Peer(dimse) as peer:
        identity = bytes((kind, 0)) + b"\0\4user" + (b"\0\6secret" if kind == 2 else b"\0\0")
        answer = peer.associate(user=item(0x58, identity))
        assert answer.sub_items(0x59) == []  # no response was asked for
        peer.release()
