"""The front door: the hot service is asked first, before the framework's own middleware and router."""

from starlette.types import ASGIApp, Receive, Scope, Send


class FrontDoor:
    """Sends requests below a path to one application, and everything else to another."""

    def __init__(self, root: str, service: ASGIApp, otherwise: ASGIApp) -> None:
        self._root = root
        self._below = root + "/"
        self._service = service
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith(self._below) or path == self._root:
                await self._service(scope, receive, send)
                return
        await self._otherwise(scope, receive, send)
