"""/modalities/{name}/workitems: have a node schedule a workitem (Unified Procedure Step)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.named_tags import named_document
from dicomweb_server.dicom.uids import new_uid, require_uid
from dicomweb_server.dicom.workitem import UPS_PUSH, Document
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.rest.answers import json_answer
from dicomweb_server.rest.body import object_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.modality_wishes import failed, peer_for, wishes
from dicomweb_server.rest.table import JSON, Table, row
from dicomweb_server.services.modalities import PeerError

_LARGEST = 1 << 23


async def push(request: Request, context: Context) -> Response:
    """N-CREATE: a workitem of the names and values in the body, or a copy of one that is scheduled here."""
    members = await object_body(request, context, _LARGEST)
    uid, wanted = members.text("UID", ""), wishes(request, members)
    tags = named_document(members.members("Tags").all)
    if not uid and not tags:
        raise ServerError(Reason.BAD_REQUEST, "Tags is missing: names and values of attributes; or UID, of a workitem")
    uid = require_uid(uid, "UID") if uid else new_uid()
    await _create(context, wanted, uid, await context.services.workitems.draft(uid, tags or None))
    return json_answer({"SOPClassUID": UPS_PUSH, "SOPInstanceUID": uid})


async def _create(context: Context, wanted: dict[str, Any], uid: str, draft: Document) -> None:
    try:
        await peer_for(context, wanted).create(UPS_PUSH, uid, draft)
    except PeerError as error:
        raise failed(error) from error


OPERATIONS: Table = (
    row(
        "POST",
        "/modalities/{name}/workitems",
        push,
        "N-CREATE of a workitem (UPS Push)",
        consumes=(JSON,),
        errors=(500,),
    ),
)
