"""Threads: the bridge between the loop and blocking code."""

import asyncio
import threading

import pytest

from dicomweb_server.storage.threads import Threads


async def test_runs_beside_the_loop() -> None:
    threads = Threads(2, "test")
    release = threading.Event()
    asyncio.get_running_loop().call_later(0.01, release.set)
    assert await threads.run(lambda: release.wait(5))
    assert (await threads.run(lambda: threading.current_thread().name)).startswith("test-")
    assert await threads.run(lambda: 42) == 42
    threads.close()


async def test_an_exception_reaches_who_asked() -> None:
    threads = Threads(1, "test")
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)
    assert await threads.run(lambda: "still there") == "still there"
    threads.close()


async def test_a_caller_that_gave_up_harms_nobody() -> None:
    threads = Threads(1, "test")
    release = threading.Event()
    task = asyncio.create_task(threads.run(lambda: release.wait(5)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    assert await threads.run(lambda: 1) == 1
    threads.close()


async def test_close_finishes_what_was_asked_for() -> None:
    threads = Threads(2, "test")
    done: list[int] = []
    tasks = [asyncio.create_task(threads.run(lambda n=n: done.append(n))) for n in range(20)]  # type: ignore[misc]
    await asyncio.sleep(0)
    await asyncio.to_thread(threads.close)
    await asyncio.gather(*tasks)
    assert sorted(done) == list(range(20))
    with pytest.raises(RuntimeError):
        await threads.run(lambda: 1)


def test_a_loop_that_is_gone_is_no_error() -> None:
    threads = Threads(1, "test")
    release = threading.Event()

    async def give_up() -> None:
        task = asyncio.create_task(threads.run(lambda: release.wait(5)))
        await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(give_up())
    release.set()
    threads.close()
