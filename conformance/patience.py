"""How long to wait for what comes at once, or by itself after an answer: long for a slow machine, short for a server.

The timeouts that a server has of itself are longer: what has come within SOON did not wait for one of them.
"""

import asyncio
import time
from collections.abc import Callable

SOON = 9.0  # seconds


def wait_until(condition: Callable[[], object]) -> None:
    """Until it holds, which it must soon."""
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)


async def until(condition: Callable[[], object]) -> None:
    """The same, while the loop goes on."""
    async with asyncio.timeout(SOON):
        while not condition():  # noqa: ASYNC110 - who is waited for tells nobody
            await asyncio.sleep(0.01)


async def until_listening(port: int) -> None:
    """Until a tool that was started takes connections."""
    async with asyncio.timeout(6 * SOON):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return
