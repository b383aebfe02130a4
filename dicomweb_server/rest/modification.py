"""…/modify and …/anonymize: resources changed into others, as jobs; a single instance as the file that it becomes."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.responses import Pieces
from dicomweb_server.rest.answers import json_answer
from dicomweb_server.rest.body import Members, object_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.identify import level_of, resource_of
from dicomweb_server.rest.submission import answer_by_job, wish_of
from dicomweb_server.rest.table import DICOM, JSON, Row, Table, row
from dicomweb_server.services.contents import at_hand
from dicomweb_server.services.edit_jobs import MODIFICATION, modification_parameters, new_secret
from dicomweb_server.services.edit_wishes import EditWishes, anonymization_wishes, modification_wishes
from dicomweb_server.services.edits import ReportLine, change_of, level_of_change
from dicomweb_server.services.jobs import Job

Read = Callable[[Mapping[str, Any]], EditWishes]

_BULK_LEVELS = {"Patient": Level.PATIENT, "Study": Level.STUDY, "Series": Level.SERIES, "Instance": Level.INSTANCE}


async def modify(request: Request, context: Context) -> Response:
    """A patient, study or series."""
    return await _change(request, context, modification_wishes)


async def anonymize(request: Request, context: Context) -> Response:
    """A patient, study or series."""
    return await _change(request, context, anonymization_wishes)


async def _change(request: Request, context: Context, read: Read) -> Response:
    resource = await resource_of(request, context)
    members = await object_body(request, context)
    wishes = read(members.all)
    if members.flag("DryRun"):
        raise ServerError(Reason.BAD_REQUEST, "DryRun is offered for a single instance")
    level = level_of(request)
    parameters = await modification_parameters(context.services.resources, members.all, wishes, level, [resource])
    return await answer_by_job(request, context, MODIFICATION, parameters, wish_of(members), result=_told)


def _told(job: Job) -> Any:
    if job.content.get("FailedInstancesCount") and "ID" not in job.content and "Resources" not in job.content:
        raise ServerError(Reason.INTERNAL, "none of the instances could be modified")
    return job.content


async def modify_instance(request: Request, context: Context) -> Response:
    """The file that an instance becomes; nothing is stored."""
    return await _change_instance(request, context, modification_wishes)


async def anonymize_instance(request: Request, context: Context) -> Response:
    """The file that an instance becomes; nothing is stored."""
    return await _change_instance(request, context, anonymization_wishes)


async def _change_instance(request: Request, context: Context, read: Read) -> Response:
    resource = await resource_of(request, context)
    members = await object_body(request, context)
    wishes = read(members.all)
    level = level_of_change(wishes.plan)
    wishes.require_of_file(level)
    instance = await context.services.retrieve.instance(resource.scope)
    change = change_of(wishes, bytes.fromhex(new_secret()), level, [instance])
    edits = context.services.edits
    if members.flag("DryRun"):
        return json_answer([_line(line) for line in await edits.report(instance, change)])
    made = await edits.edited(instance, change, wishes.transcode)
    pieces = context.services.retrieve.contents.stream(at_hand(made.edited))
    return Pieces(pieces, b"application/dicom", length=made.edited.size)


def _line(line: ReportLine) -> Mapping[str, str]:
    return {"Path": line.path, "Name": line.name, "Type": line.vr, "Action": line.outcome}


async def bulk_modify(request: Request, context: Context) -> Response:
    """Any resources together."""
    members = await object_body(request, context)
    level = _BULK_LEVELS.get(members.text("Level", "Instance"))
    if level is None:
        raise ServerError(Reason.BAD_REQUEST, f"Level should be one of {', '.join(_BULK_LEVELS)}")
    return await _bulk(request, context, members, modification_wishes, level)


async def bulk_anonymize(request: Request, context: Context) -> Response:
    """Any resources together, so that they refer to each other as before."""
    members = await object_body(request, context)
    return await _bulk(request, context, members, anonymization_wishes, Level.STUDY)


async def _bulk(request: Request, context: Context, members: Members, read: Read, level: Level) -> Response:
    if "Resources" not in members:
        raise ServerError(Reason.BAD_REQUEST, "List of strings expected in field: Resources")
    service = context.services.resources
    resources = [await service.identify_any(one) for one in members.texts("Resources")]
    wishes = read(members.all)
    parameters = await modification_parameters(service, members.all, wishes, level, resources, is_bulk=True)
    return await answer_by_job(request, context, MODIFICATION, parameters, wish_of(members), result=_told)


def _rows(root: str) -> tuple[Row, Row]:
    what = {"patients": "a patient", "studies": "a study", "series": "a series"}[root]
    return (
        row("POST", f"/{root}/{{id}}/modify", modify, f"Make {what} into another one", consumes=(JSON,)),
        row("POST", f"/{root}/{{id}}/anonymize", anonymize, f"De-identify {what} by PS3.15", consumes=(JSON,)),
    )


OPERATIONS: Table = (
    *_rows("patients"),
    *_rows("studies"),
    *_rows("series"),
    row(
        "POST",
        "/instances/{id}/modify",
        modify_instance,
        "The file that an instance becomes, or with DryRun what would change",
        consumes=(JSON,),
        produces=(DICOM, JSON),
    ),
    row(
        "POST",
        "/instances/{id}/anonymize",
        anonymize_instance,
        "The file that an instance becomes when it is de-identified, or with DryRun what would change",
        consumes=(JSON,),
        produces=(DICOM, JSON),
    ),
    row("POST", "/tools/bulk-modify", bulk_modify, "Make resources into others", consumes=(JSON,), errors=(404,)),
    row("POST", "/tools/bulk-anonymize", bulk_anonymize, "De-identify resources", consumes=(JSON,), errors=(404,)),
)
