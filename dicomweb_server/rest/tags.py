"""Data sets as JSON: of one instance, of all below a resource, of what these share, of a module."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.module_tags import is_in_module
from dicomweb_server.dicom.orthanc_json import TagFormat, formatted, parsed
from dicomweb_server.http.responses import Whole
from dicomweb_server.http.routing import Endpoint
from dicomweb_server.rest.answers import JSON, json_answer
from dicomweb_server.rest.arguments import Arguments
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.identify import LEVELS, level_of, resource_of
from dicomweb_server.rest.resource_json import form_of, tag_path
from dicomweb_server.rest.table import Table, flag, row, word
from dicomweb_server.services.resources import Described, Resource

_FORMATS = (flag("simplify", "Tags by their names"), flag("short", "Tags by their numbers"))
_UNLIMITED = word("ignore-length", "Tags whose values are told however long they are, with commas between")
_PIXEL_DATA = 0x7FE00010


def _formatter(
    arguments: Arguments, usual: TagFormat = TagFormat.FULL, only: Callable[[int], bool] | None = None
) -> Callable[[bytes], dict[str, Any]]:
    form = form_of(arguments, usual)
    unlimited = _unlimited(arguments)
    whole = arguments.flag("whole")

    def is_shown(tag: int) -> bool:
        return (whole or tag <= _PIXEL_DATA) and (only is None or only(tag))

    return lambda document: formatted(parsed(document), form, unlimited=unlimited, only=is_shown)


def _unlimited(arguments: Arguments) -> Collection[int]:
    named = arguments.text("ignore-length").split(",")
    return frozenset(tag_path(name)[0] for name in named if name.strip())


async def show_tags(request: Request, context: Context) -> Response:
    """The data set up to the pixel data, or behind it too."""
    shown = _formatter(Arguments(request.scope))
    return await _described(request, context, lambda described: shown(described.document))


async def show_simplified_tags(request: Request, context: Context) -> Response:
    """The same by names."""
    shown = _formatter(Arguments(request.scope), TagFormat.SIMPLE)
    return await _described(request, context, lambda described: shown(described.document))


async def show_module(request: Request, context: Context) -> Response:
    """Of an instance that speaks for the resource, the tags of the module of its level."""
    level = level_of(request)
    shown = _formatter(Arguments(request.scope), only=lambda tag: is_in_module(tag, level))
    return await _described(request, context, lambda described: shown(described.document))


async def show_patient_module(request: Request, context: Context) -> Response:
    """The patient's module of a study."""
    shown = _formatter(Arguments(request.scope), only=lambda tag: is_in_module(tag, Level.PATIENT))
    return await _described(request, context, lambda described: shown(described.document))


async def _described(request: Request, context: Context, convert: Callable[[Described], dict[str, Any]]) -> Response:
    resource = await resource_of(request, context)
    return Whole(await context.services.resources.describe(resource, lambda one: orjson.dumps(convert(one))), JSON)


async def show_all_tags(request: Request, context: Context) -> Response:
    """The tags of every instance below, under its identifier."""
    shown = _formatter(Arguments(request.scope))
    resource = await resource_of(request, context)

    def member(instance: Resource, document: bytes) -> bytes:
        return b'"%b":%b' % (instance.id.encode(), orjson.dumps(shown(document)))

    members = await context.services.resources.documents(resource, member)
    return Whole(b"{" + b",".join(members) + b"}", JSON)


async def show_shared_tags(request: Request, context: Context) -> Response:
    """The tags that have the same value in every instance below."""
    shown = _formatter(Arguments(request.scope))
    resource = await resource_of(request, context)
    shared: dict[str, Any] = {}
    is_first = True

    def keep(_instance: Resource, document: bytes) -> None:
        nonlocal shared, is_first
        found = shown(document)
        shared = found if is_first else _same(shared, found)
        is_first = False

    await context.services.resources.documents(resource, keep)
    return json_answer({name: value for name, value in shared.items() if not _is_left_out(value)})


def _is_left_out(value: Any) -> bool:
    """Whether nothing is known of a value: it is binary or too long."""
    return value is None or (isinstance(value, dict) and value.get("Value") is None)


def _same(shared: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shared.items() if name in found and found[name] == value}


def _row(path: str, endpoint: Endpoint[Context], summary: str, *more: Any) -> Any:
    return row("GET", path, endpoint, summary, *_FORMATS, _UNLIMITED, *more)


_WHOLE = flag("whole", "Also what follows the pixel data")
OPERATIONS: Table = (
    _row("/instances/{id}/tags", show_tags, "The tags of the instance", _WHOLE),
    _row("/instances/{id}/simplified-tags", show_simplified_tags, "The tags of the instance by their names", _WHOLE),
    *(_row(f"/{name}/{{id}}/module", show_module, "The tags of the module of this level") for name in LEVELS),
    _row("/studies/{id}/module-patient", show_patient_module, "The tags of the patient's module"),
    *(
        _row(f"/{name}/{{id}}/instances-tags", show_all_tags, "The tags of all instances below")
        for name in LEVELS
        if name != "instances"
    ),
    *(
        _row(f"/{name}/{{id}}/shared-tags", show_shared_tags, "The tags that all instances below share")
        for name in LEVELS
        if name != "instances"
    ),
)
