"""/modalities: the DICOM nodes that are known; and whether they, or any other, are there."""

import uuid
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.query_keys import STUDY_UID
from dicomweb_server.rest.answers import empty_answer, json_answer
from dicomweb_server.rest.arguments import Arguments
from dicomweb_server.rest.body import Members, json_body, object_body, optional_object_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.modality_wishes import failed, peer_for, wishes
from dicomweb_server.rest.table import JSON, Table, flag, row
from dicomweb_server.services.modalities import Peer, PeerError
from dicomweb_server.services.orthanc_modalities import read_modality, written_modality

_OPERATIONS = (
    *("configuration", "echo", "find", "find-instance", "find-patient", "find-series", "find-study", "find-worklist"),
    *("get", "move", "query", "storage-commitment", "store", "store-straight"),
)


async def list_modalities(request: Request, context: Context) -> Response:
    """Names, or with `expand` what is known of each."""
    modalities = context.services.modalities
    if Arguments(request.scope).flag("expand"):
        return json_answer({name: written_modality(modality) for name, modality in modalities.items()})
    return json_answer(list(modalities))


async def list_operations(request: Request, context: Context) -> Response:
    """What can be asked of a modality."""
    context.services.modalities.named(_name(request))
    return json_answer(_OPERATIONS)


async def show_configuration(request: Request, context: Context) -> Response:
    """What is known of a modality."""
    return json_answer(written_modality(context.services.modalities.named(_name(request))))


async def put_modality(request: Request, context: Context) -> Response:
    """Add or replace a modality: from now on it may call, and be sent to."""
    await context.services.modalities.put(_name(request), read_modality(await json_body(request, context)))
    return empty_answer()


async def delete_modality(request: Request, context: Context) -> Response:
    """Forget a modality."""
    await context.services.modalities.remove(_name(request))
    return empty_answer()


async def echo(request: Request, context: Context) -> Response:
    """C-ECHO."""
    members = await optional_object_body(request, context)
    await _echoed(peer_for(context, wishes(request, members)), context, members)
    return empty_answer()


async def echo_any(request: Request, context: Context) -> Response:
    """C-ECHO to a node that the body describes."""
    members = await object_body(request, context)
    await _echoed(context.services.modalities.peer(read_modality(dict(members.all))), context, members)
    return empty_answer()


async def _echoed(peer: Peer, context: Context, members: Members) -> None:
    """C-ECHO, and a C-FIND for what there cannot be, if that is wanted."""
    try:
        await peer.echo()
        if members.flag("CheckFind", default=context.options.echo_checks_find):
            nothing = {STUDY_UID: {"vr": "UI", "Value": [f"2.25.{uuid.uuid4().int}"]}}
            async with aclosing(peer.find(Level.STUDY, nothing)) as matches:  # type: ignore[type-var]
                async for _ in matches:
                    break
    except PeerError as error:
        raise failed(error) from error


def _name(request: Request) -> str:
    name: str = request.scope["path_params"]["name"]
    return name


_EXPAND = flag("expand", "Tell what is known of each, not only the names")
_FAILS = (500,)

OPERATIONS: Table = (
    row("GET", "/modalities", list_modalities, "Known DICOM nodes", _EXPAND),
    row("GET", "/modalities/{name}", list_operations, "What can be asked of a DICOM node"),
    row("PUT", "/modalities/{name}", put_modality, "Add or replace a DICOM node", consumes=(JSON,)),
    row("DELETE", "/modalities/{name}", delete_modality, "Forget a DICOM node"),
    row("GET", "/modalities/{name}/configuration", show_configuration, "What is known of a DICOM node"),
    row("POST", "/modalities/{name}/echo", echo, "C-ECHO", consumes=(JSON,), errors=_FAILS),
    row("POST", "/tools/dicom-echo", echo_any, "C-ECHO to any node", consumes=(JSON,), errors=_FAILS),
)
