"""PS3.8 §9.2: each PDU in each state of a requestor that its peer can bring about, by table 9-10.

The server is made to call: by a C-MOVE to a destination that is this file's own.
"""

import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from conformance.archive import Archive
from conformance.query_retrieve import Response, identifier, move
from conformance.requirement import requires
from conformance.upper_layer import (
    ABORT,
    AC,
    CLOSED,
    CT_STORAGE,
    DATA,
    INVALID,
    NOT_IN_STA6,
    PDUS,
    RELEASE_RP,
    RELEASE_RQ,
    RQ,
    UNEXPECTED,
    UNRECOGNIZED,
    Peer,
    command_set,
    elements_of,
    fixed,
    item,
    items,
    number,
    p_data,
    pdu,
    values,
)

Address = tuple[str, int]
SERVICE_PROVIDER = 2
UNABLE_TO_PERFORM = 0xA702


@dataclass(frozen=True, slots=True)
class Called:
    """The server has called: what it asked for, and the answer to the C-MOVE that made it call."""

    peer: Peer
    request: bytes
    moved: Future[list[Response]]

    def accept(self) -> int:
        """Accept the first context of CT images; its ID."""
        proposed = [content for kind, content in items(self.request[68:]) if kind == 0x20]
        context = next(each for each in proposed if CT_STORAGE.encode() in each)
        syntax = next(content for kind, content in items(context[4:]) if kind == 0x40)
        answers = b"".join(
            item(0x21, bytes((each[0], 0, 0 if each is context else 3, 0)) + item(0x40, syntax)) for each in proposed
        )
        user = item(0x50, item(0x51, (16384).to_bytes(4, "big")) + item(0x52, b"1.2.3.4"))
        self.peer.send(pdu(AC, self.request[:68] + item(0x10, b"1.2.840.10008.3.1.1.1") + answers + user))
        return context[0]

    def store(self) -> int:
        """Take the C-STORE that comes; its message ID."""
        command, control = b"", 1
        while not (control & 2 and not control & 1):
            kind, body = self.peer.receive()
            assert kind == DATA
            for control, fragment in values(body):
                command += fragment if control & 1 else b""
        return number(elements_of(command), 0x0110) or 0

    def stored(self, context_id: int, message_id: int) -> None:
        """Answer it."""
        answer: dict[int, int | str] = {
            0x0002: CT_STORAGE,
            0x0100: 0x8001,
            0x0120: message_id,
            0x0800: 0x0101,
            0x0900: 0,
        }
        self.peer.send(p_data(context_id, 3, command_set(answer)))


@pytest.fixture
def called(dimse: Address, sink: int, archive: Archive) -> Iterator[Called]:
    """The server asks for an association, to send one instance."""
    with ThreadPoolExecutor(1) as pool, listening(sink) as listener:
        one = archive.ct[0]
        keys = {"StudyInstanceUID": one.study, "SeriesInstanceUID": one.series, "SOPInstanceUID": one.instance}
        moved = pool.submit(move, dimse, identifier("IMAGE", **keys), "SINK")
        peer = Peer.__new__(Peer)
        peer.socket, _ = listener.accept()
        with peer:
            kind, request = peer.receive()
            assert kind == RQ
            yield Called(peer, request, moved)


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.settimeout(20)
        yield listener


def final(called: Called) -> Response:
    """The last response to the C-MOVE: there always is one (PS3.4 §C.4.2.3.1)."""
    return called.moved.result(30)[-1]


def aborted(called: Called) -> tuple[int, int, int]:
    """What the server sends next, source and reason; then it closes."""
    kind, body = called.peer.receive()
    assert called.peer.receive()[0] == CLOSED
    return kind, body[2], body[3]


@requires("PS3.8 §9.2")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("A-ASSOCIATE-RQ", UNEXPECTED),
        ("P-DATA-TF", UNEXPECTED),
        ("A-RELEASE-RQ", UNEXPECTED),
        ("A-RELEASE-RP", UNEXPECTED),
        ("an unknown PDU", UNRECOGNIZED),
        ("a PDU with wrong parameters", INVALID),
    ],
)
def test_awaiting_the_answer_anything_else_is_aborted(called: Called, name: str, reason: int) -> None:
    """Sta5: AA-8."""
    called.peer.send(PDUS[name])
    assert aborted(called) == (ABORT, SERVICE_PROVIDER, reason)
    assert (final(called).status, final(called).failed) == (UNABLE_TO_PERFORM, 1)


