"""DELETE of resources, one or many."""

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.rest.answers import empty_answer, json_answer
from dicomweb_server.rest.body import object_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.identify import resource_of
from dicomweb_server.rest.resource_json import NAMES, path_of
from dicomweb_server.rest.table import JSON, Table, row
from dicomweb_server.services.resources import Resource


async def delete_resource(request: Request, context: Context) -> Response:
    """What is left above it is told."""
    resource = await resource_of(request, context)
    await _delete(context, resource)
    left = await context.services.resources.remaining_ancestor(resource)
    shown = left and {"ID": left.id, "Path": path_of(left.level, left.id), "Type": NAMES[left.level]}
    return json_answer({"RemainingAncestor": shown})


async def delete_many(request: Request, context: Context) -> Response:
    """Those that are not there are passed over, as they may be below one that was deleted before."""
    listed = (await object_body(request, context)).texts("Resources")
    for public_id in listed:
        resource = await context.services.resources.find_any(public_id)
        if resource is not None:
            await _delete(context, resource)
    return empty_answer()


async def _delete(context: Context, resource: Resource) -> None:
    scopes = await context.services.resources.scopes(resource)
    await context.services.delete.delete_all(scopes)


OPERATIONS: Table = (
    row(
        "POST",
        "/tools/bulk-delete",
        delete_many,
        "Delete patients, studies, series and instances by their identifiers (Resources)",
        consumes=(JSON,),
    ),
)
