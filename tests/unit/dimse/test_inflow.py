"""Inflow: everything is taken in, in order, never much at once; the connection is read only if there is room."""

import pytest

from dicomweb_server.dimse.inflow import _AT_ONCE, Inflow
from dicomweb_server.dimse.pdu import HEADER, PDV_HEADER, RELEASE_REQUEST, PduError, PduType


class Transport:
    """What an inflow asks of one."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.closing = False

    def pause_reading(self) -> None:
        self.said.append("pause")

    def resume_reading(self) -> None:
        self.said.append("resume")

    def is_closing(self) -> bool:
        return self.closing


class Peer:
    """An inflow, what came of it, and the transport that it has."""

    def __init__(self) -> None:
        self.taken: list[bytes | int] = []
        self.established = True
        self.transport = Transport()
        self.inflow = Inflow(1 << 20, self._take_value, self._take_pdu)
        self.inflow.transport = self.transport  # type: ignore[assignment]

    def _take_value(self, context_id: int, control: int, fragment: memoryview) -> None:
        self.taken.append(bytes(fragment))

    def _take_pdu(self, kind: int, body: memoryview) -> None:
        self.taken.append(kind)

    def send(self, data: bytes) -> None:
        self.inflow.get_buffer()[: len(data)] = data
        self.inflow.received(len(data))

    def take(self, now: float = 0.0) -> bool:
        is_all = self.inflow.take(now, lambda: self.established, lambda: None)
        self.inflow.listen()
        return is_all


def values(*fragments: bytes) -> bytes:
    body = b"".join([PDV_HEADER.pack(len(each) + 2, 1, 0) + each for each in fragments])
    return HEADER.pack(PduType.P_DATA, len(body)) + body


def numbers(count: int) -> list[bytes]:
    return [b"%06d" % number for number in range(count)]


@pytest.mark.parametrize("in_a_pdu", [1, 7, 3 * _AT_ONCE])
def test_a_flood_is_taken_in_by_turns(in_a_pdu: int) -> None:
    peer, sent = Peer(), numbers(3 * _AT_ONCE)
    peer.send(b"".join([values(*sent[start : start + in_a_pdu]) for start in range(0, len(sent), in_a_pdu)]))
    turns = 1
    while not peer.take():
        assert len(peer.taken) == turns * _AT_ONCE
        assert peer.transport.said == ["pause"]
        turns += 1
    assert peer.taken == sent
    assert turns in (3, 4)
    assert peer.transport.said == ["pause", "resume"]


def test_what_a_sender_brings_is_taken_in_at_once() -> None:
    peer = Peer()
    peer.send(values(b"command") + values(b"data", b"more data") + RELEASE_REQUEST)
    assert peer.take()
    assert peer.taken == [b"command", b"data", b"more data", PduType.RELEASE_RQ]
    assert peer.transport.said == []


def test_many_reads_in_a_turn() -> None:
    peer = Peer()
    for number in range(_AT_ONCE - 1):
        peer.send(values(b"%d" % number))
        assert peer.take(now=1.0)
    peer.send(values(b"too much", b"for this turn"))
    assert not peer.take(now=1.0)
    assert peer.taken[-1] == b"too much"
    assert peer.take(now=1.0)  # the next one, however soon it is
    for number in range(2 * _AT_ONCE):
        peer.send(values(b"%d" % number))
        assert peer.take(now=2.0 + number)
    assert peer.transport.said == ["pause", "resume"]


def test_what_is_left_of_an_association_that_has_ended_is_dropped() -> None:
    peer = Peer()
    peer.send(values(*numbers(2 * _AT_ONCE)) + RELEASE_REQUEST)
    assert not peer.take()
    peer.established = False
    assert peer.take()
    assert peer.taken == [*numbers(_AT_ONCE), PduType.RELEASE_RQ]


def test_an_invalid_value_behind_others() -> None:
    peer = Peer()
    peer.send(values(*numbers(_AT_ONCE + 1))[:-1] + HEADER.pack(99, 0))
    assert not peer.take()
    peer.send(b"x")
    with pytest.raises(PduError):
        peer.take()
    peer.inflow.ignore()
    peer.inflow.listen()
    assert peer.transport.said == ["pause", "resume"]  # the peer gets to read why


def test_room_for_what_waits() -> None:
    peer = Peer()
    assert [peer.inflow.waiting(count) for count in (1 << 20, (1 << 20) + 1, 1 << 19, 1 << 18, 1000)] == [
        *(False, False, False, False),
        True,
    ]
    assert peer.transport.said == ["pause", "resume"]
    peer.transport.closing = True
    assert not peer.inflow.waiting(2 << 20)
    assert peer.transport.said == ["pause", "resume"]
