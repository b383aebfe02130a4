"""Notification connections (PS3.18 §8.10.4): WebSockets by which subscribers are told of workitems."""

import asyncio
from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from dicomweb_server.dicomweb.context import Context
from dicomweb_server.dicomweb.subscriptions import ae_title_of
from dicomweb_server.dicomweb.workitem_status import require_workitems
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.errors import problem_of
from dicomweb_server.http.routing import Resource
from dicomweb_server.services.workitem_channels import Channel

_PATH = "/subscribers/{ae_title}"


class Notifications:
    """`/subscribers/{ae_title}` below a root as an application; `context` is asked at each request."""

    def __init__(self, root: str, context: Callable[[], Context]) -> None:
        self._below = root.rstrip("/") + _PATH.partition("{")[0]
        self._route = Resource[Context](root.rstrip("/") + _PATH)  # for the log and the metrics
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Accept a handshake, or answer it as any request that cannot be served."""
        try:
            ae_title, context = self._subscriber(scope), self._context()
            require_workitems(context)
            channels = context.services.workitem_channels
            channel = channels.open(ae_title)
        except ServerError as error:
            await problem_of(error)(scope, receive, send)
            return
        try:
            await send({"type": "websocket.accept"})
            await _serve(channel, receive, send)
        finally:
            channels.close(channel)

    def _subscriber(self, scope: Scope) -> str:
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        title = path.removeprefix(self._below)
        if title == path or "/" in title:
            raise ServerError(Reason.NOT_FOUND, "the service has no such WebSocket")
        scope["route"] = self._route
        return ae_title_of(title)


async def _serve(channel: Channel, receive: Receive, send: Send) -> None:
    """Until the client goes away, or does not keep up."""
    tasks = [
        asyncio.create_task(work) for work in (_tell(channel, send), _until_gone(receive), _until_overflown(channel))
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _tell(channel: Channel, send: Send) -> None:
    while True:
        await send({"type": "websocket.send", "text": await channel.next()})
        channel.sent()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass  # what a client says has no meaning here


async def _until_overflown(channel: Channel) -> None:
    await channel.overflown.wait()
