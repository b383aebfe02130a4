"""One data set as the body of a request or an answer: DICOM JSON or XML, alone or as a part (PS3.18 §8.7.3.2)."""

import asyncio
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.dicom_xml import from_xml, to_xml
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.body import chunks
from dicomweb_server.http.headers import header
from dicomweb_server.http.responses import HeaderList, Whole
from dicomweb_server.wire import multipart
from dicomweb_server.wire.media_types import (
    DICOM_JSON,
    DICOM_XML,
    JSON,
    RELATED,
    MediaType,
    Offer,
    parse_media_type,
)

DATA_SET_TYPES = {DICOM_JSON: DICOM_JSON, JSON: DICOM_JSON, DICOM_XML: DICOM_XML}
# The default first, then what the tables of chapters 13 to 15 require.
OFFERS = (Offer(DICOM_JSON), Offer(DICOM_XML), Offer(DICOM_JSON, multipart=True), Offer(DICOM_XML, multipart=True))
ACCEPTED = (DICOM_JSON, DICOM_XML, f'{RELATED}; type="{DICOM_JSON}"', f'{RELATED}; type="{DICOM_XML}"')
_BOUNDARY = "data-set"
_LIMITS = multipart.Limits(parts=1)

Document = dict[str, Any]


def documents(text: bytes, kind: str, what: str) -> list[Document]:
    """The data sets in a text of a kind of `DATA_SET_TYPES`; ServerError(BAD_REQUEST, CANNOT_UNDERSTAND)."""
    if kind == DICOM_XML:
        return [from_xml(text)]
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ServerError(Reason.BAD_REQUEST, f"not JSON, at position {error.pos} of {what}") from None
    listed = found if isinstance(found, list) else [found]
    if not listed or not all(isinstance(one, dict) for one in listed):
        raise ServerError(Reason.BAD_REQUEST, f"expected an array of DICOM JSON objects in {what}")
    return listed


async def received_data_set(request: Request, limit: int) -> Document:
    """The one data set of a body of at most `limit` bytes; ServerError if it is anything else."""
    content_type = header(request.scope, b"content-type")
    if content_type is None:
        raise _unsupported("(none)")
    media_type = parse_media_type(content_type)
    text = b"".join([chunk async for chunk in chunks(request.scope, request.receive, limit)])
    if media_type.name == RELATED:
        media_type, text = _only_part(text, media_type)
    kind = DATA_SET_TYPES.get(media_type.name)
    if kind is None:
        raise _unsupported(media_type.name)
    found = await asyncio.to_thread(documents, text, kind, "the body")
    if len(found) > 1:
        raise ServerError(Reason.BAD_REQUEST, f"expected one data set in the body, there are {len(found)}")
    return found[0]


def has_body(request: Request) -> bool:
    """Whether the request has one, as its header says (RFC 9112 §6.3)."""
    length = header(request.scope, b"content-length")
    return header(request.scope, b"transfer-encoding") is not None or length not in (None, "0")


def data_set(document: Document, offer: Offer, *, status: int = 200, headers: HeaderList = ()) -> Response:
    """An answer that is a data set."""
    body = orjson.dumps(document) if offer.media_type == DICOM_JSON else to_xml(document)
    return one_body(body, offer, _BOUNDARY, status=status, headers=headers)


def one_body(body: bytes, offer: Offer, boundary: str, *, status: int = 200, headers: HeaderList = ()) -> Response:
    """An answer that is this, or has it as its only part."""
    if offer.multipart:
        marker = boundary.encode("ascii")
        head = multipart.part_head(marker, ((b"Content-Type", offer.part_type().encode("ascii")),))
        body = head + body + multipart.PART_TAIL + multipart.closing(marker)
    return Whole(body, offer.content_type(boundary).encode("ascii"), status=status, headers=headers)


def _only_part(body: bytes, media_type: MediaType) -> tuple[MediaType, bytes]:
    """The part of a multipart body, and its media type."""
    reader = multipart.Reader(media_type.parameters.get("boundary", ""), _LIMITS)
    kind, content = MediaType(media_type.parameters.get("type", "").lower()), bytearray()
    has_part = False
    for event in reader.feed(body):
        if isinstance(event, multipart.PartBegin):
            has_part = True
            if "content-type" in event.headers:
                kind = parse_media_type(event.headers["content-type"])
        elif isinstance(event, multipart.PartData):
            content += event.data
    reader.finish()
    if not has_part:
        raise ServerError(Reason.BAD_REQUEST, "the body of the request has no parts")
    return kind, bytes(content)


def _unsupported(name: str) -> ServerError:
    return ServerError(
        Reason.UNSUPPORTED_MEDIA_TYPE,
        f"Content-Type {name[:100]} is not understood here; accepted are {', '.join(ACCEPTED)}",
    )
