"""How long to wait for what comes at once, or by itself after an answer: long for a slow machine, short for a server.

The timeouts that a server has of itself are longer: what has come within SOON did not wait for one of them.
"""

import asyncio
import time
from collections.abc import Callable

SOON = 9.0  # seconds


_STEP = 0.01  # between two looks, which are counted: a process that was stopped for a while has not looked meanwhile


def wait_until(condition: Callable[[], object]) -> None:
    """Until it holds, which it must soon."""
    for _ in range(int(SOON / _STEP)):
        if condition():
            return
        time.sleep(_STEP)
    raise AssertionError("it does not come true")


async def until(condition: Callable[[], object]) -> None:
    """The same, while the loop goes on."""
    for _ in range(int(SOON / _STEP)):
        if condition():
            return
        await asyncio.sleep(_STEP)
    raise AssertionError("it does not come true")


async def until_listening(port: int) -> None:
    """Until a tool that was started takes connections."""
    for _ in range(int(6 * SOON / _STEP)):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(_STEP)
        else:
            writer.close()
            await writer.wait_closed()
            return
    raise AssertionError(f"nothing listens on port {port}")
