"""/exports: the log of what was sent to other servers."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.rest.answers import empty_answer, json_answer
from dicomweb_server.rest.arguments import Arguments
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.resource_json import NAMES, moment, path_of
from dicomweb_server.rest.table import Table, number, row
from dicomweb_server.services.exports import Export

_LIMIT, _MOST = 100, 10_000
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


async def list_exports(request: Request, context: Context) -> Response:
    """A page of the log."""
    arguments = Arguments(request.scope)
    since, limit = arguments.number("since", 0), arguments.number("limit", _LIMIT, _MOST) or _LIMIT
    found = await context.services.exports.page(since, limit + 1)
    shown = found[:limit]
    last = shown[-1].sequence if shown else await context.services.exports.last()
    return json_answer({"Done": len(found) <= limit, "Exports": [_shown(each) for each in shown], "Last": last})


async def clear_exports(request: Request, context: Context) -> Response:
    """Forget all entries."""
    await context.services.exports.clear()
    return empty_answer()


def _shown(export: Export) -> dict[str, Any]:
    exported = export.exported
    level = Level(exported.level)
    return {
        "Date": moment(export.time),
        "ID": exported.public_id,
        "Path": path_of(level, exported.public_id),
        "PatientID": exported.patient_id,
        "RemoteModality": export.remote,
        "ResourceType": NAMES[level],
        "Seq": export.sequence,
        **dict(zip(_UIDS, exported.uids, strict=False)),
    }


OPERATIONS: Table = (
    row(
        "GET",
        "/exports",
        list_exports,
        "What was sent to other servers, oldest first",
        number("since", "Only entries after this number"),
        number("limit", "How many; 100 without it"),
    ),
    row("DELETE", "/exports", clear_exports, "Forget what was sent to other servers"),
)
