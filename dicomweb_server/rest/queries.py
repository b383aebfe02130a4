"""/queries: searches at modalities with their answers; what was found can be looked into, and retrieved."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.orthanc_json import TagFormat, formatted
from dicomweb_server.dicom.query_keys import LEVEL_NAMES, UNIQUE_KEYS, identifying, keys_of, shown_retrieval
from dicomweb_server.dicom.scheduled import text_of
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.routing import Endpoint
from dicomweb_server.rest.answers import empty_answer, json_answer, text_answer
from dicomweb_server.rest.arguments import Arguments
from dicomweb_server.rest.body import Members, optional_object_body, whole_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.modality_queries import kept_query
from dicomweb_server.rest.modality_wishes import shown_titles
from dicomweb_server.rest.retrieval import retrieval_of
from dicomweb_server.rest.submission import answer_by_job, wish_of
from dicomweb_server.rest.table import JSON, TEXT, Table, flag, row
from dicomweb_server.services.fetching import MOVE
from dicomweb_server.services.queries import KeptQuery

_BELOW = {Level.PATIENT: "query-studies", Level.STUDY: "query-series", Level.SERIES: "query-instances"}


async def list_queries(request: Request, context: Context) -> Response:
    """Identifiers of the queries that are kept."""
    return json_answer(context.services.queries.ids())


async def list_operations(request: Request, context: Context) -> Response:
    """What can be asked of a query."""
    _query(request, context)
    return json_answer(["answers", "level", "modality", "query", "retrieve"])


async def delete_query(request: Request, context: Context) -> Response:
    """Forget a query."""
    context.services.queries.remove(request.scope["path_params"]["id"])
    return empty_answer()


async def list_answers(request: Request, context: Context) -> Response:
    """Their numbers, or with `expand` the answers themselves."""
    query, arguments = _query(request, context), Arguments(request.scope)
    if arguments.flag("expand"):
        return json_answer([_shown(answer, arguments) for answer in query.answers])
    return json_answer([str(number) for number in range(len(query.answers))])


async def list_answer_operations(request: Request, context: Context) -> Response:
    """What can be asked of an answer."""
    query = _query(request, context)
    query.answer(_index(request))
    below = [name for level, name in _BELOW.items() if level >= query.level]
    return json_answer(["content", "retrieve", *below])


async def show_answer(request: Request, context: Context) -> Response:
    """One answer."""
    return json_answer(_shown(_query(request, context).answer(_index(request)), Arguments(request.scope)))


async def show_level(request: Request, context: Context) -> Response:
    """The level of the search."""
    return text_answer(LEVEL_NAMES[_query(request, context).level])


async def show_modality(request: Request, context: Context) -> Response:
    """Who was asked."""
    return text_answer(_query(request, context).modality)


async def show_query(request: Request, context: Context) -> Response:
    """What was asked."""
    return json_answer(_shown(_query(request, context).keys, Arguments(request.scope)))


async def retrieve_all(request: Request, context: Context) -> Response:
    """Retrieve all answers."""
    query = _query(request, context)
    return await _retrieved(request, context, query, query.answers)


async def retrieve_one(request: Request, context: Context) -> Response:
    """Retrieve one answer."""
    query = _query(request, context)
    return await _retrieved(request, context, query, [query.answer(_index(request))])


def _searched_below(level: Level) -> Endpoint[Context]:
    """A search at a level for what is below an answer."""

    async def search_below(request: Request, context: Context) -> Response:
        query, members = _query(request, context), await optional_object_body(request, context)
        if level <= query.level:
            raise ServerError(Reason.BAD_REQUEST, f"the answers are of level {LEVEL_NAMES[query.level]}, not above")
        answer = query.answer(_index(request))
        parents = {
            tag: answer[tag] for each, tag in UNIQUE_KEYS.items() if each <= query.level and text_of(answer, tag)
        }
        keys = keys_of(members.members("Query").all) | parents
        wanted = {**query.overrides, **_timeout(request, members), "Modality": query.modality}
        return json_answer(await kept_query(context, wanted, level, keys))

    return search_below


async def _retrieved(
    request: Request, context: Context, query: KeptQuery, answers: Sequence[dict[str, Any]]
) -> Response:
    body = await whole_body(request, context.options.max_json_size)
    members, type_ = retrieval_of(body, context.options.retrieve_method)
    wanted = {**query.overrides, **_titles(members), **_timeout(request, members), "Modality": query.modality}
    titles = shown_titles(context, wanted)
    target = wanted.get("TargetAet") or titles["LocalAet"]
    parameters = {
        **wanted,
        "TargetAet": target,
        "Level": query.level.name,
        "Keys": [identifying(answer, query.level) for answer in answers],
    }
    form = _form(members)
    shown = {
        **titles,
        "Query": [formatted(shown_retrieval(answer, query.level), form, limit=0) for answer in answers],
        **({"TargetAet": target} if type_ == MOVE else {}),
    }
    return await answer_by_job(request, context, type_, parameters, wish_of(members), content=shown)


def _titles(members: Members) -> dict[str, str]:
    title = members.text("TargetAet", "")
    return {"TargetAet": title} if title else {}


def _timeout(request: Request, members: Members) -> dict[str, Any]:
    timeout = members.number("Timeout", 0, 0, 86_400)
    return {"Timeout": timeout} if timeout else {}


def _form(members: Members) -> TagFormat:
    if members.flag("Full"):
        return TagFormat.FULL
    return TagFormat.SIMPLE if members.flag("Simplify") else TagFormat.SHORT


def _shown(data_set: Any, arguments: Arguments) -> dict[str, Any]:
    form = TagFormat.SIMPLE if arguments.flag("simplify") else TagFormat.FULL
    return formatted(data_set, TagFormat.SHORT if arguments.flag("short") else form, limit=0)


def _query(request: Request, context: Context) -> KeptQuery:
    return context.services.queries.named(request.scope["path_params"]["id"])


def _index(request: Request) -> int:
    text: str = request.scope["path_params"]["index"]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ServerError(Reason.BAD_REQUEST, "an answer is named by its number, counted from 0")
    return int(text)


_FORMS = (flag("simplify", "Names of attributes to values"), flag("short", "Numbers of attributes to values"))
_EXPAND = flag("expand", "The answers themselves, not only their numbers")
_FAILS = (500,)

OPERATIONS: Table = (
    row("GET", "/queries", list_queries, "Queries that are kept"),
    row("GET", "/queries/{id}", list_operations, "What can be asked of a query"),
    row("DELETE", "/queries/{id}", delete_query, "Forget a query"),
    row("GET", "/queries/{id}/answers", list_answers, "The answers of a query", _EXPAND, *_FORMS),
    row("GET", "/queries/{id}/answers/{index}", list_answer_operations, "What can be asked of an answer"),
    row("GET", "/queries/{id}/answers/{index}/content", show_answer, "One answer", *_FORMS),
    *(
        row("POST", f"/queries/{{id}}/answers/{{index}}/{name}", _searched_below(level), summary,
            consumes=(JSON,), may_be_empty=True, errors=_FAILS)
        for name, level, summary in (
            ("query-studies", Level.STUDY, "Search the studies of an answer"),
            ("query-series", Level.SERIES, "Search the series of an answer"),
            ("query-instances", Level.INSTANCE, "Search the instances of an answer"),
        )
    ),
    row("POST", "/queries/{id}/answers/{index}/retrieve", retrieve_one, "Retrieve an answer", consumes=(JSON, TEXT),
        errors=_FAILS),
    row("GET", "/queries/{id}/level", show_level, "The level of a query", produces=(TEXT,)),
    row("GET", "/queries/{id}/modality", show_modality, "The node that was asked", produces=(TEXT,)),
    row("GET", "/queries/{id}/query", show_query, "What was asked", *_FORMS),
    row("POST", "/queries/{id}/retrieve", retrieve_all, "Retrieve all answers", consumes=(JSON, TEXT), errors=_FAILS),
)  # fmt: skip
