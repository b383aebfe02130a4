"""Attachments: the file of an instance, and files that users add to resources."""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.orthanc_json import TagFormat, formatted, parsed
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.body import chunks
from dicomweb_server.http.conditional import is_fresh, not_modified, range_applies
from dicomweb_server.http.parts import alone
from dicomweb_server.http.routing import Endpoint
from dicomweb_server.rest.answers import empty_answer, json_answer, text_answer
from dicomweb_server.rest.arguments import Arguments
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.disposition import disposition
from dicomweb_server.rest.identify import LEVELS, resource_of
from dicomweb_server.rest.names import ATTACHMENTS
from dicomweb_server.rest.revisions import expected_of, revision_tag
from dicomweb_server.rest.table import OCTETS, TEXT, Row, Table, flag, row, word
from dicomweb_server.services.contents import Content, at_hand
from dicomweb_server.services.resources import Resource

DICOM_FILE, AS_JSON, UNTIL_PIXELS = "dicom", "dicom-as-json", "dicom-until-pixel-data"
_ACTIONS = (
    *("compress", "compressed-data", "compressed-md5", "compressed-size", "data", "info", "is-compressed", "md5"),
    *("size", "uncompress", "uuid", "verify-md5"),
)


@dataclass(frozen=True, slots=True)
class _File:
    """An attachment, of whichever kind. `md5`: as it was when it came."""

    key: str
    size: int
    md5: str
    number: int
    revision: int
    content: Content

    @property
    def tag(self) -> bytes:
        return revision_tag(self.revision, self.md5)


async def list_attachments(request: Request, context: Context) -> Response:
    """Their names, or with their numbers."""
    resource = await resource_of(request, context)
    names = context.options.attachments
    keys = [DICOM_FILE] if resource.level is Level.INSTANCE else []
    keys += [attached.name for attached in await context.services.annotations.attachments(resource)]
    if Arguments(request.scope).flag("full"):
        return json_answer({names.shown(key): names.number(key) for key in keys})
    return json_answer([names.shown(key) for key in keys])


async def _file(request: Request, context: Context) -> _File:
    resource = await resource_of(request, context)
    key = context.options.attachments.key(request.scope["path_params"]["name"])
    if context.options.attachments.is_system(key):
        return await _own_file(context, resource, key)
    attached = await context.services.annotations.attachment(resource, key)
    content = context.services.annotations.content(attached)
    return _File(attached.key, attached.size, attached.md5, int(key), attached.revision, content)


async def _own_file(context: Context, resource: Resource, key: str) -> _File:
    if resource.level is not Level.INSTANCE or key == UNTIL_PIXELS:
        raise ServerError(Reason.NOT_FOUND, "the resource has no such attachment")
    instance = await context.services.resources.instance(resource.id)
    digest = await context.services.annotations.md5(instance.key)
    content = context.services.retrieve.file(instance)
    if key == AS_JSON:
        content = at_hand(await context.services.resources.describe(resource, lambda one: _as_json(one.document)))
    return _File(instance.key, content.size, digest, ATTACHMENTS[key], 0, content)


def _as_json(document: bytes) -> bytes:
    answer = json_answer(formatted(parsed(document), TagFormat.FULL))
    return bytes(answer.body)


async def show_actions(request: Request, context: Context) -> Response:
    """What can be asked of an attachment."""
    file = await _file(request, context)
    headers = [(b"etag", file.tag)]
    return not_modified(headers) if is_fresh(request.scope, file.tag) else json_answer(_ACTIONS, headers=headers)


async def retrieve_data(request: Request, context: Context) -> Response:
    """Its bytes, or a range of them."""
    file = await _file(request, context)
    headers = [(b"etag", file.tag), disposition(request.scope, file.key)]
    if is_fresh(request.scope, file.tag):
        return not_modified(headers)
    contents = context.services.retrieve.contents
    ranges = range_applies(request.scope, file.tag)
    return await alone(request.scope, contents, file.content, OCTETS.encode(), headers, ranges=ranges)


def _fact(fact: Callable[[_File], str]) -> Endpoint[Context]:
    async def show_fact(request: Request, context: Context) -> Response:
        """One fact about an attachment, as a text."""
        file = await _file(request, context)
        headers = [(b"etag", file.tag)]
        return not_modified(headers) if is_fresh(request.scope, file.tag) else text_answer(fact(file), headers=headers)

    return show_fact


