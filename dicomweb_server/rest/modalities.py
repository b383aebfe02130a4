"""/modalities: the DICOM nodes that are known; and whether they, or any other, are there."""

from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.query_keys import STUDY_UID
from dicomweb_server.dicom.uids import new_uid
from dicomweb_server.rest.answers import empty_answer
from dicomweb_server.rest.body import Members, object_body, optional_object_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.modality_wishes import failed, peer_for, wishes
from dicomweb_server.rest.remote_set import RemoteRoutes
from dicomweb_server.rest.table import JSON, Table, row
from dicomweb_server.services.modalities import Peer, PeerError
from dicomweb_server.services.orthanc_modalities import read_modality, written_modality

_OPERATIONS = (
    *("configuration", "echo", "find", "find-instance", "find-patient", "find-series", "find-study", "find-worklist"),
    *("get", "move", "query", "storage-commitment", "store", "store-straight"),
)


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
            nothing = {STUDY_UID: {"vr": "UI", "Value": [new_uid()]}}
            async with aclosing(peer.find(Level.STUDY, nothing)) as matches:  # type: ignore[type-var]
                async for _ in matches:
                    break
    except PeerError as error:
        raise failed(error) from error


_FAILS = (500,)

_ROUTES = RemoteRoutes(
    "/modalities",
    "DICOM node",
    lambda context: context.services.modalities,
    read_modality,
    written_modality,
    lambda modality: _OPERATIONS,
)

OPERATIONS: Table = (
    *_ROUTES.table(),
    *_ROUTES.configuration(),
    row("POST", "/modalities/{name}/echo", echo, "C-ECHO", consumes=(JSON,), may_be_empty=True, errors=_FAILS),
    row("POST", "/tools/dicom-echo", echo_any, "C-ECHO to any node", consumes=(JSON,), errors=_FAILS),
)
