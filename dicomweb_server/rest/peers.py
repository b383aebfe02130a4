"""/peers: other servers with Orthanc's REST API."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.rest.answers import empty_answer, json_answer
from dicomweb_server.rest.arguments import Arguments
from dicomweb_server.rest.body import json_body, whole_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.sent_resources import chosen_resources, sent_resources
from dicomweb_server.rest.submission import answer_by_job, wish_of
from dicomweb_server.rest.table import DICOM, JSON, TEXT, Table, flag, row
from dicomweb_server.services.orthanc_remotes import read_peer, shown_peer
from dicomweb_server.services.peers import PeerError
from dicomweb_server.services.sending_kinds import PEER_STORE

_SMALL = 1 << 20
MOST_STRAIGHT = 512 << 20  # of a file that is passed on, in memory
_OPERATIONS = ("configuration", "store", "store-straight", "system")


async def list_peers(request: Request, context: Context) -> Response:
    """Names, or with `expand` what is known of each."""
    peers = context.services.peers
    if Arguments(request.scope).flag("expand"):
        return json_answer({name: shown_peer(peer) for name, peer in peers.items()})
    return json_answer(list(peers))


async def list_operations(request: Request, context: Context) -> Response:
    """What can be asked of a peer."""
    context.services.peers.named(_name(request))
    return json_answer(_OPERATIONS)


async def show_configuration(request: Request, context: Context) -> Response:
    """What is known of a peer, without its secrets."""
    return json_answer(shown_peer(context.services.peers.named(_name(request))))


async def put_peer(request: Request, context: Context) -> Response:
    """Add or replace a peer."""
    await context.services.peers.put(_name(request), read_peer(await json_body(request, context)))
    return empty_answer()


async def delete_peer(request: Request, context: Context) -> Response:
    """Forget a peer."""
    await context.services.peers.remove(_name(request))
    return empty_answer()


async def show_system(request: Request, context: Context) -> Response:
    """What the peer says of itself."""
    return json_answer(orjson.loads(await _asked(context, _name(request), "GET", "/system")))


async def store(request: Request, context: Context) -> Response:
    """Send resources to the peer."""
    name, members = _name(request), await sent_resources(request, context)
    address = context.services.peers.named(name).address
    wish = wish_of(members)
    parameters, content = await chosen_resources(members, context)
    wanted = {"Peer": name, "Compress": members.flag("Compress"), "Transcode": members.text("Transcode", "")}
    shown = {**content, "Compress": wanted["Compress"], "Peer": [address.url], "Size": "0", "SizeMB": 0}
    return await answer_by_job(request, context, PEER_STORE, {**parameters, **wanted}, wish, content=shown)


async def store_straight(request: Request, context: Context) -> Response:
    """Send a file that is not stored here to the peer; its answer."""
    body = await whole_body(request, min(context.options.max_instance_size, MOST_STRAIGHT))
    return json_answer(orjson.loads(await _asked(context, _name(request), "POST", "/instances", body)))


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


def _name(request: Request) -> str:
    name: str = request.scope["path_params"]["name"]
    return name


_EXPAND = flag("expand", "Tell what is known of each, not only the names")
_FAILS = (500,)

OPERATIONS: Table = (
    row("GET", "/peers", list_peers, "Known peers", _EXPAND),
    row("GET", "/peers/{name}", list_operations, "What can be asked of a peer"),
    row("PUT", "/peers/{name}", put_peer, "Add or replace a peer", consumes=(JSON,)),
    row("DELETE", "/peers/{name}", delete_peer, "Forget a peer"),
    row("GET", "/peers/{name}/configuration", show_configuration, "What is known of a peer"),
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
