"""Inflow: takes in what a peer sends, a little at a time, and no more of it than can be dealt with.

A flood of small values is no reason to keep everybody else on the event loop waiting: after some of them the connection
is not read until the loop has had a turn.
"""

import asyncio
from collections.abc import Callable, Iterator

from dicomweb_server.dimse.framing import Framer
from dicomweb_server.dimse.pdu import PduType, fragments

_AT_ONCE = 64  # values of P-DATA PDUs in a turn of the loop; a read of a real sender brings less than ten
_TURN = 0.005  # seconds; uvloop's time stands still within a turn, in which it reads a connection many times
_PAUSE_ABOVE = 1 << 20  # bytes that wait for a handler
_RESUME_BELOW = 256 * 1024
_NOTHING: Iterator[tuple[int, int, memoryview]] = iter(())


class Inflow:
    """The receiving side of a connection: what is not taken in yet, and whether more is wanted."""

    def __init__(
        self,
        largest_data_pdu: int,
        take_value: Callable[[int, int, memoryview], None],
        take_pdu: Callable[[int, memoryview], None],
    ) -> None:
        """`take_value`: of a P-DATA PDU in an association; `take_pdu`: of any other kind, or outside of one."""
        self.transport: asyncio.Transport | None = None
        self.is_deaf = False  # what comes is no PDUs any more
        self.is_paused = False
        self._framer = Framer(largest_data_pdu + 6)  # some peers forget that the maximum includes the item header
        self._take_value = take_value
        self._take_pdu = take_pdu
        self._values = _NOTHING  # of the last PDU, as far as they are not taken in
        self._left = 0  # of what may be taken in within this turn
        self._turn = -_TURN  # when it began
        self._is_behind = False
        self._is_full = False

    def get_buffer(self) -> memoryview:
        """Where to receive into."""
        return self._framer.get_buffer()

    def received(self, count: int) -> None:
        """So many more bytes are there."""
        self._framer.received(count)

    @property
    def in_pdu(self) -> bool:
        """Whether there is anything that is not taken in."""
        return self._framer.in_pdu

    def take(self, now: float, is_established: Callable[[], bool], pdu_is_whole: Callable[[], None]) -> bool:
        """Take in what is there; False if some is left for the loop's next turn. PduError for what is invalid."""
        if self._is_behind or now - self._turn >= _TURN:
            self._left, self._turn = _AT_ONCE, now
        self._is_behind = False
        if not is_established():
            self._values = _NOTHING
        while not self.is_deaf:
            for value in self._values:
                self._take_value(*value)
                self._left -= 1
                if self._left <= 0:
                    self._is_behind = True
                    return False
            pdu = self._framer.next_pdu()
            if pdu is None:
                break
            pdu_is_whole()
            if pdu[0] == PduType.P_DATA and is_established():
                self._values = fragments(pdu[1])
            else:
                self._take_pdu(*pdu)
        return True

    def waiting(self, count: int) -> bool:
        """So many bytes wait for a handler; True if there is room again."""
        if self._is_full and count < _RESUME_BELOW:
            self._is_full = False
            self.listen()
            return True
        if not self._is_full and count > _PAUSE_ABOVE:
            self._is_full = True
            self.listen()
        return False

    def listen(self) -> None:
        """Read, unless there is enough to do."""
        is_enough = (self._is_behind or self._is_full) and not self.is_deaf
        if is_enough is self.is_paused or self.transport is None or self.transport.is_closing():
            return
        self.is_paused = is_enough
        if is_enough:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def ignore(self) -> None:
        """Whatever comes from now on."""
        self.is_deaf = True
        self._framer = Framer(0)  # its buffer takes what still comes

    def shrink(self) -> None:
        """Give back the memory that an idle association does not need."""
        self._framer.shrink()
