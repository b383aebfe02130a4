"""The receive buffer: the same PDUs however the bytes are cut, and no memory for what only was declared."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomweb_server.dimse.framing import SMALL, Framer
from dicomweb_server.dimse.pdu import HEADER, RELEASE_REQUEST, AbortReason, PduError, PduType

LARGEST = 50_000


def data_pdu(length: int) -> bytes:
    return HEADER.pack(PduType.P_DATA, length) + (bytes(range(256)) * (length // 256 + 1))[:length]


def framed(framer: Framer, chunk: bytes) -> list[tuple[int, bytes]]:
    """What the transport does: fill the buffer as far as it goes, look for PDUs, again."""
    found = []
    while chunk:
        buffer = framer.get_buffer()
        assert len(buffer)
        count = min(len(buffer), len(chunk))
        buffer[:count] = chunk[:count]
        chunk = chunk[count:]
        framer.received(count)
        while (pdu := framer.next_pdu()) is not None:
            found.append((pdu[0], bytes(pdu[1])))
    return found


@settings(deadline=None)
@given(st.lists(st.integers(0, LARGEST), max_size=12), st.lists(st.integers(1, 2 * LARGEST), min_size=1, max_size=40))
def test_any_chunking_gives_the_same_pdus(lengths: list[int], sizes: list[int]) -> None:
    pdus = [data_pdu(length) for length in lengths] + [RELEASE_REQUEST]
    stream = b"".join(pdus)
    framer = Framer(LARGEST)
    found = []
    for size in sizes:
        found += framed(framer, stream[:size])
        stream = stream[size:]
    found += framed(framer, stream)
    assert [HEADER.pack(kind, len(body)) + body for kind, body in found] == pdus
    assert not framer.in_pdu


def test_one_byte_at_a_time() -> None:
    framer = Framer(LARGEST)
    found = []
    for value in data_pdu(5000) + RELEASE_REQUEST:
        found += framed(framer, bytes((value,)))
    assert [kind for kind, _ in found] == [PduType.P_DATA, PduType.RELEASE_RQ]


@pytest.mark.parametrize(
    ("kind", "length"),
    [
        (PduType.ASSOCIATE_RQ, 2**32 - 1),
        (PduType.ASSOCIATE_RQ, (1 << 20) + 1),
        (PduType.P_DATA, LARGEST + 1),
        (PduType.ABORT, 5),
        (PduType.RELEASE_RQ, 2**31),
    ],
)
def test_declared_lengths_are_checked_at_the_header(kind: PduType, length: int) -> None:
    with pytest.raises(PduError) as caught:
        framed(Framer(LARGEST), HEADER.pack(kind, length))
    assert caught.value.reason is AbortReason.INVALID_PARAMETER


@pytest.mark.parametrize("first", [b"G", b"\x16", b"S", b"\0", b"\x08", b"\xff"])
def test_another_protocol_is_known_by_its_first_byte(first: bytes) -> None:
    with pytest.raises(PduError) as caught:
        framed(Framer(LARGEST), first)
    assert caught.value.reason is AbortReason.UNRECOGNIZED_PDU


def test_memory_follows_what_arrived_not_what_was_declared() -> None:
    framer = Framer(1 << 28)
    tracemalloc.start()
    try:
        framed(framer, HEADER.pack(PduType.P_DATA, 1 << 28) + bytes(100_000))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_an_idle_association_gives_its_memory_back() -> None:
    framer = Framer(LARGEST)
    framed(framer, data_pdu(LARGEST))
    assert len(framer.get_buffer()) > SMALL
    framer.shrink()
    assert len(framer.get_buffer()) == SMALL


def test_nothing_is_given_back_in_the_middle_of_a_pdu() -> None:
    framer = Framer(LARGEST)
    whole = data_pdu(LARGEST)
    assert framed(framer, whole[:20_000]) == []
    framer.shrink()
    assert framed(framer, whole[20_000:]) == [(PduType.P_DATA, whole[6:])]
