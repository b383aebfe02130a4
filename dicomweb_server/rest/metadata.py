"""Metadata and labels of resources."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.spelt_document import SpeltDocument
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.conditional import is_fresh, not_modified
from dicomweb_server.rest.answers import json_answer, text_answer
from dicomweb_server.rest.arguments import Arguments
from dicomweb_server.rest.body import text_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.identify import LEVELS, resource_of
from dicomweb_server.rest.revisions import expected_of, text_tag
from dicomweb_server.rest.system_metadata import system_metadata
from dicomweb_server.rest.table import TEXT, Table, flag, row
from dicomweb_server.services.annotations import Noted
from dicomweb_server.services.resources import Resource

_TEXT_TYPE = (b"content-type", b"text/plain")


async def list_metadata(request: Request, context: Context) -> Response:
    """The names, or with their values or numbers."""
    arguments = Arguments(request.scope)
    found = await _all(context, await resource_of(request, context))
    names = context.options.metadata
    if arguments.flag("numeric"):
        numbers = {str(names.number(key)): noted.value for key, noted in found.items()}
        return json_answer(numbers if arguments.flag("expand") else [int(number) for number in numbers])
    shown = {names.shown(key): noted.value for key, noted in found.items()}
    return json_answer(shown if arguments.flag("expand") else list(shown))


async def show_metadata(request: Request, context: Context) -> Response:
    """One value."""
    resource = await resource_of(request, context)
    noted = (await _all(context, resource)).get(context.options.metadata.key(_name(request)))
    if noted is None:
        raise ServerError(Reason.NOT_FOUND, "the resource has no such metadata")
    headers = [(b"etag", text_tag(noted.revision, noted.value))]
    return (
        not_modified(headers) if is_fresh(request.scope, headers[0][1]) else text_answer(noted.value, headers=headers)
    )


async def put_metadata(request: Request, context: Context) -> Response:
    """Give or change a value."""
    value = await text_body(request)
    resource = await resource_of(request, context)
    key = _users_key(request, context)
    known = await context.services.annotations.metadata(resource)
    expected = expected_of(request.scope, exists=key in known, is_checked=context.options.check_revisions)
    revision = await context.services.annotations.put_metadata(resource, key, value, expected)
    return text_answer("", headers=[(b"etag", text_tag(revision, value))])


async def delete_metadata(request: Request, context: Context) -> Response:
    """Take a value away."""
    resource = await resource_of(request, context)
    key = _users_key(request, context)
    expected = expected_of(request.scope, exists=True, is_checked=context.options.check_revisions)
    await context.services.annotations.remove_metadata(resource, key, expected)
    return text_answer("")


def _name(request: Request) -> str:
    name: str = request.scope["path_params"]["name"]
    return name


def _users_key(request: Request, context: Context) -> str:
    names = context.options.metadata
    key = names.key(_name(request))
    if names.is_system(key):
        raise ServerError(Reason.FORBIDDEN, "this metadata is the server's own: it can be read only")
    return key


async def _all(context: Context, resource: Resource) -> Mapping[str, Noted]:
    """What the server knows, and what was given."""
    own = await context.services.resources.describe(
        resource, lambda described: system_metadata(described, SpeltDocument(described.load))
    )
    given = await context.services.annotations.metadata(resource)
    return {name: Noted(value, 0) for name, value in own.items()} | dict(given)


async def list_labels(request: Request, context: Context) -> Response:
    """The labels of a resource."""
    return json_answer(await context.services.annotations.labels(await resource_of(request, context)))


async def show_label(request: Request, context: Context) -> Response:
    """Nothing, if the resource has the label."""
    resource = await resource_of(request, context)
    if request.scope["path_params"]["label"] not in await context.services.annotations.labels(resource):
        raise ServerError(Reason.NOT_FOUND, "the resource has no such label")
    return text_answer("")


async def put_label(request: Request, context: Context) -> Response:
    """Add a label."""
    resource = await resource_of(request, context)
    await context.services.annotations.put_label(resource, request.scope["path_params"]["label"])
    return text_answer("")


async def delete_label(request: Request, context: Context) -> Response:
    """Remove a label."""
    resource = await resource_of(request, context)
    await context.services.annotations.remove_label(resource, request.scope["path_params"]["label"])
    return text_answer("")


async def list_all_labels(request: Request, context: Context) -> Response:
    """All labels in use."""
    return json_answer(await context.services.annotations.all_labels())


_METADATA, _LABELS = "/{id}/metadata", "/{id}/labels"
_ONE, _ONE_LABEL = _METADATA + "/{name}", _LABELS + "/{label}"
_READ = {200: "The value", 304: "The client has it already"}


def _rows_of(root: str) -> Table:
    expanded = (flag("expand", "With their values"), flag("numeric", "By their numbers"))
    return (
        row("GET", root + _METADATA, list_metadata, "The names of the metadata", *expanded),
        row("GET", root + _ONE, show_metadata, "A value of the metadata", produces=(TEXT,), success=_READ),
        row(
            "PUT",
            root + _ONE,
            put_metadata,
            "Set metadata of users; If-Match names the revision that is changed",
            produces=(TEXT,),
            consumes=(TEXT,),
            errors=(403, 409),
        ),
        row("DELETE", root + _ONE, delete_metadata, "Remove metadata of users", produces=(TEXT,), errors=(403, 409)),
        row("GET", root + _LABELS, list_labels, "The labels"),
        row("GET", root + _ONE_LABEL, show_label, "Whether there is such a label", produces=(TEXT,)),
        row("PUT", root + _ONE_LABEL, put_label, "Add a label", produces=(TEXT,)),
        row("DELETE", root + _ONE_LABEL, delete_label, "Remove a label", produces=(TEXT,)),
    )


OPERATIONS: Table = (
    *(one for name in LEVELS for one in _rows_of(f"/{name}")),
    row("GET", "/tools/labels", list_all_labels, "All labels in use"),
)
