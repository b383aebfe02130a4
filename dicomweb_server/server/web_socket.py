"""A WebSocket connection (RFC 6455) with our limits; the protocol itself is that of `websockets`, by way of uvicorn."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from dicomweb_server.server.unsent import Unsent
from dicomweb_server.services.admission import without_message

_logger = logging.getLogger("dicomweb_server.http")


class WebSocket(WebSocketsSansIOProtocol):
    """One client connection after its handshake came. `on_lost` is called once, at its end."""

    def __init__(
        self,
        on_lost: Callable[[], None],
        header_timeout: float,
        write_timeout: float,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.app = _Guard(self.app)
        self._on_lost = on_lost
        self._answer_until = self.loop.time() + header_timeout
        self._unsent = Unsent(write_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._on_lost()

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True  # by a refusal, which uvicorn would take for none

    def check_deadlines(self, now: float) -> None:
        """Cut the connection if its handshake is none, or if its client does not read."""
        is_late = not self.handshake_initiated and now > self._answer_until
        if is_late or self._unsent.is_stuck(self.transport.get_write_buffer_size(), now):
            self.transport.abort()


class _Guard:
    """Keeps defects and the stop of the server from tracebacks in the log; the connection is closed then."""

    __slots__ = ("_app",)

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self._app(scope, receive, send)
        except (asyncio.CancelledError, ClientDisconnected):
            return
        except Exception as error:  # an edge: a WebSocket
            _logger.error("a defect in serving a WebSocket: %s", without_message(error))
