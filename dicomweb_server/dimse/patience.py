"""Patience: what the peer must do next on an association, and by when. Knows no sockets."""

from collections.abc import Callable

from dicomweb_server.dimse.deadline import Deadline
from dicomweb_server.dimse.options import Timeouts

_REST = 5.0  # seconds of silence between two messages after which an association rests
_NEXT_MESSAGE = "a message"


class Patience:
    """Deadlines that count from the last progress: a peer that goes on sending nothing does not gain time."""

    def __init__(self, timeouts: Timeouts, missed: Callable[[str], None], rested: Callable[[], None]) -> None:
        """`missed` is told what did not come in time; `rested`, that nothing has come for a while."""
        self._timeouts = timeouts
        self._missed = missed
        self._rested = rested
        self._deadline = Deadline(self._expired)
        self._progress = 0.0  # when there was some
        self._pdu_began = False

    def progress(self) -> None:
        """The peer has done something, or we have."""
        self._progress = self._deadline.now()

    def pdu_is_whole(self) -> None:
        """What comes now is another one."""
        self._pdu_began = False

    def await_pdu(self) -> None:
        """The rest of a PDU must come, within a time that counts from its beginning."""
        if not self._pdu_began:
            self._pdu_began = True
            self.wait(self._timeouts.pdu, "the rest of a PDU")

    def await_rest(self) -> None:
        """The rest of a message must come."""
        self._deadline.until(self._progress + self._timeouts.silence, "the rest of a message")

    def await_message(self) -> None:
        """A message must begin."""
        self._deadline.until(self._progress + min(self._timeouts.idle, _REST), _NEXT_MESSAGE)

    def wait(self, seconds: float, awaited: str) -> None:
        """Something else must happen, within a time that counts from now; "" if that is no failure."""
        self._deadline.set(seconds, awaited)

    def clear(self) -> None:
        """Nothing must happen now."""
        self._deadline.clear()

    def stop(self) -> None:
        """Nothing must happen any more."""
        self._deadline.stop()

    def _expired(self, awaited: str) -> None:
        due = self._progress + self._timeouts.idle
        if awaited is _NEXT_MESSAGE and self._deadline.now() < due:
            self._rested()
            self._deadline.until(due, awaited)
        else:
            self._missed(awaited)
