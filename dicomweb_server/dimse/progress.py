"""How often a C-MOVE or C-GET tells how far it is; PS3.4 §C.4.2.3 and §C.4.3.3 leave that to the SCP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from dicomweb_server.dimse.ending import AssociationLostError

# Each of the first sub-operations, then so many seconds apart: a response costs both sides as much as a small instance.
_EACH_OF_THE_FIRST = 16
_SECONDS = 0.1
_SILENCE = 10.0  # in seconds: who waits for longer may think that nobody is there


class Progress:
    """Decides whether it is time to tell."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: in seconds."""
        self._clock = clock
        self._seen = 0
        self._told = clock()

    def is_due(self) -> bool:
        """Asked after each sub-operation: is this one to be told?"""
        self._seen += 1
        now = self._clock()
        if self._seen > _EACH_OF_THE_FIRST and now - self._told < _SECONDS:
            return False
        self._told = now
        return True


@asynccontextmanager
async def told_again(tell: Callable[[], None]) -> AsyncIterator[None]:
    """Tell now and then, also while nothing ends: a large instance takes its time, as does one whose turn is late."""

    async def telling() -> None:
        with suppress(AssociationLostError):  # its line in the log says why
            while True:
                await asyncio.sleep(_SILENCE)
                tell()

    task = asyncio.create_task(telling())
    try:
        yield
    finally:
        task.cancel()
