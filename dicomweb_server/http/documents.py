"""Sets of DICOM JSON objects as an answer: one JSON array, or each a part in JSON or XML; compressed if asked.

The objects hold the byte 0x01 where the URL of the service belongs; it is put in here, once for many objects.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Scope

from dicomweb_server.dicom.dicom_xml import to_xml
from dicomweb_server.http.compression import MIN_SIZE, chosen_coding, compressed, compressor
from dicomweb_server.http.responses import HeaderList, Pieces, Whole
from dicomweb_server.http.warning import warning
from dicomweb_server.wire import multipart
from dicomweb_server.wire.media_types import DICOM_JSON, DICOM_XML, Offer

JSON_OFFER = Offer(DICOM_JSON)
XML_OFFER = Offer(DICOM_XML, multipart=True)
OFFERS = (JSON_OFFER, XML_OFFER)

VARY = b"Accept, Accept-Encoding"
PLACE_OF_ROOT = b"\1"

# Our XML and JSON have no bare carriage return, so no line of them begins like a delimiter.
_BOUNDARIES = {DICOM_XML: "native-dicom-model", DICOM_JSON: "dicom-json-model"}
# An answer up to this size is put together, so that its length is known; a larger one is streamed.
_WHOLE_SIZE = 32 << 20

Objects = Sequence[bytes]


def coding_for(scope: Scope, *, compression: bool) -> str | None:
    """The content coding that the client prefers, None for none or if `compression` is off."""
    return chosen_coding(scope) if compression else None


async def whole_document(
    objects: Objects, offer: Offer, root: str, headers: HeaderList, coding: str | None, *, status: int = 200
) -> Response:
    """An answer with these objects and no others."""

    async def once() -> AsyncIterator[Objects]:
        yield objects

    return await document(once(), offer, root, headers, coding, status=status)


async def document(
    batches: AsyncIterator[Objects],
    offer: Offer,
    root: str,
    headers: HeaderList,
    coding: str | None,
    *,
    status: int = 200,
) -> Response:
    """An answer with the objects of all batches; empty ones are of damaged instances, left out with a warning (206)."""
    sound = _Sound(batches)
    encoded = _json(sound, root) if offer == JSON_OFFER else _parts(sound, root, offer.media_type)
    content_type = offer.content_type(_BOUNDARIES[offer.media_type]).encode("ascii")
    pieces: list[bytes] = []
    size = 0
    streamed = False
    async for piece in encoded:
        pieces.append(piece)
        size += len(piece)
        if size > _WHOLE_SIZE:
            streamed = True
            break
    if sound.damaged:
        status, headers = 206, [*headers, warning(root, f"{sound.damaged} instances are damaged and left out")]
    if coding is not None and size >= MIN_SIZE:
        headers = [*headers, (b"content-encoding", coding.encode("ascii"))]
    else:
        coding = None
    if streamed:
        rest = _chained(pieces, encoded)
        return Pieces(_coded(rest, coding) if coding else rest, content_type, status=status, headers=headers)
    body = b"".join(pieces) if len(pieces) != 1 else pieces[0]
    if coding is not None:
        body = await asyncio.to_thread(compressed, body, coding)
    return Whole(body, content_type, status=status, headers=headers)


class _Sound:
    """The objects that are not empty, in their batches, and how many are."""

    def __init__(self, batches: AsyncIterator[Objects]) -> None:
        self.damaged = 0
        self._batches = batches

    async def __aiter__(self) -> AsyncIterator[Objects]:
        async for batch in self._batches:
            if b"" in batch:
                sound = [one for one in batch if one]
                self.damaged += len(batch) - len(sound)
                batch = sound
            if batch:
                yield batch


async def _json(batches: _Sound, root: str) -> AsyncIterator[bytes]:
    place = root.encode("latin-1")
    opening = b"["
    async for batch in batches:
        yield b"".join((opening, b",".join(batch).replace(PLACE_OF_ROOT, place)))
        opening = b","
    yield b"[]" if opening == b"[" else b"]"


async def _parts(batches: _Sound, root: str, media_type: str) -> AsyncIterator[bytes]:
    marker = _BOUNDARIES[media_type].encode("ascii")
    head = multipart.part_head(marker, ((b"Content-Type", media_type.encode("ascii")),))
    model = to_xml if media_type == DICOM_XML else orjson.dumps
    async for batch in batches:
        # Milliseconds each: other requests must not wait for them.
        yield await asyncio.to_thread(_encoded_parts, batch, root.encode("latin-1"), head, model)
    yield multipart.closing(marker)


def _encoded_parts(
    batch: Iterable[bytes], root: bytes, head: bytes, model: Callable[[Mapping[str, Any]], bytes]
) -> bytes:
    models = (model(orjson.loads(one.replace(PLACE_OF_ROOT, root))) for one in batch)
    return b"".join(chain.from_iterable((head, model, multipart.PART_TAIL) for model in models))


async def _chained(first: Sequence[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for piece in first:
        yield piece
    async for piece in rest:
        yield piece


async def _coded(pieces: AsyncIterator[bytes], coding: str) -> AsyncIterator[bytes]:
    stream = compressor(coding)
    async for piece in pieces:
        coded = await asyncio.to_thread(stream.compress, piece)
        if coded:
            yield coded
    yield stream.flush()
