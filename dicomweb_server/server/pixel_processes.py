"""Processes that work on pixels: codecs are C and their input is hostile, so they run where a crash costs one request.

Each does one thing at a time, within limits of memory and time. One that was lost is replaced when it is needed.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.server.pixel_process import PixelProcess
from dicomweb_server.server.pixel_program import Answer, Task
from dicomweb_server.services.workers import Workers

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelLimits:
    """Of one piece of work: bytes of address space, seconds. `waiting`: pieces that may wait for a process."""

    memory: int = 4 << 30
    time: float = 60.0
    waiting: int = 10_000


class PixelProcesses:
    """At most `count` processes. Who comes first is served first, by whichever is free, or started, first."""

    def __init__(self, count: int, threads: Workers, limits: PixelLimits) -> None:
        """`threads`: what starts and ends processes."""
        self._count = count
        self._threads = threads
        self._limits = limits
        self._idle: list[PixelProcess] = []
        self._processes: set[PixelProcess] = set()
        self._starting = 0
        self._waiting: deque[asyncio.Future[PixelProcess]] = deque()
        self._pieces = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    async def run(self, function: Callable[..., _T], *arguments: object) -> _T:
        """The result of a function of some module, or the ServerError it raised or caused."""
        if self._pieces >= self._limits.waiting:
            raise ServerError(Reason.BUSY, "too much work on pixels is waiting")
        self._pieces += 1
        try:
            process = await self._taken()
            # A process that was asked has to answer before it can be asked again, even if nobody wants to know.
            succeeded, result = await asyncio.shield(self._task(self._asked(process, (function, arguments))))
        finally:
            self._pieces -= 1
        if not succeeded:
            raise ServerError(*result)
        done: _T = result
        return done

    def close(self) -> None:
        """End the processes, and with them what they do; no work is taken any more."""
        self._is_closed = True
        for process in self._processes:
            process.kill()
        for process in self._idle:
            process.close()
        self._idle.clear()
        self._refuse_waiting(_stopping())

    async def _taken(self) -> PixelProcess:
        if self._is_closed:
            raise _stopping()
        if self._idle:
            return self._idle.pop()
        turn: asyncio.Future[PixelProcess] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._want_one()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._give(turn.result())
            raise

    def _give(self, process: PixelProcess) -> None:
        """A process is free."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(process)
                return
        self._idle.append(process)

    async def _asked(self, process: PixelProcess, task: Task) -> Answer:
        try:
            answer = await process.ask(task, self._limits.time)
        except BaseException:
            await self._lose(process)
            if self._waiting:
                self._want_one()
            raise
        self._give(process)
        return answer

    def _want_one(self) -> None:
        """Start a process if there may be another."""
        if len(self._processes) + self._starting < self._count:
            self._starting += 1
            self._task(self._start())

    async def _start(self) -> None:
        try:
            process = await self._started()
        except ServerError as error:
            if not self._processes:
                self._refuse_waiting(error)
        else:
            self._give(process)

    async def _started(self) -> PixelProcess:
        try:
            process = await self._threads.run(lambda: PixelProcess(self._limits.memory))
        finally:
            self._starting -= 1
        self._processes.add(process)
        try:
            if self._is_closed:
                raise _stopping()
            await process.ready()
        except BaseException:
            await self._lose(process)
            raise
        return process

    async def _lose(self, process: PixelProcess) -> None:
        self._processes.discard(process)
        process.close()
        if self._is_closed:
            process.kill()  # there may be no thread any more
        else:
            await self._threads.run(process.kill)

    def _task(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _refuse_waiting(self, error: ServerError) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(error)


def _stopping() -> ServerError:
    return ServerError(Reason.BUSY, "the server is stopping")
