"""N-ACTION of storage commitment: taken on at once, reported when it is verified (PS3.4 §J.3)."""

from dicomweb_server.dimse.commitment import LARGEST_REQUEST, PUSH_MODEL_INSTANCE, REQUEST_ACTION, read_request
from dicomweb_server.dimse.session import Operation
from dicomweb_server.dimse.status import (
    INVALID_ARGUMENT,
    NO_SUCH_ACTION,
    NO_SUCH_INSTANCE,
    SUCCESS,
    Status,
    comment,
)
from dicomweb_server.errors import Reason, ServerError


async def on_n_action(operation: Operation) -> None:
    """N-ACTION of storage commitment: taken on now, reported by N-EVENT-REPORT when it is verified (PS3.4 §J.3.2)."""
    request, context, terms = operation.request, operation.context, operation.terms
    if request.action_type_id != REQUEST_ACTION or terms.reports is None:
        operation.respond(NO_SUCH_ACTION)
        return
    if request.sop_instance_uid != PUSH_MODEL_INSTANCE:
        operation.respond(NO_SUCH_INSTANCE)
        return
    data = await operation.dataset.whole(LARGEST_REQUEST)
    try:
        if data is None:
            raise ServerError(Reason.TOO_LARGE, f"the request has more than {LARGEST_REQUEST} bytes")
        wanted = read_request(data, context.transfer_syntax)
    except ServerError as error:
        operation.respond(Status(INVALID_ARGUMENT.code, comment(error.detail)))
        return
    operation.respond(SUCCESS, action_type_id=REQUEST_ACTION)
    terms.reports.begin(wanted, operation.session.exchange, context, terms.origin.calling_ae_title)
