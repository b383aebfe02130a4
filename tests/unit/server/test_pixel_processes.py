"""Processes for pixels: what they are asked is done, and what they suffer costs one piece of work."""

import asyncio
import os
import time
from collections.abc import Iterator

import pytest

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.server.pixel_processes import PixelLimits, PixelProcesses
from dicomweb_server.storage.threads import Threads
from tests.pixel_workers import allocate, crash, double, refuse, stumble, wait


@pytest.fixture(scope="module")
def processes() -> Iterator[PixelProcesses]:
    threads = Threads(2, "pixels")
    opened = PixelProcesses(threads, PixelLimits(memory=1 << 30, time=5.0, waiting=3))
    yield opened
    opened.close()
    threads.close()


async def test_a_result_comes_back(processes: PixelProcesses) -> None:
    await processes.warm_up()
    assert await processes.run(double, b"ab") == b"abab"


async def test_two_work_at_the_same_time(processes: PixelProcesses) -> None:
    first, second = await asyncio.gather(processes.run(wait, 0.2), processes.run(wait, 0.2))
    assert first != second
    assert os.getpid() not in (first, second)


async def test_an_error_is_that_of_the_function(processes: PixelProcesses) -> None:
    with pytest.raises(ServerError, match="not this") as failure:
        await processes.run(refuse, "not this")
    assert failure.value.reason is Reason.NOT_ACCEPTABLE


async def test_a_defect_shows_no_message(processes: PixelProcesses) -> None:
    with pytest.raises(ServerError) as failure:
        await processes.run(stumble, "Doe^Jane")
    assert failure.value.reason is Reason.INTERNAL
    assert "Doe" not in failure.value.detail


async def test_a_crash_costs_one_piece_of_work(processes: PixelProcesses) -> None:
    waiting = asyncio.create_task(processes.run(double, b"x"))
    with pytest.raises(ServerError, match="came to its end") as failure:
        await processes.run(crash)
    assert failure.value.reason is Reason.NOT_ACCEPTABLE
    assert await waiting == b"xx"
    assert await processes.run(double, b"y") == b"yy"


async def test_too_long_is_ended(processes: PixelProcesses) -> None:
    started = time.monotonic()
    with pytest.raises(ServerError, match="limit of 5 seconds") as failure:
        await processes.run(wait, 60.0)
    assert failure.value.reason is Reason.TOO_LARGE
    assert time.monotonic() - started < 50
    assert await processes.run(double, b"z") == b"zz"


async def test_too_much_memory_is_refused(processes: PixelProcesses) -> None:
    with pytest.raises(ServerError, match="more memory") as failure:
        await processes.run(allocate, 1 << 31)
    assert failure.value.reason is Reason.TOO_LARGE


async def test_too_much_work_is_refused(processes: PixelProcesses) -> None:
    started = [asyncio.create_task(processes.run(wait, 0.1)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(ServerError, match="waiting") as failure:
        await processes.run(double, b"")
    assert failure.value.reason is Reason.BUSY
    await asyncio.gather(*started)


async def test_closing_ends_what_is_under_way() -> None:
    threads = Threads(1, "pixels")
    opened = PixelProcesses(threads, PixelLimits(memory=1 << 30))
    await opened.warm_up()
    waiting = asyncio.create_task(opened.run(wait, 30.0))
    await asyncio.sleep(0.1)
    await asyncio.to_thread(opened.close)
    with pytest.raises(ServerError):
        await waiting
    with pytest.raises(ServerError, match="stopping"):
        await opened.run(double, b"")
    threads.close()
