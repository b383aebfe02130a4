"""A process that reads groups of small instances for ingest, so that parsing does not hold the interpreter's lock.

Only speeds up: while there is none, or when one was lost, the group is read in this process instead.
"""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from multiprocessing.connection import Connection

from dicomweb_server.services.admission import Admitted, Group, IngestPolicy, Refused, admit
from dicomweb_server.services.ingest import Staged

_Result = Admitted | Refused

# What the process runs: it can import what this one can, wherever that was found.
_PROGRAM = (
    f"import json, sys; sys.path[:] = json.loads(sys.argv[2]); from {__name__} import main; main(int(sys.argv[1]))"
)
_WAIT_AT_END = 5.0  # seconds


class ReaderProcess:
    """One process, started in the background. Used by several threads in turn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._starting: threading.Thread | None = None
        self._connection: Connection | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    def start(self) -> None:
        """Begin to start the process; also done by the first group that asks for it."""
        if self._starting is None and not self._is_closed:
            self._starting = threading.Thread(target=self._start, name="reader-process-start", daemon=True)
            self._starting.start()

    def read(self, group: Group, policy: IngestPolicy) -> list[_Result]:
        """`admission.admit` for each, there or here; waits for it."""
        if self._lock.acquire(blocking=False):
            try:
                found = self._ask(group, policy)
            finally:
                self._lock.release()
            if found is not None:
                return [_joined(staged, result) for (staged, _), result in zip(group, found, strict=True)]
        return [admit(staged, expected, policy) for staged, expected in group]

    def close(self) -> None:
        """End the process; waits for it."""
        self._is_closed = True
        if self._starting is not None:
            self._starting.join()
        with self._lock:
            self._lose()

    def _ask(self, group: Group, policy: IngestPolicy) -> list[_Result] | None:
        """What the process says; None if there is none (yet)."""
        if self._connection is None:
            self.start()
            return None
        try:
            self._connection.send(([(staged.data, expected) for staged, expected in group], policy))
            found: list[_Result] = self._connection.recv()
        except (OSError, EOFError):
            self._lose()
            return None
        return found

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), json.dumps(sys.path)]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()])  # noqa: S603
        connection = Connection(ours.detach())
        try:
            connection.recv()  # it is ready
        except (OSError, EOFError):
            connection.close()
            return
        self._connection = connection

    def _lose(self) -> None:
        """Without its connection the process ends. It is not started again: what ended it may do so again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            try:
                self._process.wait(_WAIT_AT_END)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def _joined(staged: Staged, result: _Result) -> _Result:
    """A result with the bytes that stayed here."""
    if isinstance(result, Refused):
        return result
    data = staged.data if result.staged.data is None else result.staged.data
    return result._replace(staged=replace(staged, digest=result.digest, data=data))


def _read(data: bytes, expected_study_uid: str | None, policy: IngestPolicy) -> _Result:
    """The result, without the bytes if they are unchanged."""
    result = admit(Staged(len(data), data=data), expected_study_uid, policy)
    if isinstance(result, Admitted) and result.staged.data is data:
        return result._replace(staged=replace(result.staged, data=None))
    return result


def serve(connection: Connection) -> None:
    """Read groups until the other side is gone."""
    connection.send(None)  # ready
    with contextlib.suppress(EOFError, OSError):
        while True:
            group, policy = connection.recv()
            connection.send([_read(data, expected, policy) for data, expected in group])


def main(descriptor: int) -> None:
    """The process. Whoever stops the server stops it by closing its connection, after what is under way."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    serve(Connection(descriptor))
