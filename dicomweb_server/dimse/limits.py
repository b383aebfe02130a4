"""What one destination can bear: how much is sent to it in a second, and on how many associations, whoever sends."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass

from dicomweb_server.dimse.options import Modality

Piece = bytes | memoryview
_BURST = 1.0  # seconds' worth that may go out at once after a pause


class Pace:
    """Makes senders wait, one behind the other, so that no more than `rate` bytes go out in a second."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._next = 0.0  # when what was taken will have gone out

    async def take(self, size: int) -> None:
        """Returns when so many bytes may go out."""
        now = asyncio.get_running_loop().time()
        self._next = max(self._next, now - _BURST) + size / self._rate
        if self._next > now:
            await asyncio.sleep(self._next - now)

    async def paced(self, pieces: AsyncIterable[Piece]) -> AsyncIterator[Piece]:
        """The pieces of a stream, each when it may go out."""
        async for piece in pieces:
            await self.take(len(piece))
            yield piece


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one destination; None where there is none."""

    pace: Pace | None = None
    slots: asyncio.Semaphore | None = None


class DestinationLimits:
    """The limits of all destinations, shared by whoever sends to them."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Limits] = {}

    def of(self, modality: Modality) -> Limits:
        """Of one of them; new ones, if its settings have changed."""
        if not modality.bandwidth and not modality.max_associations:
            return Limits()
        key = (modality.ae_title, modality.host, modality.port, modality.bandwidth, modality.max_associations)
        if key not in self._known:
            self._known[key] = Limits(
                Pace(modality.bandwidth) if modality.bandwidth else None,
                asyncio.Semaphore(modality.max_associations) if modality.max_associations else None,
            )
        return self._known[key]