async def show_info(request: Request, context: Context) -> Response:
    """All facts about an attachment."""
    file = await _file(request, context)
    facts = {
        "CompressedMD5": file.md5,
        "CompressedSize": file.size,
        "ContentType": file.number,
        "UncompressedMD5": file.md5,
        "UncompressedSize": file.size,
        "Uuid": file.key,
    }
    headers = [(b"etag", file.tag)]
    return not_modified(headers) if is_fresh(request.scope, file.tag) else json_answer(facts, headers=headers)


async def verify(request: Request, context: Context) -> Response:
    """Read it and compare its digest."""
    file = await _file(request, context)
    if await context.services.annotations.md5(file.key) != file.md5:
        raise ServerError(Reason.STORAGE_DAMAGED, "the attachment is not what it was when it came")
    return empty_answer()


async def leave_as_it_is(request: Request, context: Context) -> Response:
    """Files are stored as they came: how they rest on the disk is no matter of single ones."""
    await _file(request, context)
    return empty_answer()


async def put_attachment(request: Request, context: Context) -> Response:
    """Add or replace a file of users."""
    resource, key, known = await _users(request, context)
    expected = expected_of(request.scope, exists=key in known, is_checked=context.options.check_revisions)
    async with aclosing(chunks(request.scope, request.receive, context.options.max_request_size)) as body:
        attached = await context.services.annotations.attach(resource, key, body, expected)
    return empty_answer([(b"etag", revision_tag(attached.revision, attached.md5))])


async def delete_attachment(request: Request, context: Context) -> Response:
    """Remove a file of users."""
    resource, key, _ = await _users(request, context)
    expected = expected_of(request.scope, exists=True, is_checked=context.options.check_revisions)
    await context.services.annotations.detach(resource, key, expected)
    return text_answer("")


async def _users(request: Request, context: Context) -> tuple[Resource, str, list[str]]:
    """The resource, the key of a file of users, and the keys of those that it has."""
    resource = await resource_of(request, context)
    key = context.options.attachments.key(request.scope["path_params"]["name"])
    if context.options.attachments.is_system(key):
        raise ServerError(Reason.FORBIDDEN, "this attachment is the server's own: it can be read only")
    return resource, key, [attached.name for attached in await context.services.annotations.attachments(resource)]


_READ = {200: "What was asked for", 304: "The client has it already"}
_DATA = {200: "The bytes", 206: "A byte range of them", 304: "The client has them already"}


def _rows_of(name: str) -> list[Row]:
    root = f"/{name}/{{id}}/attachments"
    one = root + "/{name}"
    rows = [
        row("GET", root, list_attachments, "The names of the attachments", flag("full", "With their numbers")),
        row("GET", one, show_actions, "What can be asked of an attachment", success=_READ),
        row(
            "PUT",
            one,
            put_attachment,
            "Add or replace an attachment of users; If-Match names the revision that is replaced",
            consumes=(OCTETS,),
            errors=(403, 409, 503),
        ),
        row("DELETE", one, delete_attachment, "Remove an attachment of users", produces=(TEXT,), errors=(403, 409)),
        row("GET", f"{one}/info", show_info, "Sizes and digests", success=_READ),
        row("POST", f"{one}/verify-md5", verify, "Read it and compare its digest", errors=(500,)),
        row("POST", f"{one}/compress", leave_as_it_is, "Nothing: files are stored as they came"),
        row("POST", f"{one}/uncompress", leave_as_it_is, "Nothing: files are stored as they came"),
    ]
    for path in ("data", "compressed-data"):
        named = word("filename", "The name to save it under")
        said = {"produces": (OCTETS,), "success": _DATA, "errors": (416,)}
        rows.append(row("GET", f"{one}/{path}", retrieve_data, "Its bytes", named, **said))  # type: ignore[arg-type]
    for path, fact in _FACTS.items():
        rows.append(row("GET", f"{one}/{path}", _fact(fact), _SUMMARIES[path], produces=(TEXT,), success=_READ))
    return rows


_FACTS: dict[str, Callable[[_File], str]] = {
    "md5": lambda file: file.md5,
    "compressed-md5": lambda file: file.md5,
    "size": lambda file: str(file.size),
    "compressed-size": lambda file: str(file.size),
    "is-compressed": lambda file: "0",
    "uuid": lambda file: file.key,
}
_SUMMARIES = {
    "md5": "The MD5 of its bytes",
    "compressed-md5": "The MD5 of its bytes as they are stored",
    "size": "How many bytes it has",
    "compressed-size": "How many bytes of storage it takes",
    "is-compressed": "0: it is stored as it came",
    "uuid": "The name under which it is stored",
}

OPERATIONS: Table = tuple(one for name in LEVELS for one in _rows_of(name))
