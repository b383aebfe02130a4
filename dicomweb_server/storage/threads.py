"""Threads: run a function off the event loop, the bridge between the loop and blocking code.

Lighter than an executor: a hop is one queue entry and one callback, no second future.
"""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")


class _Call(Generic[_T]):
    """A function on its way to a thread, and its answer on its way back."""

    __slots__ = ("_function", "_future", "_loop")

    def __init__(self, function: Callable[[], _T]) -> None:
        self._function = function
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[_T] = self._loop.create_future()

    def answer(self) -> asyncio.Future[_T]:
        return self._future

    def run(self) -> None:
        # An edge: whatever the function raises belongs to whoever awaits the answer.
        try:
            result = self._function()
        except BaseException as error:
            self._deliver(self._fail, error)
        else:
            self._deliver(self._succeed, result)

    def _deliver(self, callback: Callable[[Any], None], value: object) -> None:
        # Where the loop is closed, nobody waits any more.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, value)

    def _succeed(self, result: _T) -> None:
        if not self._future.done():
            self._future.set_result(result)

    def _fail(self, error: BaseException) -> None:
        if not self._future.done():
            self._future.set_exception(error)


class Threads:
    """A fixed number of threads that take work in the order it comes."""

    def __init__(self, count: int, name: str) -> None:
        """Threads start with the first call; `name` is seen in debuggers."""
        self._count = count
        self._name = name
        self._calls: SimpleQueue[_Call[Any] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closed = False

    async def run(self, function: Callable[[], _T]) -> _T:
        """The function's result, or what it raised; other coroutines run meanwhile."""
        return await self.begun(function)

    def begun(self, function: Callable[[], _T]) -> asyncio.Future[_T]:
        """The same as a future, for those who do not wait for it; the function is called in any case."""
        if self._closed:
            raise RuntimeError(f"the {self._name} threads are closed")
        if not self._threads:
            self._start()
        call = _Call(function)
        self._calls.put(call)
        return call.answer()

    def close(self) -> None:
        """Finish what was asked for and end the threads; waits for them."""
        self._closed = True
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _start(self) -> None:
        for number in range(self._count):
            thread = threading.Thread(target=self._work, name=f"{self._name}-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call.run()
            del call  # so that the result is not held while the thread waits
