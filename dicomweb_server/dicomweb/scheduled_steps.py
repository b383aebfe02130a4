"""Modality Scheduled Procedure Step (PS3.18 chapter 14): the modality worklist by the parameters of QIDO-RS."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.scheduled_answer import answer
from dicomweb_server.dicomweb.context import Context
from dicomweb_server.dicomweb.data_sets import ACCEPTED
from dicomweb_server.dicomweb.document_search import DocumentSearch, found_documents
from dicomweb_server.dicomweb.qido import ACCEPT, CHARSET, FOUND, KEYS, PAGE, RULES
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.description import Description
from dicomweb_server.http.routing import Operation
from dicomweb_server.services.worklist import WorklistSearch


async def search_scheduled_steps(request: Request, context: Context) -> Response:
    """The steps that match, one page of them (§14.4)."""
    require_worklist(context)
    asked = DocumentSearch(request, context)
    query, wanted = asked.query, asked.wanted
    search = WorklistSearch(query.matches, called_ae_title=context.options.ae_title, fuzzy=query.fuzzy)
    page = await context.services.worklist.page(search, query.offset, asked.limit)
    shown = [dict(one) if wanted is None else answer(one, wanted) for one in page.documents]
    return await found_documents(request, context, asked, page, shown)


def require_worklist(context: Context) -> None:
    """ServerError(NOT_OFFERED) if procedure steps are not offered."""
    if not context.options.worklist:
        raise ServerError(Reason.NOT_OFFERED, "the worklist and performed procedure steps are switched off")


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
