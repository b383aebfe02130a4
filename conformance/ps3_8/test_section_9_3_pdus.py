"""PS3.8 §9.3: association requests and their answers, presentation contexts, presentation data values."""

import pytest

from conformance.requirement import requires
from conformance.upper_layer import (
    ABORT,
    AC,
    BIG_ENDIAN,
    CT_STORAGE,
    EXPLICIT,
    IMPLICIT,
    RJ,
    VERIFICATION,
    Peer,
    accepted,
    associate_rq,
    data_value,
    echo_command,
    item,
    number,
    p_data,
    pdu,
    proposal,
)

Address = tuple[str, int]
ACCEPTED, ABSTRACT_SYNTAX_NOT_SUPPORTED, TRANSFER_SYNTAXES_NOT_SUPPORTED = 0, 3, 4
UNKNOWN_SYNTAX = "1.2.840.10008.1.2.4.9999"
PRINT = "1.2.840.10008.5.1.1.9"


@requires("PS3.8 §9.3.3.2")
def test_every_proposed_context_is_answered(dimse: Address) -> None:
    with Peer(dimse) as peer:
        answer = peer.associate(
            proposal(1, VERIFICATION, IMPLICIT),
            proposal(7, PRINT, IMPLICIT),
            proposal(255, CT_STORAGE, UNKNOWN_SYNTAX),
        )
        assert {context: result for context, (result, _) in answer.contexts.items()} == {
            1: ACCEPTED,
            7: ABSTRACT_SYNTAX_NOT_SUPPORTED,
            255: TRANSFER_SYNTAXES_NOT_SUPPORTED,
        }
        peer.release()


@requires("PS3.8 §9.3.2.2")
def test_128_contexts(dimse: Address) -> None:
    with Peer(dimse) as peer:
        answer = peer.associate(*(proposal(n, CT_STORAGE, EXPLICIT, IMPLICIT) for n in range(1, 256, 2)))
        assert list(answer.contexts) == list(range(1, 256, 2))
        assert {result for result, _ in answer.contexts.values()} == {ACCEPTED}
        peer.release()


@requires("PS3.8 §9.3.3.2")
@pytest.mark.parametrize("proposed", [(IMPLICIT,), (EXPLICIT, IMPLICIT), (BIG_ENDIAN, EXPLICIT), (BIG_ENDIAN,)])
def test_one_of_the_proposed_transfer_syntaxes_is_chosen(dimse: Address, proposed: tuple[str, ...]) -> None:
    with Peer(dimse) as peer:
        answer = peer.associate(proposal(1, CT_STORAGE, *proposed))
        assert answer.contexts[1][1] in proposed
        peer.release()


@requires("PS3.8 §9.3.2.2")
@pytest.mark.parametrize("context_id", [0, 2, 254])
def test_a_context_identifier_that_is_not_odd(dimse: Address, context_id: int) -> None:
    with Peer(dimse) as peer:
        peer.send(associate_rq(proposal(context_id, VERIFICATION, IMPLICIT)))
        assert peer.receive()[0] in (ABORT, RJ)


@requires("PS3.8 §9.3.2.2")
def test_a_context_identifier_that_is_used_twice(dimse: Address) -> None:
    with Peer(dimse) as peer:
        peer.send(associate_rq(proposal(1, VERIFICATION, IMPLICIT), proposal(1, CT_STORAGE, IMPLICIT)))
        assert peer.receive()[0] in (ABORT, RJ)


@requires("PS3.8 §9.3.3")
def test_the_answer_repeats_application_context_and_announces_a_length(dimse: Address) -> None:
    with Peer(dimse) as peer:
        peer.send(associate_rq(proposal(1, VERIFICATION, IMPLICIT), called="SOME AE"))
        kind, body = peer.receive()
        assert kind == AC
        assert int.from_bytes(body[:2], "big") & 1
        assert body[4:20].decode() == "SOME AE".ljust(16)
        answer = accepted(body)
        (length,) = answer.sub_items(0x51)
        assert int.from_bytes(length, "big") >= 4096
        assert answer.sub_items(0x52)  # implementation class UID
        peer.release()


@requires("PS3.8 §9.3.4")
@pytest.mark.parametrize(
    ("changed", "source", "reason"),
    [
        ({"version": 2}, 2, 2),
        ({"application_context": "1.2.3"}, 1, 2),
        ({"calling": ""}, 1, 3),
        ({"called": ""}, 1, 7),
    ],
)
def test_rejections_say_why(dimse: Address, changed: dict[str, object], source: int, reason: int) -> None:
    with Peer(dimse) as peer:
        peer.send(associate_rq(proposal(1, VERIFICATION, IMPLICIT), **changed))  # type: ignore[arg-type]
        kind, body = peer.receive()
        assert (kind, tuple(body[1:])) == (RJ, (1, source, reason))


@requires("PS3.8 §9.3.1")
def test_items_that_are_not_known_are_ignored(dimse: Address) -> None:
    with Peer(dimse) as peer:
        peer.associate(proposal(1, VERIFICATION, IMPLICIT), item(0x77, b"unknown"), user=item(0x5F, b"unknown"))
        assert peer.echo() == 0
        peer.release()


@requires("PS3.8 §9.3.5")
def test_a_command_in_fragments_of_one_byte(dimse: Address) -> None:
    command = echo_command(9)
    with Peer(dimse) as peer:
        peer.associate()
        for position, value in enumerate(command):
            peer.send(p_data(1, 3 if position == len(command) - 1 else 1, bytes((value,))))
        answer = peer.response()
        assert (number(answer, 0x0120), number(answer, 0x0900)) == (9, 0)
        peer.release()


@requires("PS3.8 §9.3.5")
def test_several_values_in_one_pdu(dimse: Address) -> None:
    command = echo_command(9)
    with Peer(dimse) as peer:
        peer.associate()
        fragments = b"".join(data_value(1, 1, command[n : n + 10]) for n in range(0, len(command) - 10, 10))
        rest = command[len(fragments) // 16 * 10 :]
        peer.send(pdu(4, fragments + data_value(1, 3, rest)))
        assert number(peer.response(), 0x0900) == 0
        peer.release()


@requires("PS3.8 §9.3.5")
@pytest.mark.parametrize("size", [1, 3, 5, 6, 7])
def test_pdus_may_arrive_in_any_pieces(dimse: Address, size: int) -> None:
    data = associate_rq(proposal(1, VERIFICATION, IMPLICIT))
    with Peer(dimse) as peer:
        for start in range(0, len(data), size):
            peer.send(data[start : start + size])
        assert peer.receive()[0] == AC
        assert peer.echo() == 0
        peer.release()


@requires("PS3.8 §9.3.5")
@pytest.mark.parametrize(
    "body",
    [
        data_value(3, 3, echo_command()),  # a context that was not accepted
        data_value(1, 2, b"a data set first"),
        data_value(1, 3, echo_command())[:-10],
        b"\0\0\0\1\1",
        b"",
    ],
)
def test_wrong_presentation_data_values_are_aborted(dimse: Address, body: bytes) -> None:
    with Peer(dimse) as peer:
        peer.associate()
        peer.send(pdu(4, body))
        kind, content = peer.receive()
        assert (kind, content[2]) == (ABORT, 2)
