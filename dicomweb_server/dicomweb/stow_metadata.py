"""STOW-RS of metadata (dicom+json or dicom+xml) with bulk data in parts of their own (PS3.18 §10.5.2)."""

import asyncio
import mmap
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from dicomweb_server.dicom.compose import BulkPart, compose
from dicomweb_server.dicom.uids import is_valid_uid
from dicomweb_server.dicomweb.data_sets import DATA_SET_TYPES, documents
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.intake import Intake
from dicomweb_server.services.ingest import Staged, StagingFile
from dicomweb_server.wire import multipart
from dicomweb_server.wire.media_types import OCTET_STREAM, MediaType, parse_media_type

MAX_METADATA = 64 << 20
MAX_BULK_PARTS = 10_000
_STEP = 1 << 20


@dataclass(slots=True)
class _Received:
    """What came: data sets as DICOM JSON, and spooled bulk data under their locations."""

    documents: list[Any] = field(default_factory=list)
    bulk: dict[str, list[tuple[MediaType, Staged]]] = field(default_factory=dict)
    metadata_size: int = 0
    bulk_count: int = 0


async def store_metadata(body: AsyncIterator[bytes], intake: Intake, media_type: MediaType) -> None:
    """Receive all parts, then compose and store each data set."""
    received = _Received()
    async with AsyncExitStack() as spools:
        await _receive(body, intake, media_type, received, spools)
        if not received.documents:
            raise ServerError(Reason.BAD_REQUEST, "the body of the request has no metadata")
        bulk = {location: [_bulk_part(*one) for one in parts] for location, parts in received.bulk.items()}
        for document in received.documents:
            await _store_document(document, bulk, intake)


async def _receive(
    body: AsyncIterator[bytes], intake: Intake, media_type: MediaType, received: _Received, spools: AsyncExitStack
) -> None:
    reader = multipart.Reader(media_type.parameters.get("boundary", ""))
    default = media_type.parameters["type"].lower()
    part: _MetadataPart | _BulkDataPart | None = None
    async for chunk in body:
        for event in reader.feed(chunk):
            if isinstance(event, multipart.PartBegin):
                part = _begin(event.headers, default, intake, received, spools)
            elif isinstance(event, multipart.PartData) and part is not None:
                await part.write(event.data)
            elif isinstance(event, multipart.PartEnd) and part is not None:
                await part.end()
    reader.finish()


def _begin(
    fields: Mapping[str, str], default: str, intake: Intake, received: _Received, spools: AsyncExitStack
) -> "_MetadataPart | _BulkDataPart":
    """A part with a location is bulk data, one without is metadata."""
    location = fields.get("content-location", "").strip()
    if location:
        received.bulk_count += 1
        if received.bulk_count > MAX_BULK_PARTS:
            raise ServerError(Reason.TOO_LARGE, f"more than {MAX_BULK_PARTS} parts of bulk data")
        spool = intake.spool()
        spools.push_async_callback(spool.discard)
        return _BulkDataPart(received, location, parse_media_type(fields.get("content-type", OCTET_STREAM)), spool)
    media_type = parse_media_type(fields.get("content-type", default)).name
    kind = DATA_SET_TYPES.get(media_type)
    if kind != default:
        problem = f"a part of type {media_type[:100]} without Content-Location is neither {default} nor bulk data"
        raise ServerError(Reason.UNSUPPORTED_MEDIA_TYPE, problem)
    return _MetadataPart(received, kind)


class _MetadataPart:
    """Metadata while it arrives."""

    def __init__(self, received: _Received, kind: str) -> None:
        self._received = received
        self._kind = kind
        self._text = bytearray()

    async def write(self, data: memoryview) -> None:
        self._received.metadata_size += len(data)
        if self._received.metadata_size > MAX_METADATA:
            raise ServerError(Reason.TOO_LARGE, f"the metadata exceeds {MAX_METADATA} bytes")
        self._text += data

    async def end(self) -> None:
        self._received.documents += await asyncio.to_thread(documents, bytes(self._text), self._kind, "the metadata")


class _BulkDataPart:
    """Bulk data while they arrive."""

    def __init__(self, received: _Received, location: str, media_type: MediaType, spool: StagingFile) -> None:
        self._received = received
        self._location = location
        self._media_type = media_type
        self._spool = spool

    async def write(self, data: memoryview) -> None:
        await self._spool.write(data)

    async def end(self) -> None:
        parts = self._received.bulk.setdefault(self._location, [])
        parts.append((self._media_type, await self._spool.finish()))


def _bulk_part(media_type: MediaType, staged: Staged) -> BulkPart:
    syntax = media_type.parameters.get("transfer-syntax", "")
    if staged.path is None or staged.size == 0:
        return BulkPart(media_type.name, staged.data or b"", syntax)
    with staged.path.open("rb") as file:
        # The map lives as long as views of it do.
        return BulkPart(media_type.name, memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)), syntax)


async def _store_document(document: Any, bulk: Mapping[str, list[BulkPart]], intake: Intake) -> None:
    try:
        pieces = await asyncio.to_thread(compose, document, bulk)
    except ServerError as error:
        uids = {"instance_uid": _text(document, "00080018"), "sop_class_uid": _text(document, "00080016")}
        await intake.refuse(error.reason, error.detail, **uids)
        return
    intake.begin()
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), _STEP):
            await intake.write(view[start : start + _STEP])
    await intake.end()


def _text(document: Any, tag: str) -> str:
    """A UID of a data set that could not be composed, "" if there is none to be shown."""
    attribute = document.get(tag)
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    value = values[0] if isinstance(values, list) and values else None
    return value if isinstance(value, str) and is_valid_uid(value) else ""
