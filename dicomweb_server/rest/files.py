"""The file of an instance, its file meta information, and raw values of its data set."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.frames import FrameIndex
from dicomweb_server.dicom.orthanc_json import TagFormat, numbered, parsed
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.conditional import entity_tag, is_fresh, not_modified, range_applies
from dicomweb_server.http.parts import alone
from dicomweb_server.http.responses import Whole
from dicomweb_server.rest.answers import json_answer
from dicomweb_server.rest.arguments import Arguments
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.disposition import disposition
from dicomweb_server.rest.file_meta import file_meta_json
from dicomweb_server.rest.identify import resource_of
from dicomweb_server.rest.resource_json import form_of, tag_path
from dicomweb_server.rest.table import DICOM, JSON, OCTETS, Table, flag, row, word
from dicomweb_server.rest.transcoding import TRANSCODING_PARAMETERS, transcoding_by_arguments

_PIXEL_DATA = 0x7FE00010


async def retrieve_file(request: Request, context: Context) -> Response:
    """The file as it is stored or in another transfer syntax, or byte ranges of it."""
    scope, public_id = request.scope, request.scope["path_params"]["id"]
    instance = context.services.resources.peek_instance(public_id)
    instance = instance or await context.services.resources.instance(public_id)
    transcoding, wish = context.services.transcoding, transcoding_by_arguments(Arguments(scope))
    variant = transcoding.variant(wish.transfer_syntax_uid, wish.quality) if wish else ""
    tag = entity_tag(instance.digest.hex()[:32], variant)
    headers = [(b"etag", tag), (b"cache-control", b"private, no-cache"), disposition(scope, f"{public_id}.dcm")]
    if is_fresh(scope, tag):
        return not_modified(headers)
    retrieve = context.services.retrieve
    ranges = range_applies(scope, tag)
    content = retrieve.file(instance)
    if wish is not None:
        made = transcoding.file(instance, wish.transfer_syntax_uid, wish.quality)
        content = await retrieve.contents.settled(made)
    return await alone(scope, retrieve.contents, content, DICOM.encode(), headers, ranges=ranges)


async def show_file_meta(request: Request, context: Context) -> Response:
    """The elements of group 0002."""
    arguments = Arguments(request.scope)
    instance = await context.services.resources.instance(request.scope["path_params"]["id"])
    elements = await context.services.retrieve.file_meta(instance)
    return json_answer(file_meta_json(elements, form_of(arguments, TagFormat.FULL)))


async def list_content(request: Request, context: Context) -> Response:
    """The tags of the data set, for `content/`."""
    resource = await resource_of(request, context)
    document = await context.services.resources.describe(resource, lambda described: parsed(described.document))
    return json_answer([numbered(int(key, 16), "-") for key in document])


async def show_content(request: Request, context: Context) -> Response:
    """A value as it is in the file; of a sequence the numbers of its items, of an item its tags."""
    steps = request.scope["path_params"]["path"].strip("/").split("/")
    path = _content_path(steps)
    resource = await resource_of(request, context)
    document = await context.services.resources.describe(resource, lambda described: parsed(described.document))
    found = _walk(document, path)
    if isinstance(found, list):
        return json_answer([str(position) for position in range(len(found))])
    if found is not None:
        return json_answer([numbered(int(key, 16), "-") for key in found])
    return await _value(request, context, path)


async def _value(request: Request, context: Context, path: Sequence[int]) -> Response:
    instance = await context.services.resources.instance(request.scope["path_params"]["id"])
    if path[0] == _PIXEL_DATA:
        frames = FrameIndex.unpack(instance.frames)
        if len(path) == 2:
            content = await context.services.retrieve.contents.read(
                context.services.retrieve.frame(instance, frames, path[1])
            )
            return Whole(content, OCTETS.encode())
        if frames.count:
            return json_answer([str(number) for number in range(frames.count)])
    value, _ = await context.services.retrieve.stored_value(instance, path)
    return Whole(value, OCTETS.encode())


def _content_path(steps: Sequence[str]) -> tuple[int, ...]:
    """Tags, and between them numbers of items, which are counted from 1 within and from 0 in the path."""
    path: list[int] = []
    for position, step in enumerate(steps):
        if position % 2 == 0:
            path += tag_path(step)[:1]
        elif step.isascii() and step.isdigit() and len(step) < 9:
            path.append(int(step) + 1)
        else:
            raise ServerError(Reason.BAD_REQUEST, "after a sequence the number of an item is expected, from 0")
    return tuple(path)


def _walk(document: Mapping[str, Any], path: Sequence[int]) -> Mapping[str, Any] | list[Any] | None:
    """The item or the list of items at a path; None for a value. ServerError(NOT_FOUND) if nothing is there."""
    found: Any = document
    for position, step in enumerate(path):
        if position % 2:
            if path[0] == _PIXEL_DATA:
                return None
            if not isinstance(found, list) or step > len(found):
                raise ServerError(Reason.NOT_FOUND, "the instance has no such item")
            found = found[step - 1]
            continue
        element = found.get(f"{step:08X}")
        if element is None:
            raise ServerError(Reason.NOT_FOUND, "the instance has no such attribute")
        found = element.get("Value", []) if element["vr"] == "SQ" else None
    walked: Mapping[str, Any] | list[Any] | None = found
    return walked


_INSTANCE = "/instances/{id}"
OPERATIONS: Table = (
    row(
        "GET",
        f"{_INSTANCE}/file",
        retrieve_file,
        "The DICOM file",
        word("filename", "The name to save it under"),
        *TRANSCODING_PARAMETERS,
        produces=(DICOM,),
        success={200: "The file", 206: "A byte range of it", 304: "The client has it already"},
        errors=(406, 416),
    ),
    row(
        "GET",
        f"{_INSTANCE}/header",
        show_file_meta,
        "The file meta information (group 0002)",
        flag("short", "Tags by their numbers"),
        flag("simplify", "Tags by their names"),
    ),
    row("GET", f"{_INSTANCE}/content", list_content, "The tags of the data set"),
    row(
        "GET",
        f"{_INSTANCE}/content/{{path:path}}",
        show_content,
        "A value as it is in the file; of a sequence the numbers of its items from 0, of an item its tags",
        produces=(OCTETS, JSON),
    ),
)
