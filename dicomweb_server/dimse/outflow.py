"""Outflow: what was written to a peer that takes less than it is sent, and who waits for room."""

import asyncio


class Outflow:
    """Open until the transport says that its buffer is full."""

    def __init__(self) -> None:
        """Open."""
        self._room: asyncio.Future[None] | None = None
        self._unsent = 0

    @property
    def is_blocked(self) -> bool:
        """Whether whoever sends should wait."""
        return self._room is not None

    def block(self, unsent: int) -> None:
        """So many bytes wait for the peer."""
        self._room = asyncio.get_running_loop().create_future()
        self._unsent = unsent

    def unblock(self) -> None:
        """The peer has taken most of them, or never will."""
        if self._room is not None:
            self._room.set_result(None)
            self._room = None

    def has_moved(self, unsent: int) -> bool:
        """Whether fewer bytes wait than before."""
        has_moved = self.is_blocked and unsent < self._unsent
        self._unsent = unsent
        return has_moved

    async def room(self) -> None:
        """Wait until it is open."""
        if self._room is not None:
            await asyncio.shield(self._room)
