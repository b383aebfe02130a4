"""Pause: what one task waits for where a future would take a turn of the event loop more than there is to do."""

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any


class Pause:
    """To be awaited once. Its end resumes the task at once, within `end`; a future leaves that to the loop's next turn.

    It is a future as far as `asyncio.Task` looks: `_asyncio_future_blocking` is by what a task tells one.
    """

    __slots__ = ("_asyncio_future_blocking", "_context", "_is_cancelled", "_is_over", "_loop", "_resume")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asyncio_future_blocking = False
        self._loop = loop
        self._is_over = self._is_cancelled = False
        self._resume: Callable[[Pause], object] | None = None
        self._context: Context | None = None

    def end(self) -> None:
        """The task goes on now, unless it does so already. Not for the middle of something that it could disturb."""
        if self._is_over:
            return
        self._is_over = True
        if self._resume is None:
            return  # it is not waiting yet
        if asyncio.current_task(self._loop) is not None:  # one task cannot run within another
            self._schedule(self._resume)
        elif self._context is None:
            self._resume(self)
        else:
            self._context.run(self._resume, self)

    def end_soon(self) -> None:
        """The task goes on in the loop's next turn."""
        if not self._is_over:
            self._is_over = True
            if self._resume is not None:
                self._schedule(self._resume)

    def __await__(self) -> Generator[Any, None, None]:
        """Wait for the end."""
        if not self._is_over:
            self._asyncio_future_blocking = True
            yield self

    # --- what asyncio.Task calls ------------------------------------------------------------------

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop in which it is awaited."""
        return self._loop

    def add_done_callback(self, resume: Callable[["Pause"], object], *, context: Context | None = None) -> None:
        """The task waits from now on."""
        self._resume, self._context = resume, context
        if self._is_over:
            self._schedule(resume)

    def result(self) -> None:
        """Nothing, or CancelledError."""
        if self._is_cancelled:
            raise asyncio.CancelledError

    def cancel(self, msg: object = None) -> bool:
        """The task is cancelled, and goes on in the loop's next turn."""
        del msg
        if self._is_over:
            return False
        self._is_cancelled = True
        self.end_soon()
        return True

    def _schedule(self, resume: Callable[["Pause"], object]) -> None:
        self._loop.call_soon(resume, self, context=self._context)
