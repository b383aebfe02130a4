"""/changes: the durable log of the store under Orthanc's names."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.orthanc_id import orthanc_id
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.rest.answers import empty_answer, json_answer
from dicomweb_server.rest.arguments import Arguments
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.resource_json import NAMES, moment, path_of
from dicomweb_server.rest.table import Table, flag, number, row, word
from dicomweb_server.services.changes import Change, ChangeFilter, ChangeKind

_LIMIT, _MOST = 100, 10_000

TYPES: dict[str, tuple[tuple[ChangeKind, Level], ...]] = {
    **{f"New{name}": ((ChangeKind.ADDED, level), (ChangeKind.REPLACED, level)) for level, name in NAMES.items()},
    **{f"Stable{name}": ((ChangeKind.STABLE, level),) for level, name in NAMES.items() if level != Level.INSTANCE},
    "UpdatedMetadata": tuple((ChangeKind.METADATA, level) for level in Level),
    "UpdatedAttachment": tuple((ChangeKind.ATTACHMENT, level) for level in Level),
}
_NAMES = {pair: name for name, pairs in TYPES.items() for pair in pairs}


async def list_changes(request: Request, context: Context) -> Response:
    """A page of the log."""
    arguments = Arguments(request.scope)
    asked, limit = _asked(arguments), arguments.number("limit", _LIMIT, _MOST) or _LIMIT
    if arguments.flag("last"):
        asked, limit = ChangeFilter(last=True), 1
    found = list(await context.services.changes.shown(asked, limit + 1))
    is_done = len(found) <= limit or arguments.flag("last")
    found = found[-limit:] if asked.last else found[:limit]
    last = found[-1].sequence if found else await context.services.changes.last()
    answer: dict[str, Any] = {"Changes": [_shown(change) for change in found], "Done": is_done, "Last": last}
    if asked.to is not None or asked.kinds:
        answer["First"] = found[0].sequence if found else last
    return json_answer(answer)


def _asked(arguments: Arguments) -> ChangeFilter:
    to = arguments.number("to", 0) if "to" in arguments else None
    types = [name for name in arguments.text("type").split(";") if name]
    unknown = [name for name in types if name not in TYPES]
    if unknown:
        raise ServerError(Reason.BAD_REQUEST, f"type must be some of {', '.join(TYPES)}, with semicolons between")
    kinds = tuple(pair for name in types for pair in TYPES[name])
    return ChangeFilter(arguments.number("since", 0), to, kinds, last=to is not None and "since" not in arguments)


def _shown(change: Change) -> dict[str, Any]:
    uids = (change.study_uid or "", change.series_uid or "", change.instance_uid or "")[: change.level]
    public_id = orthanc_id(change.patient_identity, *uids)
    return {
        "ChangeType": _NAMES[change.kind, change.level],
        "Date": moment(change.time),
        "ID": public_id,
        "Path": path_of(change.level, public_id),
        "ResourceType": NAMES[change.level],
        "Seq": change.sequence,
    }


async def clear_changes(request: Request, context: Context) -> Response:
    """Show none of those that are there now."""
    await context.services.changes.hide()
    return empty_answer()


OPERATIONS: Table = (
    row(
        "GET",
        "/changes",
        list_changes,
        "What happened, oldest first",
        number("since", "Only entries after this number"),
        number("to", "Only entries up to this number; without `since` the last of them"),
        number("limit", "How many; 100 without it"),
        flag("last", "Only the last entry"),
        word("type", "Only entries of these types, with semicolons between"),
    ),
    row("DELETE", "/changes", clear_changes, "Forget what happened until now"),
)
