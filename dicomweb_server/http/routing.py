"""The resources of a service as a tree: path to operation without regular expressions or a framework on the way."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.body import DisconnectedError
from dicomweb_server.http.description import Description
from dicomweb_server.http.errors import AnswerError, Failure, as_problem
from dicomweb_server.http.method_override import overriding_method
from dicomweb_server.http.responses import Whole
from dicomweb_server.services.admission import without_message

ContextT = TypeVar("ContextT")
Endpoint = Callable[[Request, ContextT], Awaitable[Response]]

_logger = logging.getLogger("dicomweb_server.http")


@dataclass(frozen=True, slots=True)
class Operation(Generic[ContextT]):
    """One method of one resource. `path`: its template below the service's root, "/studies/{study}"; a parameter
    `{name:path}` takes all the rest.
    """

    method: str
    path: str
    endpoint: Endpoint[ContextT]
    description: Description


class Resource(Generic[ContextT]):
    """What one path template offers."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.endpoints: dict[str, Endpoint[ContextT]] = {}

    @property
    def allow(self) -> str:
        """The value of Allow."""
        return ", ".join(sorted({*self.endpoints, "OPTIONS"}))


class _Node(Generic[ContextT]):
    __slots__ = ("children", "parameter", "resource", "rest", "variable")

    def __init__(self) -> None:
        self.children: dict[str, _Node[ContextT]] = {}
        self.variable: _Node[ContextT] | None = None
        self.rest: _Node[ContextT] | None = None
        self.parameter = ""  # the name that a variable or rest segment leading here is kept under
        self.resource: Resource[ContextT] | None = None


class Service(BaseRoute, Generic[ContextT]):
    """All operations below one root as one route. It answers its errors itself, so it also works on its own as ASGI.

    `context` is asked at each request for what the endpoints need; it may be filled after the routes are made.
    `failure` makes the answers to requests that cannot be served. `override`: the method may be named elsewhere.
    """

    def __init__(
        self,
        root: str,
        operations: Iterable[Operation[ContextT]],
        context: Callable[[], ContextT],
        failure: Failure = as_problem,
        *,
        override: bool = False,
    ) -> None:
        self._has_override = override
        self._failure = failure
        self.root = root.rstrip("/")
        self._below = self.root + "/"
        self._context = context
        self._tree: _Node[ContextT] = _Node()
        for operation in operations:
            self._add(operation)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for this service (Starlette's side of routing)."""
        if scope["type"] == "http":
            path = _path(scope)
            if path.startswith(self._below) or path == self.root:
                return Match.FULL, {}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that matches."""
        started = False

        async def watched_send(message: Any) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            response = await self._respond(scope, receive)
            await response(scope, receive, watched_send)
        except DisconnectedError:
            _logger.info("a client went away before its request was whole")
        except ServerError as error:
            headers = error.headers if isinstance(error, AnswerError) else ()
            await self._failure(scope, error.reason, error.detail, headers)(scope, receive, send)
        except Exception as error:
            where = getattr(scope.get("route"), "path", "a request")
            _logger.error("a defect in serving %s: %s", where, without_message(error))
            # An answer that has begun stays incomplete: the server closes the connection, so that the client can tell.
            if not started:
                await self._failure(scope, Reason.INTERNAL, "", ())(scope, receive, send)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The service as an application of its own."""
        if self.matches(scope)[0] is Match.NONE:
            await self._failure(scope, Reason.NOT_FOUND, "", ())(scope, receive, send)
        else:
            await self.handle(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        if self._has_override and (method := overriding_method(scope)):
            scope["method"] = method
        resource = self._find(scope)
        if resource is None:
            return self._failure(scope, Reason.NOT_FOUND, "the service has no such resource", ())
        # For the log and the metrics, as Starlette's own routes do.
        scope["route"] = resource
        endpoint = resource.endpoints.get(scope["method"])
        if endpoint is None:
            return self._other_method(scope, resource.allow)
        return await endpoint(Request(scope, receive), self._context())

    def _find(self, scope: Scope) -> Resource[ContextT] | None:
        path = _path(scope)[len(self.root) :]
        found: dict[str, str] = {}
        node = self._tree
        segments = path.strip("/").split("/")
        for position, segment in enumerate(segments):
            child = node.children.get(segment) or (node.variable if segment else None)
            if child is None:
                if node.rest is None or not segment:
                    return None
                found[node.rest.parameter] = "/".join(segments[position:])
                node = node.rest
                break
            if child is node.variable:
                found[child.parameter] = segment
            node = child
        scope["path_params"] = found
        return node.resource

    def _add(self, operation: Operation[ContextT]) -> None:
        node = self._tree
        for segment in operation.path.strip("/").split("/"):
            node = self._child(node, segment)
        if node.resource is None:
            node.resource = Resource(self.root + operation.path)
        node.resource.endpoints[operation.method] = operation.endpoint
        if operation.method == "GET":
            node.resource.endpoints.setdefault("HEAD", operation.endpoint)

    def _other_method(self, scope: Scope, allowed: str) -> Response:
        headers = [(b"allow", allowed.encode("ascii"))]
        if scope["method"] == "OPTIONS":
            return Whole(status=204, headers=headers)
        return self._failure(scope, Reason.METHOD_NOT_ALLOWED, f"this resource offers {allowed}", headers)

    @staticmethod
    def _child(node: _Node[ContextT], segment: str) -> _Node[ContextT]:
        if not segment.startswith("{"):
            return node.children.setdefault(segment, _Node())
        name, _, kind = segment.strip("{}").partition(":")
        if kind == "path":
            node.rest = node.rest or _Node()
            child = node.rest
        else:
            node.variable = node.variable or _Node()
            child = node.variable
        child.parameter = name
        return child


def _path(scope: Scope) -> str:
    """The path below where the application is mounted."""
    path: str = scope["path"]
    mounted: str = scope.get("root_path", "")
    return path.removeprefix(mounted) if mounted else path
