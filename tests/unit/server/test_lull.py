"""Waiting until the process has little to do."""

import asyncio
from itertools import chain, count, repeat

import pytest

from dicomweb_server.server.lull import lull


async def test_it_comes_where_nothing_is_done() -> None:
    async with asyncio.timeout(60):
        await lull(0.05)


async def test_it_does_not_come_while_the_process_works(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = count()
    clock = chain([float(n) for n in range(10)], repeat(10.0))

    def process_time() -> float:
        next(asked)
        return next(clock)

    monkeypatch.setattr("dicomweb_server.server.lull.process_time", process_time)
    async with asyncio.timeout(60):
        await lull(0.02)
    assert next(asked) > 10
