"""Lull: a while in which this process has little to do, so that what can wait harms nobody."""

import asyncio
from time import process_time

_LITTLE = 0.1  # of one processor
_LATE = 1.5  # times as long as was slept: the machine has other work


async def lull(seconds: float = 1.0) -> None:
    """Return after the first so many seconds in which the process, with all its threads, hardly worked."""
    loop = asyncio.get_running_loop()
    while True:
        started, worked = loop.time(), process_time()
        await asyncio.sleep(seconds)
        if process_time() - worked < _LITTLE * seconds and loop.time() - started < _LATE * seconds:
            return
