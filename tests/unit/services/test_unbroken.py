"""Work that goes on to its end: in its caller's task, and in one of its own when the caller gives up."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from dicomweb_server.pause import Pause
from dicomweb_server.services.unbroken import Unbroken


class Bench:
    """Remembers the tasks that were made of work."""

    def __init__(self) -> None:
        self.left: list[asyncio.Task[str]] = []
        self.tasks: list[asyncio.Task[Any] | None] = []

    def go_on(self, work: Coroutine[Any, Any, str]) -> None:
        self.left.append(asyncio.create_task(work))

    async def work(self, *awaited: asyncio.Future[str]) -> str:
        self.tasks.append(asyncio.current_task())
        results = [await one for one in awaited]
        await asyncio.sleep(0)
        self.tasks.append(asyncio.current_task())
        return " ".join(results)


def future() -> asyncio.Future[str]:
    return asyncio.get_running_loop().create_future()


async def test_without_anybody_who_gives_up_there_is_no_other_task() -> None:
    bench, first, second = Bench(), future(), future()
    asyncio.get_running_loop().call_soon(first.set_result, "one")
    asyncio.get_running_loop().call_later(0.01, second.set_result, "two")
    assert await Unbroken(bench.work(first, second), bench.go_on) == "one two"
    assert bench.left == []
    assert bench.tasks == [asyncio.current_task()] * 2


async def test_it_goes_on_when_its_caller_is_cancelled() -> None:
    bench, awaited = Bench(), future()

    async def call() -> str:
        return await Unbroken(bench.work(awaited), bench.go_on)

    caller = asyncio.create_task(call())
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert not awaited.cancelled()
    awaited.set_result("one")
    assert await bench.left[0] == "one"


async def test_it_goes_on_when_its_caller_is_cancelled_while_it_only_yields() -> None:
    bench = Bench()

    async def call() -> str:
        return await Unbroken(bench.work(), bench.go_on)

    caller = asyncio.create_task(call())
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert await bench.left[0] == ""


async def test_what_its_future_raises_it_meets_itself() -> None:
    bench, awaited = Bench(), future()
    asyncio.get_running_loop().call_soon(awaited.set_exception, ValueError("no"))

    async def work() -> str:
        try:
            return await awaited
        except ValueError as error:
            return str(error)

    assert await Unbroken(work(), bench.go_on) == "no"


@pytest.mark.parametrize("together", [False, True])
async def test_it_goes_on_with_a_pause_when_its_caller_is_cancelled(*, together: bool) -> None:
    bench, awaited = Bench(), Pause(asyncio.get_running_loop())

    async def work() -> str:
        await awaited
        return "done"

    async def call() -> str:
        return await Unbroken(work(), bench.go_on)

    caller = asyncio.create_task(call())
    await asyncio.sleep(0)
    if together:
        awaited.end()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    awaited.end()
    assert await bench.left[0] == "done"


async def test_what_it_raises_its_caller_meets() -> None:
    bench, awaited = Bench(), future()
    asyncio.get_running_loop().call_soon(awaited.set_exception, ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await Unbroken(bench.work(awaited), bench.go_on)
    assert bench.left == []


async def test_an_answer_that_comes_together_with_the_cancelling_is_not_lost() -> None:
    bench, awaited = Bench(), future()

    async def call() -> str:
        return await Unbroken(bench.work(awaited), bench.go_on)

    caller = asyncio.create_task(call())
    await asyncio.sleep(0)
    awaited.set_result("one")
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert await bench.left[0] == "one"
