"""Searches of lists that are no archive (PS3.18 §11.9, §14.4): one page of the documents that match, as an answer."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.query import Include
from dicomweb_server.dicom.search_parameters import SearchRequest, worklist_request
from dicomweb_server.dicomweb.context import Context
from dicomweb_server.dicomweb.data_sets import OFFERS, data_set
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.documents import JSON_OFFER, VARY, coding_for, whole_document
from dicomweb_server.http.headers import accepted
from dicomweb_server.http.responses import HeaderList, Whole
from dicomweb_server.http.warning import warning
from dicomweb_server.services.document_page import DocumentPage
from dicomweb_server.wire.media_types import DICOM_JSON, DICOM_XML, RELATED, Offer, choose
from dicomweb_server.wire.query_string import parse_query_string

_XML = Offer(DICOM_XML)


class DocumentSearch:
    """What a request asks for."""

    def __init__(self, request: Request, context: Context) -> None:
        """ServerError(NOT_ACCEPTABLE, BAD_REQUEST) if it is nothing."""
        self.offer = choose(accepted(request.scope), OFFERS)
        self.asked: SearchRequest = worklist_request(parse_query_string(request.scope.get("query_string", b"")))
        self.query = self.asked.query
        most = context.options.search_limit
        self.limit = most if self.query.limit is None else min(self.query.limit, most)

    @property
    def wanted(self) -> list[Include] | None:
        """What is to be answered beside what always is: the attributes of keys and includefield; None is everything."""
        query = self.query
        if query.include_all:
            return None
        return [*query.include, *(Include(match.path, match.private_creator) for match in query.matches)]


async def found_documents(
    request: Request, context: Context, search: DocumentSearch, page: DocumentPage, documents: Sequence[dict[str, Any]]
) -> Response:
    """The answer: what is shown of the documents of a page."""
    root = context.options.service_url.root(request.scope)
    headers = [(b"vary", VARY), *_warnings(search, page, root)]
    if not documents and search.offer != JSON_OFFER:
        return Whole(status=204, headers=headers)
    if search.offer == _XML:
        return _single(documents, headers)
    coding = coding_for(request.scope, compression=context.options.compression)
    return await whole_document([orjson.dumps(one) for one in documents], search.offer, root, headers, coding)


def _single(documents: Sequence[Mapping[str, Any]], headers: HeaderList) -> Response:
    """One match as one XML document; there is no such document of several."""
    if len(documents) > 1:
        raise ServerError(
            Reason.NOT_ACCEPTABLE,
            f"{len(documents)} matches are no single XML document; offered are {DICOM_JSON}, and {RELATED} of both",
        )
    return data_set(dict(documents[0]), _XML, headers=headers)


def _warnings(search: DocumentSearch, page: DocumentPage, root: str) -> HeaderList:
    more = ["There are at least 1 additional results that can be requested"] if page.is_more else []
    texts = [*search.asked.warnings, *more]
    return [warning(root, *texts)] if texts else []
