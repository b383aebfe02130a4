"""Deadlines: missed once, moved cheaply, cleared."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dicomweb_server.dimse.deadline import Deadline
from tests.virtual_time import VirtualTimeLoop

Missed = list[tuple[float, str]]


async def missed_once(deadline: Deadline, missed: Missed) -> None:
    deadline.set(0.01, "a thing")
    await asyncio.sleep(0.05)
    assert missed == [(0.01, "a thing")]


async def moved_and_cleared(deadline: Deadline, missed: Missed) -> None:
    deadline.set(0.5, "first")
    for _ in range(5):
        await asyncio.sleep(0.499)
        deadline.set(0.5, "later")
    await asyncio.sleep(0.499)
    assert missed == []
    deadline.clear()
    await asyncio.sleep(0.6)
    assert missed == []


async def moved_and_missed(deadline: Deadline, missed: Missed) -> None:
    deadline.set(0.5, "first")
    await asyncio.sleep(0.25)
    deadline.set(0.5, "later")
    await asyncio.sleep(1)
    assert missed == [(0.75, "later")]


async def moved_to_an_earlier_moment(deadline: Deadline, missed: Missed) -> None:
    deadline.set(10, "late")
    deadline.set(0.01, "early")
    await asyncio.sleep(20)
    assert missed == [(0.01, "early")]


async def stopped(deadline: Deadline, missed: Missed) -> None:
    deadline.set(0.01, "never")
    deadline.stop()
    await asyncio.sleep(0.03)
    assert missed == []


@pytest.mark.parametrize(
    "happens", [missed_once, moved_and_cleared, moved_and_missed, moved_to_an_earlier_moment, stopped]
)
def test_a_deadline(happens: Callable[[Deadline, Missed], Awaitable[None]]) -> None:
    async def main() -> None:
        missed: Missed = []
        loop = asyncio.get_running_loop()
        await happens(Deadline(lambda awaited: missed.append((loop.time(), awaited))), missed)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())
