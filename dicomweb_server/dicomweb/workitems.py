"""Worklist Service (PS3.18 chapter 11, UPS-RS): workitems are created, read, changed, claimed, ended and searched."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.data_set_json import normalized
from dicomweb_server.dicom.query import Include
from dicomweb_server.dicom.scheduled import text_of
from dicomweb_server.dicom.selection import selected
from dicomweb_server.dicom.uids import is_valid_uid
from dicomweb_server.dicom.workitem import SOP_INSTANCE_UID, STATE, TRANSACTION_UID
from dicomweb_server.dicom.workitem_attributes import RETURNED
from dicomweb_server.dicomweb.context import Context
from dicomweb_server.dicomweb.data_sets import ACCEPTED, OFFERS, Document, data_set, has_body, received_data_set
from dicomweb_server.dicomweb.document_search import DocumentSearch, found_documents
from dicomweb_server.dicomweb.qido import ACCEPT, CHARSET, FOUND, KEYS, PAGE, RULES
from dicomweb_server.dicomweb.workitem_status import Workitems, told
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.description import Description, Parameter
from dicomweb_server.http.headers import accepted
from dicomweb_server.http.origin import origin_of
from dicomweb_server.http.responses import Whole
from dicomweb_server.http.routing import Endpoint, Operation
from dicomweb_server.services.workitems import WorkitemSearch
from dicomweb_server.wire.media_types import DICOM_JSON, choose
from dicomweb_server.wire.query_string import parse_query_string

LARGEST_REQUEST = 16 << 20  # JSON and XML take more room than the data set
_REQUESTING_AE = "00741236"
_ANONYMOUS = "UPS-RS"
_RETURNED = tuple(Include((int(tag, 16),)) for tag in RETURNED)
_OF_WORKITEM = frozenset({"workitem", "affectedsopinstanceuid", "00001000"})
_OF_TRANSACTION = frozenset({"transaction", "transaction-uid", "transactionuid", "00081195"})
_COMMON = frozenset({"accept", "charset"})


async def create_workitem(request: Request, context: Context) -> Response:
    """A workitem is scheduled, under the UID of the query part or of the data set, or a new one (§11.4)."""
    document = await _received(request, context)
    uid = _uid_of(request, _OF_WORKITEM, "workitem") or text_of(document, SOP_INSTANCE_UID)
    created = await context.services.workitems.create(document, uid)
    location = f"{context.options.service_url.root(request.scope)}/workitems/{created.uid}"
    headers = [(b"location", location.encode("latin-1")), *told(created.notice, request, context)]
    return Whole(status=201, headers=headers)


async def retrieve_workitem(request: Request, context: Context) -> Response:
    """One workitem, without its Transaction UID (§11.5)."""
    offer = choose(accepted(request.scope), OFFERS)
    workitem = await context.services.workitems.retrieve(_named(request))
    return data_set(dict(sorted(workitem.document.items())), offer, headers=[(b"vary", b"Accept")])


async def update_workitem(request: Request, context: Context) -> Response:
    """Attributes of a workitem are others from now on (§11.6)."""
    document = await _received(request, context)
    transaction_uid = _transaction_uid(request, document)
    document.pop(TRANSACTION_UID, None)
    await context.services.workitems.update(_named(request), document, transaction_uid)
    return Whole()


async def change_workitem_state(request: Request, context: Context) -> Response:
    """A workitem is claimed or ended (§11.7)."""
    document = await _received(request, context)
    transaction_uid = _transaction_uid(request, document)
    notice = await context.services.workitems.change_state(_named(request), text_of(document, STATE), transaction_uid)
    return Whole(headers=told(notice, request, context))


async def request_cancellation(request: Request, context: Context) -> Response:
    """Somebody wants a workitem to be canceled (§11.8); that it came here is all that the answer says."""
    reasons = await _received(request, context) if has_body(request) else {}
    notice = await context.services.workitems.request_cancel(_named(request), _requester(request, reasons), reasons)
    return Whole(status=202, headers=told(notice, request, context))


async def search_workitems(request: Request, context: Context) -> Response:
    """The workitems that match, one page of them (§11.9)."""
    asked = DocumentSearch(request, context)
    query, wanted = asked.query, asked.wanted
    search = WorkitemSearch(query.matches, fuzzy=query.fuzzy, combined_datetime=query.combined_datetime)
    page = await context.services.workitems.page(search, query.offset, asked.limit)
    shown = [dict(sorted(one.items())) if wanted is None else _shown(one, wanted) for one in page.documents]
    return await found_documents(request, context, asked, page, shown)


async def _received(request: Request, context: Context) -> Document:
    document = await received_data_set(request, min(LARGEST_REQUEST, context.options.max_request_size))
    return await asyncio.to_thread(normalized, document)


def _named(request: Request) -> str:
    uid: str = request.scope["path_params"]["workitem"]
    return uid


def _shown(document: Mapping[str, Any], wanted: Sequence[Include]) -> Document:
    return selected(document, (*_RETURNED, *wanted))


def _uid_of(request: Request, names: Collection[str], what: str) -> str:
    """The UID that the query part is (§11.4.1.1), or that one of its parameters is; "" for none."""
    pairs = parse_query_string(request.scope.get("query_string", b""))
    found = [value if name.lower() in names else name for name, value in pairs if name not in _COMMON]
    if len(found) > 1 or not all(map(is_valid_uid, found)):
        raise ServerError(Reason.BAD_REQUEST, f"the query part: expected a {what} UID and nothing else")
    return "".join(found)


def _transaction_uid(request: Request, document: Document) -> str:
    """Where the standard wants it, or where DIMSE has it: the query part, the data set."""
    asked, given = _uid_of(request, _OF_TRANSACTION, "transaction"), text_of(document, TRANSACTION_UID)
    if asked and given not in ("", asked):
        raise ServerError(Reason.BAD_REQUEST, "the Transaction UIDs of the query part and of the data set differ")
    return asked or given


def _requester(request: Request, reasons: Document) -> str:
    """The AE title that subscribers are told: that of the request, else the user, as an AE title."""
    user = origin_of(request, "dicomweb").user
    title = text_of(reasons, _REQUESTING_AE) or "".join(letter for letter in user if " " < letter < "\x7f")
    return title.replace("\\", "")[:16].strip() or _ANONYMOUS


_TAG = "Worklist service"
_UID_SCHEMA = {"type": "string", "examples": ["2.25.1"]}
_WORKITEM_UID = Parameter("workitem", "UID of the new workitem; it may also be all of the query part", _UID_SCHEMA)
_TRANSACTION = Parameter(
    "transaction", "Transaction UID of whoever performs it; it may also be all of the query part", _UID_SCHEMA
)
_CHANGING = (400, 404, 409, 410, 413, 415, 500, 501, 503)


def _changing(
    method: str,
    path: str,
    endpoint: Endpoint[Context],
    said: tuple[str, str],
    success: dict[int, str],
    *more: Parameter,
) -> Operation[Context]:
    description = Description(
        *said,
        _TAG,
        success,
        consumes=ACCEPTED,
        parameters=more,
        errors=_CHANGING,
        may_be_empty=202 in success,
        bare=(*success,),
    )
    return Operation(method, path, Workitems(endpoint), description)


OPERATIONS: Sequence[Operation[Context]] = (
    _changing(
        "POST",
        "/workitems",
        create_workitem,
        ("createWorkitem", "Create a workitem"),
        {201: "It is scheduled; a Warning says if it was changed"},
        _WORKITEM_UID,
    ),
    Operation(
        "GET",
        "/workitems",
        Workitems(search_workitems),
        Description(
            "searchForWorkitems",
            "Search for workitems",
            _TAG,
            FOUND,
            ACCEPTED,
            parameters=(KEYS, *RULES, *PAGE, ACCEPT, CHARSET),
            errors=(400, 406, 500, 501, 503),
            bodies={DICOM_JSON: {"$ref": "#/components/schemas/DataSets"}},
        ),
    ),
    Operation(
        "GET",
        "/workitems/{workitem}",
        Workitems(retrieve_workitem),
        Description(
            "retrieveWorkitem",
            "A workitem",
            _TAG,
            {200: "The workitem, without its Transaction UID"},
            ACCEPTED,
            parameters=(ACCEPT,),
            errors=(400, 404, 406, 410, 500, 501, 503),
        ),
    ),
    _changing(
        "POST",
        "/workitems/{workitem}",
        update_workitem,
        ("updateWorkitem", "Change attributes of a workitem"),
        {200: "They are changed"},
        _TRANSACTION,
    ),
    _changing(
        "PUT",
        "/workitems/{workitem}/state",
        change_workitem_state,
        ("changeWorkitemState", "Claim, complete or cancel a workitem"),
        {200: "It is in this state; a Warning says if it was before"},
    ),
    _changing(
        "POST",
        "/workitems/{workitem}/cancelrequest",
        request_cancellation,
        ("requestWorkitemCancellation", "Ask whoever performs a workitem to cancel it"),
        {202: "Nobody performs it, and it is canceled; or subscribers are told; a Warning says if it was canceled"},
    ),
)
