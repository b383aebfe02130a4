"""DELETE of a study, series or instance: an extension of DICOMweb that most archives have."""

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicomweb.context import Context, scope_of
from dicomweb_server.http.responses import Whole


async def delete(request: Request, context: Context) -> Response:
    """204 when it is gone, 404 if it was not there."""
    await context.services.delete.delete(scope_of(request))
    return Whole(status=204)
