"""/patients, /studies, /series, /instances: lists, details, what is above and below, deletion."""

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.http.responses import Whole
from dicomweb_server.http.routing import Endpoint
from dicomweb_server.rest.answers import JSON, json_answer
from dicomweb_server.rest.arguments import Arguments
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.deletion import delete_resource
from dicomweb_server.rest.identify import LEVELS, level_of, resource_of
from dicomweb_server.rest.listing import as_json, list_answer
from dicomweb_server.rest.resource_json import shown_by
from dicomweb_server.rest.table import Row, Table, flag, number, row, word

_FORMATS = (
    flag("short", "Tags by their numbers"),
    flag("full", "Tags with number, name, type and value"),
    flag("simplify", "Tags by their names, as without any of these"),
)
_REQUESTED = word("requested-tags", "Further tags, by name or number, with semicolons between")
_EXPAND = flag("expand", "What is shown of each, instead of identifiers")
_SINGULAR = {"patients": "patient", "studies": "study", "series": "series", "instances": "instance"}
_PLURAL = {level: name for name, level in LEVELS.items()}


async def list_resources(request: Request, context: Context) -> Response:
    """All of a level, or a page of them."""
    arguments = Arguments(request.scope)
    shown = shown_by(arguments, context.options)
    is_expanded = arguments.flag("expand") or "response-content" in arguments
    limit = arguments.number("limit", 0) or None
    level = level_of(request)
    rows = await context.services.resources.listed(level, arguments.number("since", 0), limit)
    return await list_answer(context, level, rows, shown if is_expanded else None)


async def show_resource(request: Request, context: Context) -> Response:
    """One resource."""
    shown = shown_by(Arguments(request.scope), context.options)
    resource = await resource_of(request, context)
    return Whole(await context.services.resources.describe(resource, as_json(shown)), JSON)


def _related(level: Level) -> Endpoint[Context]:
    async def show_related(request: Request, context: Context) -> Response:
        """What is below a resource, in full unless told otherwise; or the one resource above it."""
        arguments = Arguments(request.scope)
        shown = shown_by(arguments, context.options)
        resource = await resource_of(request, context)
        rows = await context.services.resources.related(resource, level)
        if level > resource.level:
            return await list_answer(context, level, rows, shown if arguments.flag("expand", default=True) else None)
        async for batch in context.services.resources.describe_all(level, rows, as_json(shown)):
            return Whole(batch[0], JSON)
        return json_answer(None)

    return show_related


def _rows_of(name: str, level: Level) -> list[Row]:
    one = _SINGULAR[name]
    listed = (
        _EXPAND,
        number("limit", "How many; 0 is all"),
        number("since", "How many to pass over"),
        word("response-content", "What is shown of each, as for /tools/find, with semicolons between"),
    )
    rows = [
        row("GET", f"/{name}", list_resources, f"All {name}", *listed, *_FORMATS, _REQUESTED),
        row("GET", f"/{name}/{{id}}", show_resource, f"One {one}", *_FORMATS, _REQUESTED),
        row("DELETE", f"/{name}/{{id}}", delete_resource, f"Delete the {one} and all below it"),
    ]
    for other in Level:
        if other > level:
            below = _PLURAL[other]
            path = f"/{name}/{{id}}/{below}"
            rows.append(row("GET", path, _related(other), f"The {below} of the {one}", _EXPAND, *_FORMATS, _REQUESTED))
        elif other < level:
            above = _SINGULAR[_PLURAL[other]]
            path = f"/{name}/{{id}}/{above}"
            rows.append(row("GET", path, _related(other), f"The {above} of the {one}", *_FORMATS, _REQUESTED))
    return rows


OPERATIONS: Table = tuple(one for name, level in LEVELS.items() for one in _rows_of(name, level))
