"""PS3.8 §9.2: each PDU in each state of an acceptor that a peer can bring about, by table 9-10."""

import time

import pytest

from conformance.patience import SOON
from conformance.requirement import requires
from conformance.upper_layer import (
    ABORT,
    AC,
    CLOSED,
    DATA,
    NOT_IN_STA6,
    PDUS,
    RELEASE_RP,
    Peer,
    fixed,
)

Address = tuple[str, int]
SERVICE_USER, SERVICE_PROVIDER = 0, 2


def is_closed(peer: Peer, seconds: float = SOON) -> bool:
    return peer.receive(seconds)[0] == CLOSED


@requires("PS3.8 §9.2")
@pytest.mark.parametrize("name", [name for name in PDUS if name != "A-ASSOCIATE-RQ"])
def test_awaiting_the_request_anything_else_is_aborted(dimse: Address, name: str) -> None:
    """Sta2: AA-1."""
    with Peer(dimse) as peer:
        peer.send(PDUS[name])
        kind, body = peer.receive()
        assert (kind, body[2]) == (ABORT, SERVICE_USER)
        assert is_closed(peer)


@requires("PS3.8 §9.2")
def test_awaiting_the_request_an_abort_closes(dimse: Address) -> None:
    """Sta2: AA-2."""
    with Peer(dimse) as peer:
        peer.send(fixed(ABORT))
        assert is_closed(peer)


@requires("PS3.8 §9.2")
@pytest.mark.parametrize("name", [*PDUS, "A-ABORT"])
def test_what_comes_with_the_request_meets_its_answer_or_an_abort(dimse: Address, name: str) -> None:
    """Sta3: AA-8 or AA-3, unless the answer was quicker: then Sta6. Whichever, there is one, and the next is served."""
    with Peer(dimse) as peer:
        peer.send(PDUS["A-ASSOCIATE-RQ"] + (PDUS | {"A-ABORT": fixed(ABORT)})[name])
        kinds: list[int] = []
        while not kinds or kinds[-1] not in (CLOSED, DATA, RELEASE_RP):
            kinds.append(peer.receive()[0])
    assert kinds in ([CLOSED], [ABORT, CLOSED], [AC, CLOSED], [AC, ABORT, CLOSED], [AC, DATA], [AC, RELEASE_RP])
    with Peer(dimse) as another:
        another.associate()
        assert another.echo() == 0
        another.release()


@requires("PS3.8 §9.2")
@pytest.mark.parametrize(("name", "reason"), NOT_IN_STA6)
def test_established_what_does_not_belong_there_is_aborted_by_the_provider(
    dimse: Address, name: str, reason: int
) -> None:
    """Sta6: AA-8, with the reason of table 9-26."""
    with Peer(dimse) as peer:
        peer.associate()
        peer.send(PDUS[name])
        kind, body = peer.receive()
        assert (kind, body[2], body[3]) == (ABORT, SERVICE_PROVIDER, reason)
        assert is_closed(peer)


@requires("PS3.8 §9.2")
def test_established_data_is_taken(dimse: Address) -> None:
    """Sta6: DT-2 and DT-1."""
    with Peer(dimse) as peer:
        peer.associate()
        assert [peer.echo(message_id=n) for n in (1, 2, 65535)] == [0, 0, 0]
        peer.release()


@requires("PS3.8 §9.2")
def test_established_a_release_is_answered_and_the_peer_may_close(dimse: Address) -> None:
    """Sta6: AR-2, AR-4."""
    with Peer(dimse) as peer:
        peer.associate()
        peer.release()
        peer.socket.close()


@requires("PS3.8 §9.2")
def test_established_an_abort_closes(dimse: Address) -> None:
    """Sta6: AA-3."""
    with Peer(dimse) as peer:
        peer.associate()
        peer.send(fixed(ABORT))
        assert is_closed(peer)


@requires("PS3.8 §9.2")
def test_the_transport_may_close_at_any_time(dimse: Address) -> None:
    """Sta2 AA-5, Sta6 AA-4: the next association is served."""
    Peer(dimse).socket.close()
    peer = Peer(dimse)
    peer.associate()
    peer.socket.close()
    with Peer(dimse) as another:
        another.associate()
        assert another.echo() == 0
        another.release()


@requires("PS3.8 §9.2")
@pytest.mark.parametrize("name", [name for name in PDUS if name not in ("A-ASSOCIATE-RQ", "an unknown PDU")])
def test_released_whatever_comes_is_ignored(dimse: Address, name: str) -> None:
    """Sta13: AA-6; a PDU with wrong parameters may be answered by another A-ABORT (AA-7)."""
    with Peer(dimse) as peer:
        peer.associate()
        peer.release()
        peer.send(PDUS[name])
        kind, _ = peer.receive()
        assert kind in ((CLOSED, ABORT) if name == "a PDU with wrong parameters" else (CLOSED,))


@requires("PS3.8 §9.1.5")
def test_the_connection_is_closed_soon_after_the_last_pdu(dimse: Address) -> None:
    """ARTIM in Sta13."""
    with Peer(dimse) as peer:
        peer.associate()
        peer.release()
        started = time.monotonic()
        assert is_closed(peer, 35)
        assert time.monotonic() - started < 31


@requires("PS3.8 §9.2", "B")
@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\0\xff", b"SSH-2.0-x\r\n"])
def test_other_protocols_are_closed_within_a_second(dimse: Address, first: bytes) -> None:
    def seconds() -> float:
        with Peer(dimse) as peer:
            started = time.monotonic()
            peer.send(first)
            while peer.receive()[0] != CLOSED:
                pass
            return time.monotonic() - started

    assert min(seconds() for _ in range(3)) < 1  # other work on the machine may keep us waiting


@requires("PS3.8 §9.2", "B")
def test_a_declared_length_of_4_gb_is_refused_at_once(dimse: Address) -> None:
    with Peer(dimse) as peer:
        peer.send(b"\1\0\xff\xff\xff\xff" + bytes(1000))
        assert peer.receive()[0] == ABORT
    with Peer(dimse) as peer:
        peer.associate()
        peer.send(bytes((DATA, 0)) + b"\xff\xff\xff\xff")
        assert peer.receive()[0] == ABORT
