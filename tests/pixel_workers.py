"""Workers for pixels that are this process itself; and work of which some goes wrong."""

import os
import signal
import time
from collections.abc import Callable
from typing import TypeVar

from dicomweb_server.errors import Reason, ServerError

_T = TypeVar("_T")


class InlineWorkers:
    """Runs functions at once."""

    async def run(self, function: Callable[..., _T], *arguments: object) -> _T:
        return function(*arguments)


def double(data: bytes) -> bytes:
    return data + data


def wait(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def refuse(problem: str) -> None:
    raise ServerError(Reason.NOT_ACCEPTABLE, problem)


def stumble(secret: str) -> None:
    raise ValueError(secret)


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def allocate(size: int) -> int:
    return len(bytearray(size))
