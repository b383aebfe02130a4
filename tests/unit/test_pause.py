"""Pauses: ended at once or soon, before or after somebody waits, and cancelled like any other wait."""

import asyncio

import pytest

from dicomweb_server.pause import Pause


class Waiting:
    """A task that waits for the end of a pause, and what it has done."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.pause = Pause(asyncio.get_running_loop())
        self.task = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        self.done.append("waits")
        try:
            await self.pause
        except asyncio.CancelledError:
            self.done.append("cancelled")
            raise
        self.done.append("goes on")


def called(function: object, *seen: object) -> "asyncio.Future[list[list[object]]]":
    """Calls from the loop, as a transport does, and what each of `seen` has right after it."""
    future = asyncio.get_running_loop().create_future()

    def call() -> None:
        function()  # type: ignore[operator]
        future.set_result([list(each) for each in seen])  # type: ignore[call-overload]

    asyncio.get_running_loop().call_soon(call)
    return future


async def test_its_end_resumes_the_task_at_once() -> None:
    waiting = Waiting()
    await asyncio.sleep(0)
    assert await called(waiting.pause.end, waiting.done) == [["waits", "goes on"]]
    await waiting.task


async def test_a_soft_end_resumes_it_in_the_next_turn() -> None:
    waiting = Waiting()
    await asyncio.sleep(0)
    assert await called(waiting.pause.end_soon, waiting.done) == [["waits"]]
    await waiting.task
    assert waiting.done == ["waits", "goes on"]


async def test_within_another_task_it_is_resumed_in_the_next_turn() -> None:
    waiting = Waiting()
    await asyncio.sleep(0)
    waiting.pause.end()
    assert waiting.done == ["waits"]
    await waiting.task
    assert waiting.done == ["waits", "goes on"]


async def test_an_end_before_anybody_waits() -> None:
    waiting = Waiting()
    waiting.pause.end()
    waiting.pause.end()
    await waiting.task
    assert waiting.done == ["waits", "goes on"]


@pytest.mark.parametrize("end", ["end", "end_soon"])
async def test_a_cancelled_task_does_not_wait_any_more(end: str) -> None:
    waiting = Waiting()
    await asyncio.sleep(0)
    waiting.task.cancel()
    getattr(waiting.pause, end)()
    with pytest.raises(asyncio.CancelledError):
        await waiting.task
    assert waiting.done == ["waits", "cancelled"]


async def test_cancelled_after_its_end() -> None:
    waiting = Waiting()
    await asyncio.sleep(0)
    waiting.pause.end_soon()
    waiting.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting.task
    assert waiting.done == ["waits", "cancelled"]
    waiting.pause.end_soon()


async def test_a_task_has_its_own_context() -> None:
    waiting = Waiting()
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(waiting.pause.end)
    async with asyncio.timeout(60):  # looks for the task that it is in
        await waiting.task
