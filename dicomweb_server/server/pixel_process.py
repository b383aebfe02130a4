"""PixelProcess: a process that works on pixels, as the server sees it. It is talked to on the event loop.

A thread that waited for each answer would cost more than the way to the process and back.
"""

import asyncio
import contextlib
import json
import pickle
import socket
import subprocess
import sys

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.server.pixel_program import PROGRAM, SIZE, Answer, Task, packed

_START_TIME = 60.0  # seconds
_PIECE = 256 << 10  # bytes taken at once; most answers fit


class PixelProcess:
    """One process and the connection to it. After an error of its methods it is of no use."""

    def __init__(self, memory: int) -> None:
        """Start it, which takes a few milliseconds; `ready` waits until it has loaded what it needs."""
        try:
            ours, theirs = socket.socketpair()
            ours.settimeout(0)
            with theirs:
                program = [sys.executable, "-c", PROGRAM, str(theirs.fileno()), str(memory), json.dumps(sys.path)]
                self._process = subprocess.Popen(program, pass_fds=[theirs.fileno()])  # noqa: S603
        except OSError:
            raise _unstartable() from None
        self._socket = ours

    async def ready(self) -> None:
        """Wait until it can be asked; ServerError(BUSY) if that never comes."""
        try:
            async with asyncio.timeout(_START_TIME):
                await self._received()
        except (TimeoutError, OSError, EOFError):
            raise _unstartable() from None

    async def ask(self, task: Task, seconds: float) -> Answer:
        """What came of a task; ServerError where the process is lost. Must not be cancelled."""
        try:
            async with asyncio.timeout(seconds):
                await self._send(packed(task))
                answer: Answer = pickle.loads(await self._received())  # noqa: S301 - runs our program
        except TimeoutError:
            problem = f"the pixels take longer to process than the limit of {seconds:g} seconds"
            raise ServerError(Reason.TOO_LARGE, problem) from None
        except (OSError, EOFError):
            raise ServerError(
                Reason.NOT_ACCEPTABLE, "the pixels cannot be decoded: the process that tried to came to its end"
            ) from None
        return answer

    def kill(self) -> None:
        """End it, whatever it does, and wait for that; whoever waits for its answer gets an error."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Give the connection up, when nobody waits for an answer."""
        self._socket.close()

    async def _send(self, data: bytes) -> None:
        sent = 0
        with contextlib.suppress(BlockingIOError):
            sent = self._socket.sendmsg([SIZE.pack(len(data)), data])
        if sent < SIZE.size + len(data):
            rest = SIZE.pack(len(data))[sent:], memoryview(data)[max(sent - SIZE.size, 0) :]
            for part in rest:
                await asyncio.get_running_loop().sock_sendall(self._socket, part)

    async def _received(self) -> memoryview:
        loop = asyncio.get_running_loop()
        start = b""
        while len(start) < SIZE.size:
            start += await self._piece(loop)
        (size,) = SIZE.unpack_from(start)
        if len(start) == SIZE.size + size:
            return memoryview(start)[SIZE.size :]
        view = memoryview(bytearray(size))
        position = len(start) - SIZE.size
        view[:position] = start[SIZE.size :]
        while position < size:
            count = await loop.sock_recv_into(self._socket, view[position:])
            if not count:
                raise EOFError
            position += count
        return view

    async def _piece(self, loop: asyncio.AbstractEventLoop) -> bytes:
        piece = await loop.sock_recv(self._socket, _PIECE)
        if not piece:
            raise EOFError
        return piece


def _unstartable() -> ServerError:
    return ServerError(Reason.BUSY, "no process for work on pixels could be started")
