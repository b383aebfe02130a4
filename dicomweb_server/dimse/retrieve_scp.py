"""C-MOVE and C-GET: what an identifier names is sent, and counted (PS3.4 §C.4.2, §C.4.3)."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial

from dicomweb_server.dimse.admission import with_title
from dicomweb_server.dimse.answers import failed_list
from dicomweb_server.dimse.contexts import COMPOSITE_ROOT, GET_WITHOUT_BULK_DATA, NON_PATIENT_MODELS, QUERY_LEVELS
from dicomweb_server.dimse.fallback import NOTHING, fetched
from dicomweb_server.dimse.frame_scp import FRAME_LEVEL, extracted_frames
from dicomweb_server.dimse.identifiers import agreed_rules
from dicomweb_server.dimse.move_later import move_later
from dicomweb_server.dimse.non_patient_scp import named_non_patient
from dicomweb_server.dimse.progress import Progress, told_again
from dicomweb_server.dimse.query_scp import requested_identifier
from dicomweb_server.dimse.retrieval import instances_of, named_scopes
from dicomweb_server.dimse.session import Operation
from dicomweb_server.dimse.status import CANCELLED, PENDING, SUCCESS, Status, query_status, unknown_destination
from dicomweb_server.dimse.sub_operations import Originator, Sender, SubOperations, Tally
from dicomweb_server.errors import ServerError
from dicomweb_server.services.retrieve import Scope
from dicomweb_server.services.sendable import Sendable


async def on_c_get(operation: Operation) -> None:
    """C-GET: what the identifier names comes back on the same association (PS3.4 §C.4.3)."""
    terms, session = operation.terms, operation.session
    try:
        _, operations = await _sub_operations(operation)
    except ServerError as error:
        operation.respond(query_status(error))
        return
    contexts = [context for context in terms.contexts if context.requestor_is_scp]
    nodes = list(with_title(terms.origin.calling_ae_title, terms.options).values())
    limits = [terms.destinations.limits.of(node) for node in nodes] if terms.destinations is not None else []
    sender = Sender(
        session.exchange,
        contexts,
        terms.services,
        terms.options.timeouts.response,
        transcoding=all(node.transcoding for node in nodes),
        bulk_data=operation.context.abstract_syntax != GET_WITHOUT_BULK_DATA,
        pace=next((each.pace for each in limits), None),
    )
    # One more than may be outstanding: it reads what comes next meanwhile.
    async with _told_again(operation, operations.tally):
        await operations.run(sender, deque(operations.instances), terms.own_operations + 1)
    _finish(operation, operations.tally)


async def on_c_move(operation: Operation) -> None:
    """C-MOVE: what the identifier names goes to a modality that we know (PS3.4 §C.4.2)."""
    terms = operation.terms
    wanted = operation.request.move_destination or ""
    known = with_title(wanted, terms.options)
    if not known or terms.destinations is None:
        operation.respond(unknown_destination(wanted))
        return
    name, modality = next(iter(known.items()))
    if terms.options.local_ae_title and not modality.local_ae_title:
        modality = replace(modality, local_ae_title=terms.options.local_ae_title)
    try:
        scopes, operations = await _sub_operations(operation)
        if not terms.options.synchronous_move and scopes is not None:
            if operations.instances:
                await move_later(operation, name, modality, scopes, len(operations.instances))
            operation.respond(SUCCESS, completed=len(operations.instances), failed=0, warning=0)
            return
    except ServerError as error:
        operation.respond(query_status(error))
        return
    originator = Originator(terms.origin.calling_ae_title, operation.request.message_id or 0)
    async with _told_again(operation, operations.tally):
        await terms.destinations.send(modality, operations, originator)
    _finish(operation, operations.tally)


async def _sub_operations(operation: Operation) -> tuple[Sequence[Scope] | None, SubOperations]:
    """What is named, None where no job could send it later; and what is to be done for it."""
    terms, abstract_syntax = operation.terms, operation.context.abstract_syntax
    identifier = await requested_identifier(operation)
    if abstract_syntax in NON_PATIENT_MODELS:
        return None, _to_be_sent(operation, await named_non_patient(operation, identifier))
    if abstract_syntax in COMPOSITE_ROOT and identifier.level == FRAME_LEVEL:
        return None, _to_be_sent(operation, await extracted_frames(operation, identifier))
    rules = agreed_rules(terms.extended.get(abstract_syntax, b""))
    naming = partial(
        named_scopes,
        identifier,
        QUERY_LEVELS[abstract_syntax],
        terms.services,
        relational=rules.relational,
        view=terms.options.view,
    )
    scopes, came = await naming(), NOTHING
    if not scopes:
        came = await fetched(operation, identifier)
        scopes = await naming() if came != NOTHING else scopes
    operations = _to_be_sent(operation, await instances_of(scopes, terms.services))
    operations.tally.remaining += came.remaining  # if it was cancelled on the way
    operations.tally.failed += came.failed
    operations.tally.failures.update(came.failures)
    return scopes, operations


def _to_be_sent(operation: Operation, instances: Sequence[Sendable]) -> SubOperations:
    progress = Progress(asyncio.get_running_loop().time)

    def told(tally: Tally) -> None:
        if progress.is_due():
            operation.respond(PENDING, **tally.elements())

    return SubOperations(instances, cancelled=lambda: operation.cancelled, told=told)


def _told_again(operation: Operation, tally: Tally) -> AbstractAsyncContextManager[None]:
    return told_again(lambda: operation.respond(PENDING, **tally.elements()))


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
    if tally.failures:
        failed = failed_list(tally.failures, operation.context.transfer_syntax)
    operation.respond(status, failed, **elements)
