"""An application that is made when it is first asked for, beside the requests to those that are there."""

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send


class Deferred:
    """Stands for what `make` makes; made once, in a thread. Used on one event loop."""

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make = make
        self._making: asyncio.Task[ASGIApp] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = await self.made()
        await app(scope, receive, send)

    async def made(self) -> ASGIApp:
        """The application. Whoever stops waiting for it does not stop it from being made."""
        if self._making is None:
            self._making = asyncio.create_task(asyncio.to_thread(self._make))
        return await asyncio.shield(self._making)
