"""/studies/{id}/split and /studies/{id}/merge: series and instances that move from one study to another, as jobs."""

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.rest.body import object_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.identify import resource_of
from dicomweb_server.rest.submission import answer_by_job, wish_of
from dicomweb_server.rest.table import JSON, Table, row
from dicomweb_server.services.study_jobs import MERGE, SPLIT, merge_parameters, split_parameters


async def split(request: Request, context: Context) -> Response:
    """Some of a study becomes a new one."""
    study = await resource_of(request, context)
    members = await object_body(request, context)
    listed = {Level.SERIES: members.texts("Series"), Level.INSTANCE: members.texts("Instances")}
    parameters = await split_parameters(context.services.resources, study, members.all, listed)
    return await answer_by_job(request, context, SPLIT, parameters, wish_of(members))


async def merge(request: Request, context: Context) -> Response:
    """Others become part of a study."""
    study = await resource_of(request, context)
    members = await object_body(request, context)
    if "Resources" not in members:
        raise ServerError(Reason.BAD_REQUEST, "List of strings expected in field: Resources")
    parameters = await merge_parameters(
        context.services.resources, study, members.texts("Resources"), keep_source=members.flag("KeepSource")
    )
    return await answer_by_job(request, context, MERGE, parameters, wish_of(members))


OPERATIONS: Table = (
    row("POST", "/studies/{id}/split", split, "Move series and instances to a new study", consumes=(JSON,)),
    row("POST", "/studies/{id}/merge", merge, "Move other studies, series and instances here", consumes=(JSON,)),
)
