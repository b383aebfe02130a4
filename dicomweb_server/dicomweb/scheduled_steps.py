"""Modality Scheduled Procedure Step (PS3.18 chapter 14): the modality worklist by the parameters of QIDO-RS."""

from collections.abc import Sequence

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.query import Include
from dicomweb_server.dicom.scheduled_answer import answer
from dicomweb_server.dicom.search_parameters import SearchRequest, worklist_request
from dicomweb_server.dicomweb.context import Context
from dicomweb_server.dicomweb.data_sets import ACCEPTED, OFFERS, data_set
from dicomweb_server.dicomweb.qido import ACCEPT, CHARSET, FOUND, KEYS, PAGE, RULES
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.description import Description
from dicomweb_server.http.documents import JSON_OFFER, VARY, coding_for, whole_document
from dicomweb_server.http.headers import accepted
from dicomweb_server.http.responses import HeaderList, Whole
from dicomweb_server.http.routing import Operation
from dicomweb_server.http.warning import warning
from dicomweb_server.services.worklist import WorklistPage, WorklistSearch
from dicomweb_server.wire.media_types import DICOM_JSON, DICOM_XML, RELATED, Offer, choose
from dicomweb_server.wire.query_string import parse_query_string

_XML = Offer(DICOM_XML)


async def search_scheduled_steps(request: Request, context: Context) -> Response:
    """The steps that match, one page of them (§14.4)."""
    require_worklist(context)
    http = request.scope
    offer = choose(accepted(http), OFFERS)
    asked = worklist_request(parse_query_string(http.get("query_string", b"")))
    query = asked.query
    search = WorklistSearch(query.matches, called_ae_title=context.options.ae_title, fuzzy=query.fuzzy)
    most = context.options.search_limit
    limit = most if query.limit is None else min(query.limit, most)
    page = await context.services.worklist.page(search, query.offset, limit)
    root = context.options.service_url.root(http)
    headers = [(b"vary", VARY), *_warnings(asked, page, root)]
    if not page.documents and offer != JSON_OFFER:
        return Whole(status=204, headers=headers)
    documents = _shown(asked, page)
    if offer == _XML:
        return _single(documents, headers)
    coding = coding_for(http, compression=context.options.compression)
    return await whole_document([orjson.dumps(one) for one in documents], offer, root, headers, coding)


def require_worklist(context: Context) -> None:
    """ServerError(NOT_OFFERED) if procedure steps are not offered."""
    if not context.options.worklist:
        raise ServerError(Reason.NOT_OFFERED, "the worklist and performed procedure steps are switched off")


def _shown(asked: SearchRequest, page: WorklistPage) -> list[dict[str, object]]:
    """What is answered of the items: everything, or the return keys, the matching keys and the included attributes."""
    query = asked.query
    if query.include_all:
        return [dict(document) for document in page.documents]
    wanted = [*query.include, *(Include(match.path, match.private_creator) for match in query.matches)]
    return [answer(document, wanted) for document in page.documents]


def _single(documents: Sequence[dict[str, object]], headers: HeaderList) -> Response:
    """One match as one XML document; there is no such document of several."""
    if len(documents) > 1:
        raise ServerError(
            Reason.NOT_ACCEPTABLE,
            f"{len(documents)} matches are no single XML document; offered are {DICOM_JSON}, and {RELATED} of both",
        )
    return data_set(documents[0], _XML, headers=headers)


def _warnings(asked: SearchRequest, page: WorklistPage, root: str) -> HeaderList:
    more = ["There are at least 1 additional results that can be requested"] if page.is_more else []
    texts = [*asked.warnings, *more]
    return [warning(root, *texts)] if texts else []


OPERATIONS: Sequence[Operation[Context]] = (
    Operation(
        "GET",
        "/modality-scheduled-procedure-steps",
        search_scheduled_steps,
        Description(
            "searchForScheduledProcedureSteps",
            "Search the modality worklist",
            "Scheduled procedure steps",
            FOUND,
            ACCEPTED,
            parameters=(KEYS, *RULES, *PAGE, ACCEPT, CHARSET),
            errors=(400, 406, 500, 501, 503),
        ),
    ),
)
