"""/peers: other servers with Orthanc's REST API."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.rest.answers import json_answer
from dicomweb_server.rest.body import whole_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.remote_set import RemoteRoutes, name_of
from dicomweb_server.rest.sent_resources import chosen_resources, sent_resources
from dicomweb_server.rest.submission import answer_by_job, wish_of
from dicomweb_server.rest.table import DICOM, JSON, TEXT, Table, row
from dicomweb_server.services.orthanc_remotes import read_peer, shown_peer
from dicomweb_server.services.peers import PeerError
from dicomweb_server.services.sending_kinds import PEER_STORE

_SMALL = 1 << 20
MOST_STRAIGHT = 512 << 20  # of a file that is passed on, in memory
_OPERATIONS = ("configuration", "store", "store-straight", "system")


async def show_system(request: Request, context: Context) -> Response:
    """What the peer says of itself."""
    return json_answer(orjson.loads(await _asked(context, name_of(request), "GET", "/system")))


async def store(request: Request, context: Context) -> Response:
    """Send resources to the peer."""
    name, members = name_of(request), await sent_resources(request, context)
    address = context.services.peers.named(name).address
    wish = wish_of(members)
    parameters, content = await chosen_resources(members, context)
    wanted = {"Peer": name, "Compress": members.flag("Compress"), "Transcode": members.text("Transcode", "")}
    shown = {**content, "Compress": wanted["Compress"], "Peer": [address.url], "Size": "0", "SizeMB": 0}
    return await answer_by_job(request, context, PEER_STORE, {**parameters, **wanted}, wish, content=shown)


async def store_straight(request: Request, context: Context) -> Response:
    """Send a file that is not stored here to the peer; its answer."""
    body = await whole_body(request, min(context.options.max_instance_size, MOST_STRAIGHT))
    return json_answer(orjson.loads(await _asked(context, name_of(request), "POST", "/instances", body)))


async def _asked(context: Context, name: str, method: str, path: str, body: bytes = b"") -> bytes:
    """The JSON that a peer answers with; ServerError(PEER_FAILED)."""
    headers = {"content-type": DICOM} if body else {}
    try:
        async with (
            context.services.peers.connected(name) as peer,
            peer.answer(method, path, headers=headers, body=body) as answer,
        ):
            whole = b"".join([piece async for piece in answer.pieces(_SMALL)])
        orjson.loads(whole)
    except PeerError as error:
        raise ServerError(Reason.PEER_FAILED, str(error)) from error
    except orjson.JSONDecodeError:
        raise ServerError(Reason.PEER_FAILED, "the peer answered with what is no JSON") from None
    return whole


_FAILS = (500,)

_ROUTES = RemoteRoutes(
    "/peers", "peer", lambda context: context.services.peers, read_peer, shown_peer, lambda peer: _OPERATIONS
)

OPERATIONS: Table = (
    *_ROUTES.table(),
    *_ROUTES.configuration(),
    row("GET", "/peers/{name}/system", show_system, "What a peer says of itself", errors=_FAILS),
    row("POST", "/peers/{name}/store", store, "Send resources to a peer", consumes=(JSON, TEXT), errors=_FAILS),
    row(
        "POST",
        "/peers/{name}/store-straight",
        store_straight,
        "Send a file to a peer",
        consumes=(DICOM,),
        errors=_FAILS,
    ),
)
