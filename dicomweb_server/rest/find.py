"""/tools/find, /tools/count-resources, /tools/lookup and /tools/bulk-content."""

from collections.abc import Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.orthanc_json import TagFormat
from dicomweb_server.http.responses import Whole
from dicomweb_server.rest.answers import JSON as JSON_TYPE
from dicomweb_server.rest.answers import json_answer
from dicomweb_server.rest.body import Members, object_body, text_body
from dicomweb_server.rest.context import Context, RestOptions
from dicomweb_server.rest.find_request import FindRequest, find_request, level_named
from dicomweb_server.rest.listing import as_json, list_answer
from dicomweb_server.rest.resource_json import CONTENTS, NAMES, Shown, path_of
from dicomweb_server.rest.table import JSON, TEXT, Table, row
from dicomweb_server.services.resources import Resource, Restriction

# What /tools/lookup compares with: Patient ID, Study Instance UID, Accession Number, Series and SOP Instance UID.
_LOOKED_UP = (0x00100020, 0x0020000D, 0x00080050, 0x0020000E, 0x00080018)
_USUAL = CONTENTS - {"Attachments", "Metadata"}


async def find(request: Request, context: Context) -> Response:
    """Resources that match, as identifiers or with what is shown of them."""
    asked = find_request(await object_body(request, context), context.options)
    rows = await _rows(context, asked)
    return await list_answer(context, asked.query.level, rows, asked.shown)


async def count_resources(request: Request, context: Context) -> Response:
    """How many match."""
    asked = find_request(await object_body(request, context), context.options)
    rows = await _rows(context, replace(asked, query=replace(asked.query, limit=None, offset=0, order=())))
    return json_answer({"Count": len(rows)})


async def _rows(context: Context, asked: FindRequest) -> Sequence[int]:
    resources = context.services.resources
    parents = {level: (await resources.identify(level, named)).row for level, named in asked.parents.items()}
    restriction = Restriction(
        asked.labels,
        asked.labels_constraint,
        asked.metadata,
        parents.get(Level.PATIENT),
        parents.get(Level.STUDY),
        parents.get(Level.SERIES),
        asked.metadata_order,
    )
    return await resources.matching(asked.query, restriction)


async def lookup(request: Request, context: Context) -> Response:
    """Resources that have the text as their Patient ID, UID or accession number."""
    asked = (await text_body(request)).strip(" \0\r\n")
    found = await context.services.resources.lookup(_LOOKED_UP, asked) if asked else []
    return json_answer([{"ID": one.id, "Path": path_of(one.level, one.id), "Type": NAMES[one.level]} for one in found])


async def bulk_content(request: Request, context: Context) -> Response:
    """What is shown of many resources, or of what is below or above them at one level."""
    body = await object_body(request, context)
    shown = _shown(body, context.options)
    resources = [await context.services.resources.identify_any(one) for one in body.texts("Resources")]
    if "Level" not in body:
        found = [await context.services.resources.describe(one, as_json(shown)) for one in resources]
        return Whole(b"[" + b",".join(found) + b"]", JSON_TYPE)
    level = level_named(body.text("Level"))
    rows = [row_id for one in resources for row_id in await _at(context, one, level)]
    return await list_answer(context, level, list(dict.fromkeys(rows)), shown)


async def _at(context: Context, resource: Resource, level: Level) -> Sequence[int]:
    return [resource.row] if resource.level is level else await context.services.resources.related(resource, level)


def _shown(body: Members, options: RestOptions) -> Shown:
    form = TagFormat.FULL if body.flag("Full") else TagFormat.SHORT if body.flag("Short") else TagFormat.SIMPLE
    contents = _USUAL | ({"Metadata"} if body.flag("Metadata", default=True) else frozenset())
    return Shown(form, (), contents, options.stable_age, options.metadata.shown)


OPERATIONS: Table = (
    row("POST", "/tools/find", find, "Search for resources", consumes=(JSON,), errors=(404,)),
    row(
        "POST", "/tools/count-resources", count_resources, "Count what a search finds", consumes=(JSON,), errors=(404,)
    ),
    row("POST", "/tools/lookup", lookup, "Resources by a Patient ID, UID or accession number", consumes=(TEXT,)),
    row("POST", "/tools/bulk-content", bulk_content, "Describe many resources", consumes=(JSON,), errors=(404,)),
)
