"""The services: each translates a request, calls one method of the services, translates back."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from dicomweb_server.dicom.part10 import file_meta
from dicomweb_server.dicom.uids import is_valid_uid, transfer_syntax
from dicomweb_server.dimse.answers import failed_list
from dicomweb_server.dimse.commitment import LARGEST_REQUEST, PUSH_MODEL_INSTANCE, REQUEST_ACTION, read_request
from dicomweb_server.dimse.contexts import QUERY_LEVELS, SERVICES, Service
from dicomweb_server.dimse.destinations import Destination
from dicomweb_server.dimse.find_request import FindRequest, find_request
from dicomweb_server.dimse.identifiers import LARGEST_IDENTIFIER, Identifier, agreed_rules, read_identifier
from dicomweb_server.dimse.message import CommandField, encode, response
from dicomweb_server.dimse.options import OnMismatch
from dicomweb_server.dimse.retrieval import named_instances
from dicomweb_server.dimse.session import Handler, Operation
from dicomweb_server.dimse.stated_identity import stated_identity
from dicomweb_server.dimse.status import (
    CANCELLED,
    INVALID_ARGUMENT,
    NO_SUCH_ACTION,
    NO_SUCH_INSTANCE,
    PENDING,
    PENDING_WITH_WARNING,
    SUCCESS,
    UNKNOWN_DESTINATION,
    Status,
    comment,
    query_status,
    store_outcome_status,
    store_status,
)
from dicomweb_server.dimse.sub_operations import Originator, Sender, SubOperations, Tally
from dicomweb_server.errors import Reason, ServerError

_MATCHES_AT_ONCE = 100
_PAGE = 20_000  # matches in memory at one time


class Spool(Protocol):
    """Takes the bytes of an instance."""

    async def write(self, chunk: bytes | memoryview) -> None:
        """Take some more."""


async def on_c_echo(operation: Operation) -> None:
    """C-ECHO: we are here (PS3.7 §9.3.5)."""
    operation.respond(SUCCESS)


async def on_c_store(operation: Operation) -> None:
    """C-STORE: the data set is spooled as it comes, never decoded here, and answered once it is durable (PS3.4 §B)."""
    request, services = operation.request, operation.terms.services
    if not (is_valid_uid(request.sop_class_uid) and is_valid_uid(request.sop_instance_uid)):
        operation.respond(store_status(Reason.MISSING_UID, "a UID of the command is ill-formed"))
        return
    staging = services.ingest.stage()
    try:
        mismatch = await _spool(operation, staging)
        staged = await staging.finish()
    except ServerError as error:
        await staging.discard()
        operation.respond(store_status(error.reason, error.detail))
        if error.reason is Reason.TOO_LARGE:  # the rest may have no end
            operation.session.connection.abort(error.detail)
        return
    except BaseException:
        await staging.discard()
        raise
    outcome = await services.ingest.ingest(staged, operation.terms.origin)
    operation.respond(store_outcome_status(outcome, mismatch=mismatch))


async def _spool(operation: Operation, staging: Spool) -> str:
    """Write the data set behind a file meta; what of its identity differs from the command, "" if nothing does."""
    request, options = operation.request, operation.terms.options
    identity = request.sop_class_uid, request.sop_instance_uid
    transfer_syntax_uid = operation.context.transfer_syntax
    await staging.write(file_meta(*identity, transfer_syntax_uid))
    mismatch, first = "", True
    while chunks := await operation.dataset.read():
        if first:
            first = False
            stated = stated_identity(chunks[0], transfer_syntax(transfer_syntax_uid).encoding)
            if stated is not None and stated != identity:
                mismatch = "UIDs of the command and the data set differ"
                if options.on_mismatch is OnMismatch.REFUSE:
                    raise ServerError(Reason.MISMATCHED_IDENTITY, mismatch)
        if operation.dataset.size > options.largest_instance:
            raise ServerError(Reason.TOO_LARGE, f"the data set has more than {options.largest_instance} bytes")
        for chunk in chunks:
            await staging.write(chunk)
    return mismatch


async def on_c_find(operation: Operation) -> None:
    """C-FIND: the identifier becomes the same query as a search by QIDO-RS (PS3.4 §C.4.1)."""
    try:
        request = await _find_request(operation)
        operation.respond(await _answer_all(operation, request))
    except ServerError as error:
        operation.respond(query_status(error))


async def _find_request(operation: Operation) -> FindRequest:
    context, options = operation.context, operation.terms.options
    identifier = await _identifier(operation)
    rules = agreed_rules(operation.terms.extended.get(context.abstract_syntax, b""))
    levels = QUERY_LEVELS[context.abstract_syntax]
    return find_request(identifier, levels, rules, options.ae_title, options.web_root)


async def _identifier(operation: Operation) -> Identifier:
    data = await operation.dataset.whole(LARGEST_IDENTIFIER)
    if data is None:
        raise ServerError(Reason.TOO_LARGE, f"the identifier has more than {LARGEST_IDENTIFIER} bytes")
    return read_identifier(data, operation.context.transfer_syntax)


async def _answer_all(operation: Operation, request: FindRequest) -> Status:
    """Send what matches, and say how it ended; nearly always one page, so that it is one state of the archive."""
    answered = 0
    known: set[bytes] = set()  # of several pages, what was stored in between can move matches to the next one
    while True:
        query = replace(request.query, limit=_PAGE, offset=answered)
        page = await operation.terms.services.search.find(query)
        new = page.matches if not known else [match for match in page.matches if match not in known]
        if not await _answer_matches(operation, request, new):
            return CANCELLED
        answered += len(page.matches)
        if not page.remaining:
            return SUCCESS
        if len(page.matches) < _PAGE:
            return Status(0xA700, f"cut after {answered} matches, a limit of this server")
        known.update(page.matches)


async def _answer_matches(operation: Operation, request: FindRequest, matches: Sequence[bytes]) -> bool:
    """Send pending responses; False if cancelled."""
    context, session = operation.context, operation.session
    pending = PENDING if request.all_supported else PENDING_WITH_WARNING
    command = encode(response(operation.request, pending.code, has_dataset=True))
    encoder = request.encoder(context.transfer_syntax)
    for start in range(0, len(matches), _MATCHES_AT_ONCE):
        if operation.cancelled:
            return False
        session.exchange.send_all(
            context.context_id, command, [encoder.encode(each) for each in matches[start : start + _MATCHES_AT_ONCE]]
        )
        await session.connection.drain()
        await asyncio.sleep(0)  # others have their turn between two batches, and C-CANCEL can come in
    return not operation.cancelled


async def on_c_get(operation: Operation) -> None:
    """C-GET: what the identifier names comes back on the same association (PS3.4 §C.4.3)."""
    terms, session = operation.terms, operation.session
    try:
        operations = await _sub_operations(operation)
    except ServerError as error:
        operation.respond(query_status(error))
        return
    contexts = [context for context in terms.contexts if context.requestor_is_scp]
    sender = Sender(session.exchange, contexts, terms.services, terms.options.timeouts.response)
    # One more than may be outstanding: it reads what comes next meanwhile.
    await operations.run(sender, deque(operations.instances), terms.own_operations + 1)
    _finish(operation, operations.tally)


async def on_c_move(operation: Operation) -> None:
    """C-MOVE: what the identifier names goes to a modality that we know (PS3.4 §C.4.2)."""
    terms = operation.terms
    wanted = operation.request.move_destination or ""
    modality = next((each for each in terms.options.modalities.values() if each.ae_title == wanted), None)
    if modality is None:
        operation.respond(UNKNOWN_DESTINATION)
        return
    try:
        operations = await _sub_operations(operation)
    except ServerError as error:
        operation.respond(query_status(error))
        return
    originator = Originator(terms.origin.calling_ae_title, operation.request.message_id or 0)
    await Destination(modality, originator, terms.services, terms.options).send(operations)
    _finish(operation, operations.tally)


async def _sub_operations(operation: Operation) -> SubOperations:
    terms, abstract_syntax = operation.terms, operation.context.abstract_syntax
    identifier = await _identifier(operation)
    rules = agreed_rules(terms.extended.get(abstract_syntax, b""))
    instances = await named_instances(
        identifier, QUERY_LEVELS[abstract_syntax], terms.services, relational=rules.relational
    )
    return SubOperations(
        instances,
        cancelled=lambda: operation.cancelled,
        told=lambda tally: operation.respond(PENDING, **tally.elements()),
    )


async def on_n_action(operation: Operation) -> None:
    """N-ACTION of storage commitment: taken on now, reported by N-EVENT-REPORT when it is verified (PS3.4 §J.3.2)."""
    request, context, terms = operation.request, operation.context, operation.terms
    if request.action_type_id != REQUEST_ACTION:
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


def _finish(operation: Operation, tally: Tally) -> None:
    """The final response (PS3.4 tables C.4-2 and C.4-3)."""
    if operation.cancelled and tally.remaining:
        status = CANCELLED
    elif not tally.failed and not tally.warning:
        status = SUCCESS
    elif tally.completed or tally.warning:
        status = Status(0xB000, f"{tally.failed} sub-operations failed, {tally.warning} had warnings")
    else:
        status = Status(0xA702, "no sub-operation could be performed")
    elements = tally.elements()
    if status is not CANCELLED:
        del elements["remaining"]
    failed = None
    if tally.failed_uids:
        failed = failed_list(tally.failed_uids, operation.context.transfer_syntax)
    operation.respond(status, failed, **elements)


def _serves(service: Service) -> Callable[[str], bool]:
    """Whether an abstract syntax belongs to a service; one that nobody knows was accepted as storage."""
    return lambda abstract_syntax: SERVICES.get(abstract_syntax, Service.STORE) is service


HANDLERS: Mapping[int, Handler] = {
    CommandField.C_ECHO_RQ: Handler("C-ECHO", on_c_echo, _serves(Service.ECHO)),
    CommandField.C_STORE_RQ: Handler("C-STORE", on_c_store, _serves(Service.STORE), needs_dataset=True),
    CommandField.C_FIND_RQ: Handler("C-FIND", on_c_find, _serves(Service.FIND), needs_dataset=True, long=True),
    CommandField.C_MOVE_RQ: Handler("C-MOVE", on_c_move, _serves(Service.MOVE), needs_dataset=True, long=True),
    CommandField.C_GET_RQ: Handler("C-GET", on_c_get, _serves(Service.GET), needs_dataset=True, long=True),
    CommandField.N_ACTION_RQ: Handler("N-ACTION", on_n_action, _serves(Service.COMMITMENT), needs_dataset=True),
}
