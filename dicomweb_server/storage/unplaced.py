"""Unplaced: blobs that the journal has and whose files are written later; until then they are read from memory.

To make a file may take longer than to write to the journal, and several senders wait for each other's. So files are
made when senders pause; beside their work only when much waits for it. What is here is never the only copy: the journal
keeps its own until the files are made and synced.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable

_log = logging.getLogger(__name__)

_TURN = 0.01  # seconds between two looks at what is there
_PAUSE = 0.05  # seconds without anything new: the senders pause
_AGE = 5.0  # seconds that a file may wait where they do not
_RETRY = 1.0  # seconds after a failure
_LARGE = 64 * 1024  # such files take little processor time, and are needed soon: they fill the journal
# What may wait. Beyond the half of it who brings new ones makes files as long as nobody waits for him.
_MOST = 4096
_LARGEST = 64 * 1024 * 1024


class Unplaced:
    """Bytes by key, in the order in which they came. For any thread."""

    def __init__(self, write: Callable[[str, bytes], None]) -> None:
        """`write` makes the file of a key, whole or not at all."""
        self._write = write
        self._writing = threading.Lock()  # one file at a time: whoever has it knows that none is half made
        self._state = threading.Condition()  # guards what follows
        self._waiting: dict[str, tuple[bytes, float]] = {}  # with the time
        self._size = 0
        self._last = 0.0  # when the last one came
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self.is_stuck = False  # since the last one could not be written

    def __bool__(self) -> bool:
        """Whether any file is still to be made."""
        return bool(self._waiting)

    def get(self, key: str) -> bytes | None:
        """All bytes of a blob; None if it has its file, or is not known."""
        found = self._waiting.get(key)
        return None if found is None else found[0]

    def add(self, blobs: Iterable[tuple[str, bytes]]) -> None:
        """Take blobs that the journal has."""
        now = time.monotonic()
        with self._state:
            if not self._waiting:
                self._state.notify_all()
            for key, data in blobs:
                self._waiting[key] = data, now
                self._size += len(data)
            self._last = now
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="blob-writer", daemon=True)
                self._thread.start()

    def place_all(self) -> bool:
        """Make the files of all that is here at this moment; False if one could not be made."""
        with self._state:
            keys = list(self._waiting)
        return all([self._place(key) for key in keys])

    def make_room(self, is_idle: Callable[[], bool]) -> None:
        """For whoever brings new ones: make files until no more wait than may.

        While he `is_idle`: until half of that waits, and the oldest is not large.
        """
        while (self._is_beyond(1) or ((self._is_beyond(2) or self._is_first_large()) and is_idle())) and (
            self._place_first()
        ):
            pass

    def forget(self, keys: Iterable[str]) -> None:
        """These blobs are to be removed: they are not written any more, nor half written."""
        with self._writing:
            for key in keys:
                self._drop(key)

    def close(self) -> bool:
        """Make all files, and end; False if one could not be made."""
        with self._state:
            self._is_closed = True
            self._state.notify_all()
        if self._thread is not None:
            self._thread.join()
        return self.place_all()

    # --- in the thread ----------------------------------------------------------------------------

    def _work(self) -> None:
        while self._wait():
            while self._is_due() and self._place_first():
                pass

    def _wait(self) -> bool:
        """Until it is time to look; False at the end."""
        with self._state:
            self._state.wait_for(lambda: self._waiting or self._is_closed)
            if not self._is_closed:
                self._state.wait(_RETRY if self.is_stuck else _TURN)
            return not self._is_closed

    def _is_due(self) -> bool:
        if self._is_closed or not self._waiting:
            return False
        now = time.monotonic()
        return now - self._last > _PAUSE or now - self._oldest() > _AGE

    def _oldest(self) -> float:
        with self._state:
            return next((came for _, came in self._waiting.values()), self._last)

    def _is_first_large(self) -> bool:
        with self._state:
            return len(next(iter(self._waiting.values()), (b"",))[0]) >= _LARGE

    def _is_beyond(self, part: int) -> bool:
        """Whether more waits than may, divided by `part`."""
        return len(self._waiting) > _MOST // part or self._size > _LARGEST // part

    def _place_first(self) -> bool:
        with self._state:
            key = next(iter(self._waiting), None)
        return key is not None and self._place(key)

    def _place(self, key: str) -> bool:
        """Make one file, unless another thread has; False if that failed."""
        with self._writing:
            data = self.get(key)
            if data is None:
                return True
            try:
                self._write(key, data)
            except Exception as error:  # an edge: the journal has it, and it is tried again
                if not self.is_stuck:
                    _log.warning("files of acknowledged instances cannot be made now: %s", error)
                self.is_stuck = True
                return False
            self.is_stuck = False
            self._drop(key)
        return True

    def _drop(self, key: str) -> None:
        with self._state:
            found = self._waiting.pop(key, None)
            if found is not None:
                self._size -= len(found[0])