@requires("PS3.8 §9.2")
@pytest.mark.parametrize("answer", [PDUS["A-ASSOCIATE-RJ"], fixed(ABORT), b""], ids=["rejected", "aborted", "closed"])
def test_awaiting_the_answer_it_may_be_no(called: Called, answer: bytes) -> None:
    """Sta5: AE-4, AA-3, AA-4."""
    called.peer.send(answer)
    if answer:
        assert called.peer.receive()[0] == CLOSED
    else:
        called.peer.socket.close()
    assert (final(called).status, final(called).failed) == (UNABLE_TO_PERFORM, 1)


@requires("PS3.8 §9.2")
@pytest.mark.parametrize(("name", "reason"), NOT_IN_STA6)
def test_established_what_does_not_belong_there_is_aborted(called: Called, name: str, reason: int) -> None:
    """Sta6: AA-8."""
    called.accept()
    called.store()
    called.peer.send(PDUS[name])
    assert aborted(called) == (ABORT, SERVICE_PROVIDER, reason)
    assert (final(called).status, final(called).failed) == (UNABLE_TO_PERFORM, 1)


@requires("PS3.8 §9.2")
def test_established_the_acceptor_may_release(called: Called) -> None:
    """Sta6: AR-2, AR-4. What was not answered has failed."""
    called.accept()
    called.store()
    called.peer.send(fixed(RELEASE_RQ))
    assert called.peer.receive()[0] == RELEASE_RP
    assert (final(called).status, final(called).failed) == (UNABLE_TO_PERFORM, 1)


@requires("PS3.8 §9.2")
@pytest.mark.parametrize("ending", [fixed(ABORT), b""], ids=["aborted", "closed"])
def test_established_the_acceptor_may_go(called: Called, ending: bytes) -> None:
    """Sta6: AA-3, AA-4."""
    called.accept()
    called.store()
    called.peer.send(ending)
    called.peer.socket.close()
    assert (final(called).status, final(called).failed) == (UNABLE_TO_PERFORM, 1)


def releasing(called: Called) -> int:
    """All is sent, and the server asks for release; the context that was used."""
    context_id = called.accept()
    called.stored(context_id, called.store())
    assert called.peer.receive()[0] == RELEASE_RQ
    return context_id


@requires("PS3.8 §9.2")
def test_releasing_it_ends_with_the_answer(called: Called) -> None:
    """Sta7: AR-3."""
    releasing(called)
    called.peer.send(fixed(RELEASE_RP))
    assert called.peer.receive()[0] == CLOSED
    assert (final(called).status, final(called).completed) == (0, 1)


@requires("PS3.8 §9.2")
def test_releasing_data_may_still_come(called: Called) -> None:
    """Sta7: AR-6."""
    context_id = releasing(called)
    called.stored(context_id, 77)
    called.peer.send(fixed(RELEASE_RP))
    assert called.peer.receive()[0] == CLOSED
    assert (final(called).status, final(called).completed) == (0, 1)


@requires("PS3.8 §9.2")
def test_releasing_at_the_same_time(called: Called) -> None:
    """Sta7 AR-8, Sta9 AR-9, Sta11 AR-3: the requestor answers first."""
    releasing(called)
    called.peer.send(fixed(RELEASE_RQ))
    assert called.peer.receive()[0] == RELEASE_RP
    called.peer.send(fixed(RELEASE_RP))
    assert called.peer.receive()[0] == CLOSED
    assert (final(called).status, final(called).completed) == (0, 1)


@requires("PS3.8 §9.2")
@pytest.mark.parametrize("name", ["A-ASSOCIATE-RQ", "P-DATA-TF", "A-RELEASE-RQ", "an unknown PDU"])
def test_after_a_collision_anything_but_the_answer_is_aborted(called: Called, name: str) -> None:
    """Sta11: AA-8."""
    releasing(called)
    called.peer.send(fixed(RELEASE_RQ))
    assert called.peer.receive()[0] == RELEASE_RP
    called.peer.send(PDUS[name])
    assert aborted(called)[:2] == (ABORT, SERVICE_PROVIDER)
    assert (final(called).status, final(called).completed) == (0, 1)


@requires("PS3.8 §9.2")
@pytest.mark.parametrize(
    "name", ["A-ASSOCIATE-RQ", "A-ASSOCIATE-AC", "A-ASSOCIATE-RJ", "an unknown PDU", "a PDU with wrong parameters"]
)
def test_releasing_what_does_not_belong_there_is_aborted(called: Called, name: str) -> None:
    """Sta7: AA-8."""
    releasing(called)
    called.peer.send(PDUS[name])
    assert aborted(called)[:2] == (ABORT, SERVICE_PROVIDER)
    assert (final(called).status, final(called).completed) == (0, 1)
