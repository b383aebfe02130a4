"""Lists of resources as answers: of identifiers, or of what is shown of each, written piece by piece."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import orjson
from starlette.responses import Response

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.http.responses import Buffer, Pieces, Whole
from dicomweb_server.rest.answers import JSON
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.outlines import as_outline, groups_of
from dicomweb_server.rest.resource_json import Shown, shown_resource
from dicomweb_server.services.resources import Described, ResourceService

# Up to this number the answer is made whole.
_FEW = 200
_IDS = 20_000


async def list_answer(context: Context, level: Level, rows: Sequence[int], shown: Shown | None) -> Response:
    """Rows as identifiers, or if something is `shown` of them, that."""
    resources = context.services.resources
    if shown is None:
        if len(rows) <= _IDS:
            return Whole(orjson.dumps(list(await resources.ids(level, rows))), JSON)
        return Pieces(_array(_ids(resources, level, rows)), JSON)
    groups = groups_of(resources, level, shown)
    if groups:
        batches = resources.outline_all(level, rows, groups, as_outline(level, shown))
    else:
        batches = resources.describe_all(level, rows, as_json(shown))
    if len(rows) <= _FEW:
        return Whole(b"".join([bytes(piece) async for piece in _array(batches)]), JSON)
    return Pieces(_array(batches), JSON)


def as_json(shown: Shown) -> Callable[[Described], bytes]:
    """Makes JSON of a resource where it is read."""
    return lambda described: orjson.dumps(shown_resource(described, shown))


async def _ids(resources: ResourceService, level: Level, rows: Sequence[int]) -> AsyncIterator[Sequence[bytes]]:
    for start in range(0, len(rows), _IDS):
        found: Sequence[Any] = await resources.ids(level, rows[start : start + _IDS])
        yield [orjson.dumps(one) for one in found]


async def _array(batches: AsyncIterator[Sequence[bytes]]) -> AsyncIterator[Buffer]:
    """JSON values as one array."""
    start = b"["
    async for batch in batches:
        if batch:
            yield start + b",".join(batch)
            start = b","
    yield b"[]" if start == b"[" else b"]"
