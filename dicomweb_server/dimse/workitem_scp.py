"""Workitems (Unified Procedure Steps, PS3.4 annex CC): what nodes ask about them, and what they subscribe to."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

import orjson

from dicomweb_server.dicom.scheduled import text_of
from dicomweb_server.dicom.uids import new_uid
from dicomweb_server.dicom.workitem import (
    FILTERED_WORKITEMS,
    STATE,
    TRANSACTION_UID,
    Notice,
    Problem,
    WorkitemError,
)
from dicomweb_server.dimse.answers import attribute_list
from dicomweb_server.dimse.contexts import UPS_PULL, UPS_PUSH, UPS_WATCH
from dicomweb_server.dimse.identifiers import Identifier, Rules, agreed_rules, read_identifier, worklist_matches
from dicomweb_server.dimse.query_scp import requested_identifier, send_matches
from dicomweb_server.dimse.session import Operation
from dicomweb_server.dimse.status import (
    INVALID_ARGUMENT,
    NO_SUCH_ACTION,
    NOT_SUPPORTED,
    PENDING,
    PROCESSING_FAILURE,
    SUCCESS,
    Status,
    comment,
)
from dicomweb_server.dimse.worklist_scp import worklist_encoder
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.workitems import Subscriber, WorkitemSearch

_LARGEST = 4 << 20
_RECEIVING_AE, _DELETION_LOCK = 0x00741234, 0x00741230

Answer = Callable[[Operation], Awaitable[None]]


def _refusing(answer: Answer) -> Answer:
    """The same, with refusals as statuses."""

    async def answered(operation: Operation) -> None:
        try:
            await answer(operation)
        except WorkitemError as error:
            more = {"attributes": error.tags} if error.tags else {}
            operation.respond(Status(error.problem.code, comment(error.detail)), **more)
        except ServerError as error:
            is_theirs = error.reason in (Reason.CANNOT_UNDERSTAND, Reason.BAD_REQUEST, Reason.TOO_LARGE)
            status = INVALID_ARGUMENT if is_theirs else PROCESSING_FAILURE
            operation.respond(Status(status.code, comment(error.detail)))

    return answered


@_refusing
async def on_workitem_create(operation: Operation) -> None:
    """N-CREATE: a workitem is scheduled; a UID is made for it if none was given (PS3.7 §10.1.5.1.4)."""
    uid = operation.request.affected_sop_instance_uid or new_uid()
    created = await operation.terms.services.workitems.create(await _information(operation), uid)
    more = {"attributes": created.modified} if created.modified else {}
    operation.respond(_status(created.notice), affected_sop_instance_uid=uid, **more)


@_refusing
async def on_workitem_get(operation: Operation) -> None:
    """N-GET: the attributes that are asked for, all if none are."""
    workitem = await operation.terms.services.workitems.retrieve(operation.request.sop_instance_uid)
    asked = operation.request.attributes or ()
    is_complete = all(f"{tag:08X}" in workitem.document for tag in asked)
    told = attribute_list(workitem.document, operation.context.transfer_syntax, asked)
    operation.respond(SUCCESS if is_complete else NOT_SUPPORTED, told)


@_refusing
async def on_workitem_set(operation: Operation) -> None:
    """N-SET: the Transaction UID in it is the right to change, not a change (PS3.4 §CC.2.6.2)."""
    change = await _information(operation)
    transaction_uid = text_of(change, TRANSACTION_UID)
    change.pop(TRANSACTION_UID, None)
    await operation.terms.services.workitems.update(operation.request.sop_instance_uid, change, transaction_uid)
    operation.respond(SUCCESS)


@_refusing
async def on_workitem_action(operation: Operation) -> None:
    """N-ACTION: what the SOP class of the context offers."""
    number = operation.request.action_type_id or 0
    act = _ACTIONS.get(operation.context.abstract_syntax, {}).get(number)
    if act is None:
        operation.respond(NO_SUCH_ACTION)
        return
    operation.respond(_status(await act(operation)), action_type_id=number)


async def find_workitems(operation: Operation) -> Status:
    """C-FIND: every attribute can be matched and asked for."""
    context, terms = operation.context, operation.terms
    identifier = await requested_identifier(operation)
    rules = agreed_rules(terms.extended.get(context.abstract_syntax, b""))
    search = WorkitemSearch(worklist_matches(identifier, rules), rules.fuzzy, combined_datetime=True)
    encoder = worklist_encoder(identifier, context.transfer_syntax)
    async with aclosing(terms.services.workitems.search(search)) as found:
        matches = ([orjson.dumps(each) for each in batch] async for batch in found)
        return await send_matches(operation, PENDING, encoder, matches)


async def _change_state(operation: Operation) -> Notice | None:
    information = await _information(operation)
    missing = [(tag,) for tag in (STATE, TRANSACTION_UID) if tag not in information]
    if missing:
        raise WorkitemError(Problem.MISSING, missing)
    return await operation.terms.services.workitems.change_state(
        operation.request.sop_instance_uid, text_of(information, STATE), text_of(information, TRANSACTION_UID)
    )


async def _request_cancel(operation: Operation) -> Notice | None:
    information = await _information(operation)
    return await operation.terms.services.workitems.request_cancel(
        operation.request.sop_instance_uid, operation.terms.origin.calling_ae_title, information
    )


async def _subscribe(operation: Operation) -> None:
    uid, identifier = operation.request.sop_instance_uid, await _identifier(operation)
    ae_title = _receiver(identifier)
    if not operation.terms.is_reachable(ae_title):
        raise WorkitemError(Problem.UNKNOWN_RECEIVER)
    lock = "".join(identifier.values(_DELETION_LOCK))
    if lock not in ("TRUE", "FALSE"):
        raise WorkitemError(Problem.INVALID if lock else Problem.MISSING, [(f"{_DELETION_LOCK:08X}",)])
    keys = tuple(key for key in identifier.keys if key.tag not in (_RECEIVING_AE, _DELETION_LOCK))
    matches = worklist_matches(Identifier("", keys), Rules()) if uid == FILTERED_WORKITEMS else ()
    await operation.terms.services.workitems.subscribe(
        uid, Subscriber(ae_title), is_locked=lock == "TRUE", keys=matches
    )


async def _unsubscribe(operation: Operation) -> None:
    ae_title = _receiver(await _identifier(operation))
    await operation.terms.services.workitems.unsubscribe(operation.request.sop_instance_uid, ae_title)


async def _suspend(operation: Operation) -> None:
    ae_title = _receiver(await _identifier(operation))
    await operation.terms.services.workitems.suspend(operation.request.sop_instance_uid, ae_title)


# By SOP class of the context and Action Type ID (PS3.4 tables CC.2.1-1, CC.2.2-1, CC.2.3-1).
_ACTIONS: Mapping[str, Mapping[int, Callable[[Operation], Awaitable[Notice | None]]]] = {
    UPS_PUSH: {2: _request_cancel},
    UPS_PULL: {1: _change_state},
    UPS_WATCH: {2: _request_cancel, 3: _subscribe, 4: _unsubscribe, 5: _suspend},
}


async def _information(operation: Operation) -> dict[str, Any]:
    """The data set of a request, an empty one if there is none."""
    if operation.data is None:
        return {}
    return await operation.document(_LARGEST, "data set")


async def _identifier(operation: Operation) -> Identifier:
    if operation.data is None:
        return Identifier("", ())
    return read_identifier(await operation.whole_dataset(_LARGEST, "data set"), operation.context.transfer_syntax)


def _receiver(identifier: Identifier) -> str:
    ae_title = "".join(identifier.values(_RECEIVING_AE)[:1])
    if not ae_title:
        raise WorkitemError(Problem.MISSING, [(f"{_RECEIVING_AE:08X}",)])
    return ae_title


def _status(notice: Notice | None) -> Status:
    return SUCCESS if notice is None else Status(notice.code, comment(notice.text))
