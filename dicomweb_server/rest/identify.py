"""Which resource a path names."""

from starlette.requests import Request

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.rest.context import Context
from dicomweb_server.services.resources import Resource

LEVELS = {
    "patients": Level.PATIENT,
    "studies": Level.STUDY,
    "series": Level.SERIES,
    "instances": Level.INSTANCE,
}
"""The level of what is below a root."""


def level_of(request: Request) -> Level:
    """The level that the first segment of the path names."""
    path: str = request.scope["route"].path
    return LEVELS[path.split("/")[1]]


async def resource_of(request: Request, context: Context) -> Resource:
    """The patient, study, series or instance of /studies/{id}/…; ServerError(NOT_FOUND) if there is none."""
    return await context.services.resources.identify(level_of(request), request.scope["path_params"]["id"])
