"""SharedWork: made once for all who wait, given up when nobody does."""

import asyncio

import pytest

from dicomweb_server.services.shared_work import SharedWork


class Making:
    """Something that takes a while."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.go = asyncio.Event()

    async def __call__(self) -> int:
        self.begun += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self.begun


async def test_all_who_ask_get_the_same() -> None:
    shared, making = SharedWork(), Making()
    waiting = [asyncio.create_task(shared.result("a", making)) for _ in range(5)]
    await asyncio.sleep(0)
    making.go.set()
    assert await asyncio.gather(*waiting) == [1] * 5
    assert await shared.result("a", making) == 2


async def test_what_went_wrong_is_told_to_all() -> None:
    async def fail() -> int:
        await asyncio.sleep(0)
        raise ValueError("no")

    shared = SharedWork()
    results = await asyncio.gather(*(shared.result("a", fail) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [ValueError] * 3


async def test_one_who_leaves_does_not_end_it_for_the_others() -> None:
    shared, making = SharedWork(), Making()
    leaver, stayer = (asyncio.create_task(shared.result("a", making)) for _ in range(2))
    await asyncio.sleep(0.01)
    leaver.cancel()
    await asyncio.sleep(0)
    making.go.set()
    assert await stayer == 1
    with pytest.raises(asyncio.CancelledError):
        await leaver


async def test_when_all_have_left_it_is_given_up() -> None:
    shared, making = SharedWork(), Making()
    waiting = [asyncio.create_task(shared.result("a", making)) for _ in range(2)]
    await asyncio.sleep(0.01)
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await asyncio.sleep(0)
    assert making.cancelled == 1
    making.go.set()
    assert await shared.result("a", making) == 2
