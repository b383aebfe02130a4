"""PURE: cuts PDUs out of a receive buffer without copying them. Never takes more memory than twice what has arrived."""

from dicomweb_server.dimse.pdu import HEADER, AbortReason, PduError, PduType

LARGEST_ASSOCIATION_PDU = 1 << 20
SMALL = 4096  # what an association costs that says nothing
_LARGEST = {kind: 4 for kind in PduType} | {
    PduType.ASSOCIATE_RQ: LARGEST_ASSOCIATION_PDU,
    PduType.ASSOCIATE_AC: LARGEST_ASSOCIATION_PDU,
}


class Framer:
    """A receive buffer and the PDUs in it.

    The transport fills `get_buffer()` and says how far with `received`; `next_pdu` then gives whole PDUs, until None.
    Their bodies are views of the buffer, good until the next `get_buffer`.
    """

    def __init__(self, largest_data_pdu: int) -> None:
        self._largest_data_pdu = largest_data_pdu
        self._buffer = memoryview(bytearray(SMALL))
        self._start = 0  # of the first PDU not yet given out
        self._end = 0  # of what was received
        self._needed = HEADER.size  # bytes from the start that make progress possible

    def get_buffer(self) -> memoryview:
        """Room to receive into; never empty."""
        if self._start == self._end:
            self._start = self._end = 0
        size = len(self._buffer)
        if self._end == size or size - self._start < self._needed <= size:
            self._make_room()
        return self._buffer[self._end :]

    def received(self, count: int) -> None:
        """`count` more bytes are in the buffer."""
        self._end += count

    def next_pdu(self) -> tuple[int, memoryview] | None:
        """Type and body of the next whole PDU, None until there is one; PduError where the bytes cannot become one."""
        available = self._end - self._start
        if available < HEADER.size:
            self._needed = HEADER.size
            if available:  # a wrong protocol is recognized by its first byte
                self._check(self._buffer[self._start], 0)
            return None
        kind, length = HEADER.unpack_from(self._buffer, self._start)
        self._check(kind, length)
        if available < HEADER.size + length:
            self._needed = HEADER.size + length
            return None
        body = self._start + HEADER.size
        self._start = body + length
        self._needed = HEADER.size
        return kind, self._buffer[body : self._start]

    @property
    def in_pdu(self) -> bool:
        """Whether a PDU has begun and is not whole."""
        return self._start != self._end

    def shrink(self) -> None:
        """Give back the memory that an idle association does not need."""
        if self._start == self._end and len(self._buffer) > SMALL:
            self._start = self._end = 0
            self._buffer = memoryview(bytearray(SMALL))

    def _check(self, kind: int, length: int) -> None:
        if kind == PduType.P_DATA:
            largest = self._largest_data_pdu
        elif kind in _LARGEST:
            largest = _LARGEST[kind]  # type: ignore[index]
        else:
            raise PduError(AbortReason.UNRECOGNIZED_PDU, f"{kind:02X}H is no PDU type")
        if length > largest:
            raise PduError(
                AbortReason.INVALID_PARAMETER, f"a PDU of type {kind} declares {length} bytes, {largest} are allowed"
            )

    def _make_room(self) -> None:
        """Move what is unread to the front, of a larger buffer if it fills this one."""
        unread = self._buffer[self._start : self._end]
        target = self._buffer
        if 2 * len(unread) > len(target) and self._needed > len(unread):
            size = 2 * len(target)
            # Two data PDUs in one read: fewer system calls, and the rest of the second is seldom moved.
            target = memoryview(bytearray(2 * self._needed if size >= self._needed else size))
        target[: len(unread)] = unread  # right also where the two overlap
        self._buffer, self._start, self._end = target, 0, len(unread)
