"""Deadlines: missed once, moved cheaply, cleared."""

import asyncio

from dicomweb_server.dimse.deadline import Deadline


async def test_missed() -> None:
    missed: list[str] = []
    Deadline(missed.append).set(0.01, "a thing")
    await asyncio.sleep(0.05)
    assert missed == ["a thing"]


async def test_moved_and_cleared() -> None:
    missed: list[str] = []
    deadline = Deadline(missed.append)
    deadline.set(0.5, "first")
    for _ in range(5):
        await asyncio.sleep(0.15)
        deadline.set(0.5, "later")
    assert missed == []
    deadline.clear()
    await asyncio.sleep(0.6)
    assert missed == []


async def test_moved_to_an_earlier_moment() -> None:
    missed: list[str] = []
    deadline = Deadline(missed.append)
    deadline.set(10, "late")
    deadline.set(0.01, "early")
    await asyncio.sleep(0.05)
    assert missed == ["early"]


async def test_stopped() -> None:
    missed: list[str] = []
    deadline = Deadline(missed.append)
    deadline.set(0.01, "never")
    deadline.stop()
    await asyncio.sleep(0.03)
    assert missed == []
