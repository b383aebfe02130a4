"""/associations: the DIMSE associations that are open, and the end of one. Orthanc has no such resource."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.rest.answers import empty_answer, json_answer
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.table import Table, row
from dicomweb_server.services.associations import OpenAssociation

_BY_REST = "ended by REST"


def _shown(number: int, association: OpenAssociation) -> dict[str, Any]:
    return {
        "ID": str(number),
        "Role": association.part.value,
        "CallingAet": association.calling_ae_title,
        "CalledAet": association.called_ae_title,
        "RemoteAddress": association.address,
        "Seconds": round(association.seconds, 3),
        "PresentationContexts": association.contexts,
        "BytesReceived": association.received,
        "BytesSent": association.sent,
        "Operations": association.operations,
    }


def _number(request: Request) -> int:
    text = request.path_params["id"]
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ServerError(Reason.NOT_FOUND, "associations are named by numbers")
    return int(text)


async def list_associations(request: Request, context: Context) -> Response:
    """All that are open, oldest first."""
    return json_answer([_shown(*each) for each in context.services.associations.all().items()])


async def show_association(request: Request, context: Context) -> Response:
    """How one stands."""
    number = _number(request)
    return json_answer(_shown(number, context.services.associations.find(number)))


async def abort_association(request: Request, context: Context) -> Response:
    """A-ABORT."""
    context.services.associations.abort(_number(request), _BY_REST)
    return empty_answer()


OPERATIONS: Table = (
    row("GET", "/associations", list_associations, "The DIMSE associations that are open, oldest first"),
    row("GET", "/associations/{id}", show_association, "Whom an association is with, and what has passed"),
    row("POST", "/associations/{id}/abort", abort_association, "End an association at once"),
)
