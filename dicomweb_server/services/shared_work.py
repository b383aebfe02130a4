"""SharedWork: those who ask for the same thing at the same time wait for one and the same making of it."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

_T = TypeVar("_T")


class SharedWork:
    """Work under way, by what it makes. One event loop's."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[Any]] = {}
        self._waiting: dict[Hashable, int] = {}

    async def result(self, key: Hashable, make: Callable[[], Awaitable[_T]]) -> _T:
        """What `make` gives, or raises; it is called unless somebody else's call for this key is under way.

        When all who wait for it are gone, it is cancelled.
        """
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.create_task(_made(make))
            self._tasks[key] = task
            self._waiting[key] = 0
            task.add_done_callback(lambda done: self._forget(key, done))
        self._waiting[key] += 1
        try:
            made: _T = await asyncio.shield(task)
        finally:
            if self._tasks.get(key) is task:
                self._waiting[key] -= 1
                if not self._waiting[key]:
                    task.cancel()
                    self._forget(key, task)
        return made

    def _forget(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key], self._waiting[key]


async def _made(make: Callable[[], Awaitable[_T]]) -> _T:
    return await make()
