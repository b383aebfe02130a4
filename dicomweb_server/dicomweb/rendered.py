"""Rendered images and thumbnails (PS3.18 §10.4.1.1.3): the resources are there, but nothing can render yet."""

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicomweb.context import Context, scope_of
from dicomweb_server.errors import Reason, ServerError


async def retrieve_rendered(request: Request, context: Context) -> Response:
    """406 with an explanation if there is something that could be rendered, else 404."""
    await context.services.retrieve.revision(scope_of(request))
    raise ServerError(
        Reason.NOT_ACCEPTABLE,
        "this server does not render images; retrieve the frames and show them, or the instance as application/dicom",
    )
