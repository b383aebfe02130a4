"""Reconstruction of what the index says of files, and the slices of a series in their order in space."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.orthanc_json import tag_text
from dicomweb_server.dicom.spelt_document import SpeltDocument
from dicomweb_server.rest.answers import json_answer, text_answer
from dicomweb_server.rest.body import optional_object_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.identify import LEVELS, resource_of
from dicomweb_server.rest.table import JSON, TEXT, Table, row
from dicomweb_server.services.resources import Resource

_POSITION, _ORIENTATION, _NUMBER, _FRAMES = "00200032", "00200037", "00200013", "00280008"
_FLAGS = ("ReconstructFiles", "LimitToThisLevelMainDicomTags")


async def reconstruct(request: Request, context: Context) -> Response:
    """Read the files of a resource again."""
    await _check(request, context)
    resource = await resource_of(request, context)
    await context.services.reconstruct.reconstruct(await context.services.resources.instances(resource))
    return text_answer("")


async def reconstruct_all(request: Request, context: Context) -> Response:
    """Read all files again; answered when that is done."""
    await _check(request, context)
    await context.services.reconstruct.reconstruct_all()
    return text_answer("")


async def _check(request: Request, context: Context) -> None:
    body = await optional_object_body(request, context)
    for name in _FLAGS:
        body.flag(name)


async def ordered_slices(request: Request, context: Context) -> Response:
    """By their place along the normal of their plane; by their numbers, where there is none."""
    resource = await resource_of(request, context)
    slices = sorted(await context.services.resources.documents(resource, _slice), key=lambda one: one[1:])
    is_volume = len(slices) > 1 and all(one[1] == 0 for one in slices)
    return json_answer(
        {
            "Dicom": [f"/instances/{one[0]}/file" for one in slices],
            "Slices": [f"/instances/{one[0]}/frames/{frame}" for one in slices for frame in range(one[3])],
            "SlicesShort": [[one[0], 0, one[3]] for one in slices],
            "Type": "Volume" if is_volume else "Sequence",
        }
    )


def _slice(instance: Resource, document: bytes) -> tuple[str, int, float, int]:
    """Identifier, whether its place is unknown, its place or number, how many frames it has."""
    found = SpeltDocument(lambda: document)
    frames = int((_numbers(found.get(_FRAMES)) or [1])[0])
    position, axes = _numbers(found.get(_POSITION)), _numbers(found.get(_ORIENTATION))
    if len(position) == 3 and len(axes) == 6:
        return instance.id, 0, _along_normal(position, axes), frames
    return instance.id, 1, (_numbers(found.get(_NUMBER)) or [0.0])[0], frames


def _along_normal(position: Sequence[float], axes: Sequence[float]) -> float:
    a, b = axes[:3], axes[3:]
    normal = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    return sum(one * other for one, other in zip(position, normal, strict=True))


def _numbers(element: Mapping[str, Any] | None) -> list[float]:
    text = tag_text(element) if element else None
    try:
        return [float(part) for part in text.split("\\")] if text else []
    except ValueError:
        return []


_SUMMARY = "Read the files below again, and write anew what the index says of them"
OPERATIONS: Table = (
    *(
        row("POST", path, endpoint, summary, produces=(TEXT,), consumes=(JSON,), may_be_empty=True)
        for path, endpoint, summary in (
            *((f"/{name}/{{id}}/reconstruct", reconstruct, _SUMMARY) for name in LEVELS),
            ("/tools/reconstruct", reconstruct_all, "Read all files again; answered when that is done"),
        )
    ),
    row("GET", "/series/{id}/ordered-slices", ordered_slices, "The slices in their order in space (deprecated)"),
)
