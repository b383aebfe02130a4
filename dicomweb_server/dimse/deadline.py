"""One moment by which something must have happened; moving it, which every PDU does, costs next to nothing."""

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls `missed` with what was waited for, unless set anew or cleared before."""

    def __init__(self, missed: Callable[[str], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._missed = missed
        self._due: float | None = None
        self._awaited = ""
        self._timer: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """The time by which deadlines are set."""
        return self._loop.time()

    def set(self, seconds: float, awaited: str) -> None:
        """From now on; replaces what was set before."""
        self.until(self._loop.time() + seconds, awaited)

    def until(self, due: float, awaited: str) -> None:
        """The same, by the moment itself."""
        self._due = due
        self._awaited = awaited
        # A timer that is too early is left alone: it will find the moment moved, and wait for it.
        if self._timer is None or self._timer.when() > due:
            self._schedule(due)

    def clear(self) -> None:
        """Nothing is waited for."""
        self._due = None

    def stop(self) -> None:
        """Nothing will be waited for any more."""
        self._due = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self._due > self._loop.time():
            self._schedule(self._due)
            return
        self._due = None
        self._missed(self._awaited)
