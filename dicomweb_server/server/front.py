"""The front door: our own services are asked first, before the framework's own middleware and router."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send


class FrontDoor:
    """Sends requests below `root` to one application, other paths to others by their first segment.

    `within`: applications for paths below `root` by the segment that follows it. What is left goes to `otherwise`.
    `web_sockets`: all of these, wherever they are.
    """

    def __init__(
        self,
        root: str,
        service: ASGIApp,
        otherwise: ASGIApp,
        *,
        others: Mapping[str, ASGIApp] | None = None,
        within: Mapping[str, ASGIApp] | None = None,
        web_sockets: ASGIApp | None = None,
    ) -> None:
        self._root = root
        self._below = root + "/"
        self._service = service
        self._otherwise = otherwise
        self._others = others or {}
        self._web_sockets = web_sockets or otherwise
        self._within = within or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._choose(scope["path"])(scope, receive, send)
        else:
            await self._web_sockets(scope, receive, send)

    def _choose(self, path: str) -> ASGIApp:
        if path.startswith(self._below):
            return self._within.get(path[len(self._below) :].partition("/")[0], self._service)
        if path == self._root:
            return self._service
        return self._others.get(path[1:].partition("/")[0], self._otherwise)
