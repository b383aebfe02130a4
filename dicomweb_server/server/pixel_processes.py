"""Processes that work on pixels: codecs are C and their input is hostile, so they run where a crash costs one request.

Each does one thing at a time, within limits of memory and time. One that was lost is replaced when it is needed.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.workers import Workers

_T = TypeVar("_T")

# What a process runs: it can import what this one can, wherever that was found.
_PROGRAM = (
    f"import json, sys; sys.path[:] = json.loads(sys.argv[3]); "
    f"from {__name__} import main; main(int(sys.argv[1]), int(sys.argv[2]))"
)
_START_TIME = 60.0  # seconds
# Threads of a library inside of a process only take memory and the place of other processes.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_Task = tuple[Callable[..., object], tuple[object, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelLimits:
    """Of one piece of work: bytes of address space, seconds. `waiting`: pieces that may wait for a process."""

    memory: int = 4 << 30
    time: float = 60.0
    waiting: int = 10_000


class PixelProcesses:
    """As many processes as `threads` has threads: each thread that comes here takes one that is idle, or starts one."""

    def __init__(self, threads: Workers, limits: PixelLimits) -> None:
        self._threads = threads
        self._limits = limits
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._busy: list[_Process] = []
        self._is_closed = False
        self._waiting = 0

    async def run(self, function: Callable[..., _T], *arguments: object) -> _T:
        """The result of a function of some module, or the ServerError it raised or caused."""
        if self._waiting >= self._limits.waiting:
            raise ServerError(Reason.BUSY, "too much work on pixels is waiting")
        self._waiting += 1
        try:
            succeeded, result = await self._threads.run(lambda: self._work((function, arguments)))
        finally:
            self._waiting -= 1
        if not succeeded:
            raise ServerError(*result)
        done: _T = result
        return done

    async def warm_up(self) -> None:
        """Start a process before one is needed."""
        with contextlib.suppress(ServerError):
            await self.run(ready)

    def close(self) -> None:
        """End the processes, and with them what they do; no work is taken any more."""
        with self._lock:
            self._is_closed = True
            for process in (*self._idle, *self._busy):
                process.kill()
        for process in self._idle:
            process.end()

    def _work(self, task: _Task) -> tuple[bool, Any]:
        process = self._taken()
        try:
            answer = process.ask(task, self._limits.time)
        except BaseException:
            with self._lock:
                self._busy.remove(process)
            process.end()
            raise
        with self._lock:
            self._busy.remove(process)
            self._idle.append(process)
        return answer

    def _taken(self) -> "_Process":
        with self._lock:
            if self._is_closed:
                raise ServerError(Reason.BUSY, "the server is stopping")
            process = self._idle.pop() if self._idle else _Process(self._limits.memory)
            self._busy.append(process)
        return process


class _Process:
    """One process and the connection to it."""

    def __init__(self, memory: int) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            program = [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), str(memory), json.dumps(sys.path)]
            self._process = subprocess.Popen(program, pass_fds=[theirs.fileno()])  # noqa: S603
        self._connection = Connection(ours.detach())
        self._is_ready = False

    def ask(self, task: _Task, seconds: float) -> tuple[bool, Any]:
        """(True, the result) or (False, reason and detail). ServerError where the process is lost."""
        try:
            if not self._is_ready:
                if not self._connection.poll(_START_TIME):
                    raise ServerError(Reason.BUSY, "no process for work on pixels could be started")
                self._connection.recv()
                self._is_ready = True
            self._connection.send(task)
            if not self._connection.poll(seconds):
                problem = f"the pixels take longer to process than the limit of {seconds:g} seconds"
                raise ServerError(Reason.TOO_LARGE, problem)
            answer: tuple[bool, Any] = self._connection.recv()
        except (OSError, EOFError):
            raise ServerError(
                Reason.NOT_ACCEPTABLE, "the pixels cannot be decoded: the process that tried to came to its end"
            ) from None
        return answer

    def kill(self) -> None:
        """End it, whatever it does; whoever waits for its answer gets an error."""
        self._process.kill()

    def end(self) -> None:
        """Kill it and wait for that; nothing that it does is worth keeping."""
        self._connection.close()
        self._process.kill()
        self._process.wait()


def ready() -> None:
    """Work that only needs what every other work needs: the codecs, loaded."""
    import dicomweb_server.dicom.pixels.decode  # noqa: F401 - not for the server's own process


def serve(connection: Connection) -> None:
    """Do what is asked until the other side is gone."""
    connection.send(None)  # ready
    with contextlib.suppress(EOFError, OSError):
        while True:
            connection.send(_answer(*connection.recv()))


def _answer(function: Callable[..., object], arguments: tuple[object, ...]) -> tuple[bool, Any]:
    try:
        return True, function(*arguments)
    except ServerError as error:
        return False, (error.reason, error.detail)
    except MemoryError:
        return False, (Reason.TOO_LARGE, "the pixels need more memory to process than the limit allows")
    except Exception as error:  # an edge: nothing else may end the process
        return False, (Reason.INTERNAL, f"the server failed to process these pixels ({type(error).__name__})")


def main(descriptor: int, memory: int) -> None:
    """The process. Whoever stops the server ends it; it leaves no core file, which would hold an image."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for variable in _ONE_THREAD:
        os.putenv(variable, "1")  # where the libraries look when they are loaded
    _limit(memory)
    serve(Connection(descriptor))


def _limit(memory: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
