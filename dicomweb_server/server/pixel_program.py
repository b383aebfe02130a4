"""What a process for pixels runs: it does what it is asked, one thing after the other, until the server is gone.

Within limits of memory, and without a trace of what it worked on: it leaves no core file, which would hold an image.
"""

import contextlib
import os
import pickle
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

from dicomweb_server.errors import Reason, ServerError

SIZE = struct.Struct("<Q")  # of a message, before it

# How such a process is started: it can import what the server can, wherever that was found.
PROGRAM = (
    f"import json, sys; sys.path[:] = json.loads(sys.argv[3]); "
    f"from {__name__} import main; main(int(sys.argv[1]), int(sys.argv[2]))"
)
# Threads of a library inside of a process only take memory and the place of other processes.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Task = tuple[Callable[..., object], tuple[object, ...]]
Answer = tuple[bool, Any]  # whether it succeeded; the result, or reason and detail


def packed(message: object) -> bytes:
    """A message in bytes."""
    return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)


def main(descriptor: int, memory: int) -> None:
    """The process. Whoever stops the server ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for variable in _ONE_THREAD:
        os.putenv(variable, "1")  # where the libraries look when they are loaded
    _limit(memory)
    serve(socket.socket(fileno=descriptor))


def serve(connection: socket.socket) -> None:
    """Do what is asked until the other side is gone."""
    _send(connection, None)  # it is there
    with contextlib.suppress(EOFError, OSError):
        while True:
            function, arguments = pickle.loads(_received(connection))  # noqa: S301 - from the server
            _send(connection, _answer(function, arguments))


def _answer(function: Callable[..., object], arguments: tuple[object, ...]) -> Answer:
    try:
        return True, function(*arguments)
    except ServerError as error:
        return False, (error.reason, error.detail)
    except MemoryError:
        return False, (Reason.TOO_LARGE, "the pixels need more memory to process than the limit allows")
    except Exception as error:  # an edge: nothing else may end the process
        return False, (Reason.INTERNAL, f"the server failed to process these pixels ({type(error).__name__})")


def _send(connection: socket.socket, message: object) -> None:
    data = packed(message)
    # Together, so that the server wakes up once for both.
    sent = connection.sendmsg([SIZE.pack(len(data)), data]) - SIZE.size
    if sent < len(data):
        connection.sendall(memoryview(data)[sent:])


def _received(connection: socket.socket) -> memoryview:
    (size,) = SIZE.unpack(_exactly(connection, SIZE.size))
    return _exactly(connection, size)


def _exactly(connection: socket.socket, size: int) -> memoryview:
    view = memoryview(bytearray(size))
    position = 0
    while position < size:
        count = connection.recv_into(view[position:])
        if not count:
            raise EOFError
        position += count
    return view


def _limit(memory: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
