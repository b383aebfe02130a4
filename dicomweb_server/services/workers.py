"""Workers: what services run blocking or long pure functions on, off the event loop."""

from collections.abc import Callable
from typing import Protocol, TypeVar

_T = TypeVar("_T")


class Workers(Protocol):
    """Threads (or processes) that somebody else owns and closes."""

    async def run(self, function: Callable[[], _T]) -> _T:
        """The function's result, or what it raised; other coroutines run meanwhile."""
