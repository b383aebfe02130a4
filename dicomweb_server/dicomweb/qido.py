"""QIDO-RS (PS3.18 §10.6): searches for studies, series and instances; patients and counts as extensions."""

from collections.abc import Sequence
from functools import lru_cache

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.search_parameters import SearchRequest, search_request
from dicomweb_server.dicomweb.context import Context
from dicomweb_server.http.description import Description, Parameter
from dicomweb_server.http.documents import JSON_OFFER, OFFERS, PLACE_OF_ROOT, VARY, coding_for, whole_document
from dicomweb_server.http.headers import accept_text
from dicomweb_server.http.responses import Whole
from dicomweb_server.http.routing import Endpoint, Operation
from dicomweb_server.http.warning import warning
from dicomweb_server.services.search import Page
from dicomweb_server.wire.media_types import DICOM_JSON, DICOM_XML, JSON, RELATED, Offer, choose, parse_accept
from dicomweb_server.wire.query_string import parse_query_string

_JSON_TYPE = DICOM_JSON.encode("ascii")
_COUNT_OFFERS = (Offer(JSON),)
# A longer query string is not worth keeping what was read from it.
_KEPT_LENGTH = 1024


def _search(level: Level) -> Endpoint[Context]:
    async def search(request: Request, context: Context) -> Response:
        """The matches of one level, one page of them."""
        http = request.scope
        offer = _offer(accept_text(http))
        asked = _asked(request, level)
        page = await context.services.search.find(asked.query, most=context.options.search_limit)
        root = context.options.service_url.root(http)
        headers = [(b"vary", VARY)]
        if warnings := _warnings(asked, page):
            headers.append(warning(root, *warnings))
        if page.total is not None:
            headers.append((b"x-total-count", b"%d" % page.total))
        coding = coding_for(http, compression=context.options.compression)
        if offer == JSON_OFFER and coding is None:
            body = b"".join((b"[", b",".join(page.matches), b"]"))
            return Whole(body.replace(PLACE_OF_ROOT, root.encode("latin-1")), _JSON_TYPE, headers=headers)
        if not page.matches and offer != JSON_OFFER:
            return Whole(status=204, headers=headers)  # a multipart body has at least one part
        return await whole_document(page.matches, offer, root, headers, coding)

    return search


def _count(level: Level) -> Endpoint[Context]:
    async def count(request: Request, context: Context) -> Response:
        """How many matches of one level there are."""
        choose(parse_accept(accept_text(request.scope)), _COUNT_OFFERS)
        asked = _asked(request, level)
        headers = [warning(context.options.service_url.root(request.scope), *asked.warnings)] if asked.warnings else []
        found = await context.services.search.count(asked.query)
        return Whole(orjson.dumps({"count": found}), JSON.encode("ascii"), headers=headers)

    return count


@lru_cache(maxsize=256)
def _offer(accept: str) -> Offer:
    return choose(parse_accept(accept), OFFERS)


def _asked(request: Request, level: Level) -> SearchRequest:
    named = request.scope["path_params"]
    query_string: bytes = request.scope.get("query_string", b"")
    read = _read if len(query_string) > _KEPT_LENGTH else _read_again
    return read(level, query_string, named.get("study"), named.get("series"))


def _read(level: Level, query_string: bytes, study_uid: str | None, series_uid: str | None) -> SearchRequest:
    return search_request(level, parse_query_string(query_string), study_uid, series_uid)


# Viewers ask the same again and again.
_read_again = lru_cache(maxsize=1024)(_read)


def _warnings(asked: SearchRequest, page: Page) -> list[str]:
    """What the client should know of its answer (PS3.18 §8.3.4.4, §10.6.3)."""
    warnings = list(asked.warnings)
    if page.remaining:
        least = "" if page.is_remaining_exact else "at least "
        warnings.append(f"There are {least}{page.remaining} additional results that can be requested")
    return warnings


_PRODUCES = (DICOM_JSON, f'{RELATED}; type="{DICOM_XML}"')
_TEXT = {"type": "string"}
_SWITCH = {"type": "boolean", "default": False}
_WHOLE_NUMBER = {"type": "integer", "minimum": 0}
KEYS = Parameter(
    "keys",
    "Matching keys: attributes by keyword, tag or dotted path, with the value to match; wildcards, ranges and lists as "
    "PS3.18 §8.3.4.1 has them",
    {"type": "object", "additionalProperties": _TEXT},
    named_by_attributes=True,
)
RULES = (
    Parameter("fuzzymatching", "Names match if their words begin with the words of the key", _SWITCH),
    Parameter("emptyvaluematching", 'The key "" (two quotation marks) finds what has no value', _SWITCH),
    Parameter("multiplevaluematching", "Of a list of values all are met, or any where there is only one", _SWITCH),
)
_RULES = (*RULES, Parameter("combineddatetime", "A range of dates and its range of times are one interval", _SWITCH))
_COUNT = {"type": "object", "required": ["count"], "properties": {"count": _WHOLE_NUMBER}}
PAGE = (
    Parameter("includefield", "Further attributes of the answer, with commas between, or `all`", _TEXT),
    Parameter("limit", "Most matches of the answer", _WHOLE_NUMBER),
    Parameter("offset", "How many matches to skip", _WHOLE_NUMBER),
)
_PAGE = (
    *PAGE,
    Parameter("orderby", "Attributes to sort by, with commas between; a minus before one sorts downwards", _TEXT),
    Parameter("count", "Tell the number of all matches in X-Total-Count", _SWITCH),
)
ACCEPT = Parameter("accept", "Acceptable media types; wins over the Accept header", _TEXT)
CHARSET = Parameter("charset", "Acceptable character sets; the answer is in UTF-8", _TEXT)
FOUND = {200: "The matches; a Warning tells how many are left out, and what was passed over", 204: "No match (XML)"}


def _operations(level: Level, noun: str, paths: Sequence[tuple[str, str]]) -> list[Operation[Context]]:
    """The resources of a level, as (name of the operation, path), and the count of all."""
    operations = []
    errors = (400, 406, 413, 500, 503)
    for name, path in paths:
        said = Description(
            name,
            f"Search for {noun}",
            "Search (QIDO-RS)",
            FOUND,
            _PRODUCES,
            parameters=(KEYS, *_RULES, *_PAGE, ACCEPT, CHARSET),
            errors=errors,
        )
        operations.append(Operation("GET", path, _search(level), said))
    counted = Description(
        f"count{noun.capitalize()}",
        f"Count {noun} (extension)",
        "Search (QIDO-RS)",
        {200: "The number of matches"},
        (JSON,),
        parameters=(KEYS, *_RULES, ACCEPT),
        errors=errors,
        bodies={JSON: _COUNT},
    )
    operations.append(Operation("GET", f"/{noun}/count", _count(level), counted))
    return operations


OPERATIONS: Sequence[Operation[Context]] = (
    *_operations(Level.STUDY, "studies", [("searchForStudies", "/studies")]),
    *_operations(
        Level.SERIES, "series", [("searchForSeries", "/series"), ("searchForStudySeries", "/studies/{study}/series")]
    ),
    *_operations(
        Level.INSTANCE,
        "instances",
        [
            ("searchForInstances", "/instances"),
            ("searchForStudyInstances", "/studies/{study}/instances"),
            ("searchForSeriesInstances", "/studies/{study}/series/{series}/instances"),
        ],
    ),
    *_operations(Level.PATIENT, "patients", [("searchForPatients", "/patients")]),
)
