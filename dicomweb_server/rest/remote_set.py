"""The routes that all kinds of remotes have: which there are, what is known of one, tell of one, forget it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.http.routing import Endpoint
from dicomweb_server.rest.answers import empty_answer, json_answer
from dicomweb_server.rest.arguments import Arguments
from dicomweb_server.rest.body import json_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.table import JSON, Table, flag, row
from dicomweb_server.services.remotes import RemoteSet

T = TypeVar("T")
_EXPAND = flag("expand", "Tell what is known of each, not only the names")


def name_of(request: Request) -> str:
    """The remote that a path names."""
    name: str = request.scope["path_params"]["name"]
    return name


@dataclass(frozen=True, slots=True)
class RemoteRoutes(Generic[T]):
    """One kind of remotes. `shown`: what is told of one, without its secrets; `operations`: what can be asked of it."""

    path: str
    noun: str
    known: Callable[[Context], RemoteSet[T]]
    read: Callable[[Any], T]
    shown: Callable[[T], Any]
    operations: Callable[[T], Sequence[str]]

    def table(self) -> Table:
        """Their rows."""
        one = self.path + "/{name}"
        return (
            row("GET", self.path, self._list, f"Known {self.noun}s", _EXPAND),
            row("GET", one, self._answer(self.operations), f"What can be asked of a {self.noun}"),
            row("PUT", one, self._put, f"Add or replace a {self.noun}", consumes=(JSON,)),
            row("DELETE", one, self._delete, f"Forget a {self.noun}"),
        )

    def configuration(self) -> Table:
        """The row of what is known of one."""
        path = self.path + "/{name}/configuration"
        return (row("GET", path, self._answer(self.shown), f"What is known of a {self.noun}"),)

    async def _list(self, request: Request, context: Context) -> Response:
        known = self.known(context)
        if Arguments(request.scope).flag("expand"):
            return json_answer({name: self.shown(remote) for name, remote in known.items()})
        return json_answer(list(known))

    def _answer(self, of: Callable[[T], Any]) -> Endpoint[Context]:
        async def endpoint(request: Request, context: Context) -> Response:
            return json_answer(of(self.known(context).named(name_of(request))))

        return endpoint

    async def _put(self, request: Request, context: Context) -> Response:
        await self.known(context).put(name_of(request), self.read(await json_body(request, context)))
        return empty_answer()

    async def _delete(self, request: Request, context: Context) -> Response:
        await self.known(context).remove(name_of(request))
        return empty_answer()
