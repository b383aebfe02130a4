"""Unbroken: work that goes on to its end, even if who waits for it is cancelled.

What `asyncio.shield` does for a task, without a task as long as nobody cancels: the work begins at once, and its end is
known at once, where a task takes a turn of the loop for each.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, Generic, TypeVar

from dicomweb_server.pause import Pause

_T = TypeVar("_T")
_Awaited = asyncio.Future[Any] | Pause | None  # None: only a turn of the loop


class Unbroken(Generic[_T]):
    """To be awaited once. The work must not ask which task it runs in, as timeouts and task groups do."""

    def __init__(self, work: Coroutine[Any, Any, _T], go_on: Callable[[Coroutine[Any, Any, _T]], object]) -> None:
        """`go_on` makes a task of what is left of the work, if whoever waits for it is cancelled."""
        self._work = work
        self._go_on = go_on

    def __await__(self) -> Generator[Any, None, _T]:
        """Do the work in the task of whoever waits for it."""
        while True:
            try:
                awaited: _Awaited = self._work.send(None)
            except StopIteration as end:
                result: _T = end.value
                return result
            try:
                # Not what the work waits for itself: cancelling a task cancels the future it waits for.
                yield from _end_of(awaited)
            except asyncio.CancelledError:
                self._go_on(_rest(self._work, awaited))
                raise


def _end_of(awaited: _Awaited) -> Generator[Any, None, None]:
    if awaited is None:
        yield
        return
    pause = Pause(awaited.get_loop())
    awaited.add_done_callback(lambda _: pause.end())
    yield from pause.__await__()


@coroutine
def _resumed(work: Coroutine[Any, Any, _T], awaited: _Awaited) -> Generator[Any, Any, _T]:
    yield awaited
    result: _T = yield from work
    return result


async def _rest(work: Coroutine[Any, Any, _T], awaited: _Awaited) -> _T:
    return await _resumed(work, awaited)  # from Python 3.12 on, no generator can be a task itself
