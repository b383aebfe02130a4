"""Patience: a peer gains time by progress only."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dicomweb_server.dimse.options import Timeouts
from dicomweb_server.dimse.patience import Patience
from tests.virtual_time import VirtualTimeLoop

Told = list[tuple[float, str]]


async def no_message(patience: Patience, told: Told) -> None:
    patience.progress()
    for _ in range(60):
        patience.await_message()
        await asyncio.sleep(0.5)
    assert [each for each in told if each[1] != "rested"] == [(30.0, "a message")]
    assert told[0] == (5.0, "rested")


async def no_rest(patience: Patience, told: Told) -> None:
    for _ in range(3):
        patience.progress()
        patience.await_rest()
        await asyncio.sleep(9)
    patience.await_rest()
    await asyncio.sleep(5)
    assert told == [(28.0, "the rest of a message")]


async def a_pdu_in_pieces(patience: Patience, told: Told) -> None:
    for _ in range(5):
        patience.await_pdu()
        await asyncio.sleep(7)
    patience.pdu_is_whole()
    assert told == [(20.0, "the rest of a PDU")]
    patience.await_pdu()
    await asyncio.sleep(100)
    assert told[1:] == [(55.0, "the rest of a PDU")]


@pytest.mark.parametrize("happens", [no_message, no_rest, a_pdu_in_pieces])
def test_who_is_waited_for(happens: Callable[[Patience, Told], Awaitable[None]]) -> None:
    async def main() -> None:
        told: Told = []
        loop = asyncio.get_running_loop()

        def tell(what: str) -> None:
            told.append((loop.time(), what))

        await happens(Patience(Timeouts(pdu=20.0, silence=10.0, idle=30.0), tell, lambda: tell("rested")), told)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())
