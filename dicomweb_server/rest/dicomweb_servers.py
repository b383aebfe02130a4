"""/dicom-web/servers: other DICOMweb servers, as Orthanc's plugin has them below the root of the service."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.client import is_below, with_arguments
from dicomweb_server.http.responses import Pieces
from dicomweb_server.rest.answers import empty_answer, json_answer
from dicomweb_server.rest.body import Members, object_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.qido_answer import simplified
from dicomweb_server.rest.remote_set import RemoteRoutes, name_of
from dicomweb_server.rest.sent_resources import chosen_resources, sent_resources
from dicomweb_server.rest.submission import answer_by_job, wish_of
from dicomweb_server.rest.table import JSON, OCTETS, TEXT, Table, row
from dicomweb_server.services.fetching import WADO
from dicomweb_server.services.orthanc_remotes import read_server, shown_server
from dicomweb_server.services.peers import PeerError
from dicomweb_server.services.sending_kinds import STOW

_LARGEST_SEARCH = 64 << 20
_MOST_RELAYED = 1 << 44
_OWN_HEADERS = frozenset({"connection", "content-length", "host", "transfer-encoding"})
_PATHS = (("Study", "studies"), ("Series", "series"), ("Instance", "instances"))
_UIDS = (("StudyInstanceUID", "studies"), ("SeriesInstanceUID", "series"), ("SOPInstanceUID", "instances"))


async def get(request: Request, context: Context) -> Response:
    """What a server answers to a GET, as it comes."""
    members = await object_body(request, context)
    relayed = _relayed(context, name_of(request), _path(members), _headers(members))
    content_type = await anext(relayed)
    return Pieces(relayed, content_type)


async def qido(request: Request, context: Context) -> Response:
    """What a server finds, with names of the attributes."""
    members = await object_body(request, context)
    relayed = _relayed(
        context, name_of(request), _path(members), {"accept": "application/dicom+json"} | _headers(members)
    )
    await anext(relayed)
    return json_answer(simplified(await _whole(relayed)))


async def retrieve(request: Request, context: Context) -> Response:
    """Fetch studies, series and instances, and store them here."""
    members = await object_body(request, context)
    arguments = _texts(members, "Arguments")
    paths = [with_arguments(_resource(resource), arguments) for resource in members.objects("Resources")]
    return await _fetched(request, context, members, paths, asynchronous=False)


async def wado(request: Request, context: Context) -> Response:
    """Fetch what is at a path, and store it here; asynchronous unless the request says otherwise."""
    members = await object_body(request, context)
    return await _fetched(request, context, members, [_path(members)], asynchronous=True)


async def stow(request: Request, context: Context) -> Response:
    """Send resources to a server."""
    name, members = name_of(request), await sent_resources(request, context)
    context.services.dicomweb_servers.named(name)
    wish, wanted = wish_of(members), {"Server": name, "HttpHeaders": _headers(members)}
    parameters, content = await chosen_resources(members, context)
    shown = {**content, "InstancesCount": "0", "NetworkSizeMB": "0"}
    return await answer_by_job(request, context, STOW, {**parameters, **wanted}, wish, content=shown)


async def delete(request: Request, context: Context) -> Response:
    """Have a server delete a study, series or instance."""
    name, members = name_of(request), await object_body(request, context)
    if not context.services.dicomweb_servers.named(name).deletes:
        raise ServerError(Reason.BAD_REQUEST, "this server is not known to delete: its HasDelete is false")
    depth = ("study", "series", "instance").index(_level(members)) + 1
    path = "".join(f"/{segment}/{_uid(members, name)}" for name, segment in _UIDS[:depth])
    await _deleted(context, name, path)
    return empty_answer()


async def _fetched(
    request: Request, context: Context, members: Members, paths: list[str], *, asynchronous: bool
) -> Response:
    name = name_of(request)
    context.services.dicomweb_servers.named(name)
    parameters = {"Server": name, "Paths": paths, "HttpHeaders": _headers(members)}
    shown = {"NetworkUsageMB": "0", "ReceivedInstancesCount": "0"}
    wish = wish_of(members, asynchronous=asynchronous)
    return await answer_by_job(request, context, WADO, parameters, wish, content=shown)


async def _deleted(context: Context, name: str, path: str) -> None:
    try:
        async with context.services.dicomweb_servers.connected(name) as server:
            await server.delete(path)
    except PeerError as error:
        raise _failed(error) from error


async def _relayed(context: Context, name: str, path: str, headers: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
    """The Content-Type of an answer, then its body."""
    try:
        async with (
            context.services.dicomweb_servers.connected(name) as server,
            server.answer("GET", path, headers=headers) as answer,
        ):
            yield answer.headers.get("content-type", OCTETS).encode("latin-1")
            async for piece in answer.pieces(_MOST_RELAYED):
                yield piece
    except PeerError as error:
        raise _failed(error) from error


async def _whole(pieces: AsyncGenerator[bytes, None]) -> Any:
    """JSON from a server; ServerError(PEER_FAILED) if it is none, or too much."""
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > _LARGEST_SEARCH:
            await pieces.aclose()
            raise ServerError(Reason.PEER_FAILED, f"the server answered with more than {_LARGEST_SEARCH} bytes")
    try:
        return orjson.loads(body) if body else []
    except orjson.JSONDecodeError:
        raise ServerError(Reason.PEER_FAILED, "the server answered with what is no JSON") from None


def _failed(error: PeerError) -> ServerError:
    return ServerError(Reason.NOT_FOUND if error.status == 404 else Reason.PEER_FAILED, str(error))


def _path(members: Members) -> str:
    path = members.text("Uri")
    if not is_below(path):
        raise ServerError(Reason.BAD_REQUEST, "Uri must be a path below the server's address, such as /studies")
    return with_arguments(path, _texts(members, "Arguments"))


def _headers(members: Members) -> dict[str, str]:
    """Further fields of a request; those of the connection are not for users to say."""
    found = {name.lower(): value for name, value in _texts(members, "HttpHeaders").items()}
    for name in _OWN_HEADERS & found.keys():
        raise ServerError(Reason.BAD_REQUEST, f"HttpHeaders must not have {name}")
    return found


def _texts(members: Members, name: str) -> dict[str, str]:
    found = members.members(name).all
    if not all(isinstance(value, str | int | float) for value in found.values()):
        raise ServerError(Reason.BAD_REQUEST, f"{name} must be an object of texts")
    return {key: str(value) for key, value in found.items()}


def _resource(resource: Members) -> str:
    """The path of a study, a series of it, or an instance of that."""
    depth = 3 if "Instance" in resource else 2 if "Series" in resource else 1
    return "".join(f"/{segment}/{_uid(resource, name)}" for name, segment in _PATHS[:depth])


def _uid(members: Members, name: str) -> str:
    return quote(members.text(name), safe="")


def _level(members: Members) -> str:
    level = members.text("Level").lower()
    if level not in ("study", "series", "instance"):
        raise ServerError(Reason.BAD_REQUEST, "Level must be Study, Series or Instance")
    return level


_FAILS = (500,)

_ROUTES = RemoteRoutes(
    "/servers",
    "DICOMweb server",
    lambda context: context.services.dicomweb_servers,
    read_server,
    shown_server,
    lambda server: ["get", "retrieve", "stow", "wado", "qido", *(["delete"] if server.deletes else [])],
)

# Paths below the root of the DICOMweb service.
OPERATIONS: Table = (
    *_ROUTES.table(),
    row("POST", "/servers/{name}/get", get, "What a DICOMweb server answers to a GET", consumes=(JSON,),
        produces=(JSON, OCTETS), errors=_FAILS),
    row("POST", "/servers/{name}/qido", qido, "Search at a DICOMweb server", consumes=(JSON,), errors=_FAILS),
    row("POST", "/servers/{name}/retrieve", retrieve, "Fetch from a DICOMweb server", consumes=(JSON,), errors=_FAILS),
    row("POST", "/servers/{name}/wado", wado, "Fetch a path of a DICOMweb server", consumes=(JSON,), errors=_FAILS),
    row("POST", "/servers/{name}/stow", stow, "Send to a DICOMweb server", consumes=(JSON, TEXT), errors=_FAILS),
    row("POST", "/servers/{name}/delete", delete, "Delete at a DICOMweb server", consumes=(JSON,), errors=_FAILS),
)  # fmt: skip
