"""A race in pynetdicom, closed: while an association asks, its own thread, which serves requests, stands still.

pynetdicom closes a checkpoint for each request and looks at a flag to see that the thread has stopped there. The flag
is up a moment too long, when the thread is about to go on: then it takes the response for a request.
"""

import threading
from typing import Any

from pynetdicom.association import Association


class Checkpoint:
    """Where the thread of an association waits, with the part of threading.Event's interface that pynetdicom uses."""

    def __init__(self, association: Any) -> None:
        self._association = association
        self._changed = threading.Condition()
        self._is_open = True
        self._stands = False

    def wait(self) -> None:
        """Called by the thread."""
        with self._changed:
            while not self._is_open:
                self._stands = True
                self._changed.notify_all()
                self._changed.wait()
            self._stands = False

    def set(self) -> None:
        """Let it go on."""
        with self._changed:
            self._is_open = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Returns when it stands, at once for the thread itself (in the middle of a request) and for one that ends."""
        with self._changed:
            self._is_open = False
            while not (self._stands or self._association._kill or threading.current_thread() is self._association):
                self._changed.wait(0.01)


def close_race() -> None:
    """For all associations of this process."""
    make: Any = Association.__init__

    def made(association: Any, *arguments: Any, **named: Any) -> None:
        make(association, *arguments, **named)
        association._reactor_checkpoint = Checkpoint(association)

    Association.__init__ = made  # type: ignore[method-assign, assignment]
    # Who closes a checkpoint has waited already. The flag is of no use: a thread that serves an event report takes it
    # down while the other one stands, and who waits for it to go up again waits for ever.
    Association._is_paused = property(lambda _: True, lambda *_: None)  # type: ignore[assignment]
