"""/worklists: the scheduled steps, by the routes of Orthanc's worklist plugin."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.named_tags import named_document
from dicomweb_server.dicom.orthanc_json import TagFormat, formatted
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.rest.answers import empty_answer, json_answer
from dicomweb_server.rest.arguments import Arguments
from dicomweb_server.rest.body import object_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.table import JSON, Table, row, word
from dicomweb_server.services.worklist import ScheduledStep

_FORMATS = {"simplify": TagFormat.SIMPLE, "short": TagFormat.SHORT, "full": TagFormat.FULL}
_LARGEST = 1 << 21
_FORMAT = word("format", "How tags are named: Simplify (also without it), Short or Full")


async def list_steps(request: Request, context: Context) -> Response:
    """All steps, those in files and those that are over as well."""
    form = _format(request)
    return json_answer([_shown(step, form) for step in await context.services.worklist.all()])


async def show_step(request: Request, context: Context) -> Response:
    """One step."""
    form = _format(request)
    return json_answer(_shown(await context.services.worklist.step(_id(request)), form))


async def schedule(request: Request, context: Context) -> Response:
    """A new step."""
    document = await _document(request, context)
    return _named(await context.services.worklist.schedule(document))


async def reschedule(request: Request, context: Context) -> Response:
    """Another content for a step."""
    document = await _document(request, context)
    return _named(await context.services.worklist.reschedule(_id(request), document))


async def remove(request: Request, context: Context) -> Response:
    """It is not to be done any more."""
    await context.services.worklist.remove(_id(request))
    return empty_answer()


async def _document(request: Request, context: Context) -> dict[str, Any]:
    members = await object_body(request, context, _LARGEST)
    tags: Mapping[str, Any] = members.members("Tags").all
    if not tags:
        raise ServerError(
            Reason.BAD_REQUEST, "Tags is missing: an object of the names and values of attributes is expected"
        )
    return named_document(tags)


def _named(step: ScheduledStep) -> Response:
    return json_answer({"ID": step.step_id, "Path": f"/worklists/{step.step_id}"})


def _shown(step: ScheduledStep, form: TagFormat) -> dict[str, Any]:
    return {"ID": step.step_id, "Tags": formatted(step.document, form, limit=0)}


def _format(request: Request) -> TagFormat:
    name = Arguments(request.scope).text("format", "Simplify")
    if name.lower() not in _FORMATS:
        raise ServerError(Reason.BAD_REQUEST, "the parameter format must be Simplify, Short or Full")
    return _FORMATS[name.lower()]


def _id(request: Request) -> str:
    step_id: str = request.scope["path_params"]["id"]
    return step_id


OPERATIONS: Table = (
    row("GET", "/worklists", list_steps, "The scheduled procedure steps, by their start", _FORMAT),
    row("POST", "/worklists/create", schedule, "Schedule a procedure step", consumes=(JSON,)),
    row("GET", "/worklists/{id}", show_step, "A scheduled step, with what became of it", _FORMAT),
    row("PUT", "/worklists/{id}", reschedule, "Replace the content of a scheduled step", consumes=(JSON,)),
    row("DELETE", "/worklists/{id}", remove, "Remove a scheduled step"),
)
