"""Storage commitment (PS3.4 §J.3): requests are taken on, reported when verified; reports on ours are noted."""

import asyncio

from dicomweb_server.dimse.commitment import (
    LARGEST_REQUEST,
    PUSH_MODEL_INSTANCE,
    REQUEST_ACTION,
    read_report,
    read_request,
)
from dicomweb_server.dimse.session import Operation
from dicomweb_server.dimse.status import (
    INVALID_ARGUMENT,
    NO_SUCH_ACTION,
    NO_SUCH_INSTANCE,
    PROCESSING_FAILURE,
    SUCCESS,
    Status,
)
from dicomweb_server.errors import ServerError


async def on_n_action(operation: Operation) -> None:
    """N-ACTION of storage commitment: taken on now, reported by N-EVENT-REPORT when it is verified (PS3.4 §J.3.2)."""
    request, context, terms = operation.request, operation.context, operation.terms
    if request.action_type_id != REQUEST_ACTION or terms.reports is None:
        operation.respond(NO_SUCH_ACTION)
        return
    if request.sop_instance_uid != PUSH_MODEL_INSTANCE:
        operation.respond(NO_SUCH_INSTANCE)
        return
    if operation.data is None:
        operation.respond(INVALID_ARGUMENT)
        return
    try:
        data = await operation.whole_dataset(LARGEST_REQUEST, "request")
        wanted = await asyncio.to_thread(read_request, data, context.transfer_syntax)  # half a second for 60,000
    except ServerError as error:
        operation.respond(Status(INVALID_ARGUMENT.code, error.detail))
        return
    try:
        owed = await terms.reports.take(wanted, terms.origin.calling_ae_title, terms.options.local_ae_title)
    except ServerError as error:  # it cannot be kept, so it may not be answered
        operation.respond(Status(PROCESSING_FAILURE.code, error.detail))
        return
    operation.respond(SUCCESS, action_type_id=REQUEST_ACTION)
    terms.reports.begin(owed, operation.session.exchange, context)


async def on_n_event_report(operation: Operation) -> None:
    """N-EVENT-REPORT of storage commitment: what a modality says that we asked (PS3.4 §J.3.3)."""
    terms = operation.terms
    try:
        data = await operation.whole_dataset(LARGEST_REQUEST, "report")
        told = await asyncio.to_thread(read_report, data, operation.context.transfer_syntax)
    except ServerError as error:
        operation.respond(Status(INVALID_ARGUMENT.code, error.detail))
        return
    try:
        is_ours = await terms.services.commitments.told(
            told.transaction_uid, terms.origin.calling_ae_title, told.committed, told.failed
        )
    except ServerError as error:
        operation.respond(Status(PROCESSING_FAILURE.code, error.detail))
        return
    if is_ours:
        operation.respond(SUCCESS, event_type_id=operation.request.event_type_id)
    else:
        operation.respond(Status(PROCESSING_FAILURE.code, "no such transaction was asked for"))
