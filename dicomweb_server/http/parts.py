"""Bodies made of contents: one alone with its byte ranges, or several as the parts of a multipart body."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Scope

from dicomweb_server.errors import ServerError
from dicomweb_server.http.errors import AnswerError
from dicomweb_server.http.headers import header
from dicomweb_server.http.responses import Buffer, HeaderList, Pieces, Whole
from dicomweb_server.services.contents import Content, ContentReader
from dicomweb_server.wire import multipart
from dicomweb_server.wire.byte_ranges import ByteRange, parse_range

# Up to this size a body is put together in memory and sent at once.
_WHOLE_SIZE = 256 << 10
_ACCEPT_RANGES = (b"accept-ranges", b"bytes")


@dataclass(frozen=True, slots=True)
class Part:
    """One content, and the fields of its header as a part."""

    content: Content
    fields: HeaderList


async def alone(
    scope: Scope, reader: ContentReader, content: Content, content_type: bytes, headers: HeaderList, *, ranges: bool
) -> Response:
    """A content as the whole body, or the byte ranges of it that the request asks for, if `ranges` says they apply."""
    headers = [*headers, _ACCEPT_RANGES]
    content = await reader.settled(content)
    wanted = _wanted(scope, content.size) if ranges else ()
    if len(wanted) > 1:
        return _byte_ranges(scope, reader, content, content_type, headers, wanted)
    if wanted:
        headers.append((b"content-range", wanted[0].content_range(content.size).encode()))
        content = content.part(wanted[0].offset, wanted[0].length)
    status = 206 if wanted else 200
    if content.size > _WHOLE_SIZE or scope["method"] == "HEAD":
        return Pieces(reader.stream(content), content_type, length=content.size, status=status, headers=headers)
    return Whole(await reader.read(content), content_type, status=status, headers=headers)


async def related(
    scope: Scope,
    reader: ContentReader,
    parts: Sequence[Part],
    media_type: str,
    boundary: str,
    headers: HeaderList,
    *,
    ranges: bool = False,
    status: int = 200,
) -> Response:
    """Contents as a multipart/related body, or one byte range of it, if `ranges` says that they apply.

    The range is one of the body with its delimiters, as RFC 9110 §14.2 means it: viewers put ranges together.
    """
    content_type = f'multipart/related; type="{media_type}"; boundary={boundary}'.encode("latin-1")
    marker = boundary.encode("ascii")
    if ranges:
        headers = [*headers, _ACCEPT_RANGES]
    if len(parts) == 1:
        parts = (Part(await reader.settled(parts[0].content), parts[0].fields),)
    if ranges and header(scope, b"range") is not None and all(part.content.exact for part in parts):
        items = list(_items([multipart.part_head(marker, part.fields) for part in parts], parts, marker))
        wanted = _wanted(scope, sum(_length(item) for item in items))
        if len(wanted) == 1:
            return _piece_of_body(reader, items, wanted[0], content_type, headers)
    return await _multipart(scope, reader, parts, content_type, marker, headers, status)


async def related_value(
    scope: Scope,
    reader: ContentReader,
    part: Part,
    media_type: str,
    boundary: str,
    headers: HeaderList,
    *,
    ranges: bool,
) -> Response:
    """A content as a multipart/related body of one part; a byte range of it, if `ranges`, is a part of its own.

    Not what RFC 9110 §14.2 says, but what clients of bulk data read (dicomweb-client is one): a whole multipart body.
    """
    content_type = f'multipart/related; type="{media_type}"; boundary={boundary}'.encode("latin-1")
    part, status = Part(await reader.settled(part.content), part.fields), 200
    wanted = _wanted(scope, part.content.size) if ranges else ()
    if len(wanted) == 1:
        part, status = _ranged(part, wanted[0]), 206
    return await _multipart(scope, reader, (part,), content_type, boundary.encode("ascii"), headers, status)


def related_stream(
    reader: ContentReader,
    first: Part,
    rest: AsyncIterator[Part],
    media_type: str,
    boundary: str,
    headers: HeaderList,
    *,
    status: int = 200,
) -> Response:
    """Contents as a multipart/related body whose parts are found while it is sent."""
    content_type = f'multipart/related; type="{media_type}"; boundary={boundary}'.encode("latin-1")
    return Pieces(_found(reader, first, rest, boundary.encode("ascii")), content_type, status=status, headers=headers)


async def _found(reader: ContentReader, first: Part, rest: AsyncIterator[Part], marker: bytes) -> AsyncIterator[Buffer]:
    part: Part | None = first
    while part is not None:
        yield multipart.part_head(marker, part.fields)
        async for piece in reader.stream(part.content):
            yield piece
        yield multipart.PART_TAIL
        part = await anext(rest, None)
    yield multipart.closing(marker)


def _ranged(part: Part, wanted: ByteRange) -> Part:
    content_range = (b"Content-Range", wanted.content_range(part.content.size).encode())
    return Part(part.content.part(wanted.offset, wanted.length), (*part.fields, content_range))


async def _multipart(
    scope: Scope,
    reader: ContentReader,
    parts: Sequence[Part],
    content_type: bytes,
    marker: bytes,
    headers: HeaderList,
    status: int,
) -> Response:
    if len(parts) == 1 and parts[0].content.size <= _WHOLE_SIZE and scope["method"] != "HEAD":
        # The usual frame: one read, one copy, one send.
        head = multipart.part_head(marker, parts[0].fields)
        data = await reader.read(parts[0].content)
        body = b"".join((head, data, multipart.PART_TAIL, multipart.closing(marker)))
        return Whole(body, content_type, status=status, headers=headers)
    heads = [multipart.part_head(marker, part.fields) for part in parts]
    length = None
    if all(part.content.exact for part in parts):
        length = multipart.content_length(marker, heads, [part.content.size for part in parts])
    items = _items(heads, parts, marker)
    return Pieces(reader.stream_all(items), content_type, length=length, status=status, headers=headers)


def _items(heads: Sequence[bytes], parts: Sequence[Part], marker: bytes) -> Iterator[bytes | Content]:
    tail = b""
    for head, part in zip(heads, parts, strict=True):
        yield tail + head
        yield part.content
        tail = multipart.PART_TAIL
    yield tail + multipart.closing(marker)


def _length(item: bytes | Content) -> int:
    return len(item) if isinstance(item, bytes) else item.size


def _piece_of_body(
    reader: ContentReader,
    items: Sequence[bytes | Content],
    wanted: ByteRange,
    content_type: bytes,
    headers: HeaderList,
) -> Response:
    size = sum(_length(item) for item in items)
    headers = [*headers, (b"content-range", wanted.content_range(size).encode())]
    pieces = reader.stream_all(_cut(items, wanted))
    return Pieces(pieces, content_type, length=wanted.length, status=206, headers=headers)


def _cut(items: Sequence[bytes | Content], wanted: ByteRange) -> Iterator[bytes | Content]:
    """What of the items lies in a range of all of them, one after the other."""
    start = 0
    for item in items:
        length = _length(item)
        first, end = max(0, wanted.offset - start), min(length, wanted.offset + wanted.length - start)
        if first < end:
            yield item[first:end] if isinstance(item, bytes) else item.part(first, end - first)
        start += length


def _byte_ranges(
    scope: Scope,
    reader: ContentReader,
    content: Content,
    content_type: bytes,
    headers: HeaderList,
    wanted: Sequence[ByteRange],
) -> Response:
    """RFC 9110 §14.6. The boundary need not be hard to guess: each part says how long it is."""
    marker = b"byte-ranges-of-one-representation"
    heads = [
        multipart.part_head(
            marker,
            ((b"Content-Type", content_type), (b"Content-Range", one.content_range(content.size).encode())),
        )
        for one in wanted
    ]
    parts = [Part(content.part(one.offset, one.length), ()) for one in wanted]
    length = multipart.content_length(marker, heads, [one.length for one in wanted])
    return Pieces(
        reader.stream_all(_items(heads, parts, marker)),
        b"multipart/byteranges; boundary=" + marker,
        length=length,
        status=206,
        headers=headers,
    )


def _wanted(scope: Scope, size: int) -> tuple[ByteRange, ...]:
    asked = header(scope, b"range")
    try:
        return parse_range(asked, size) if asked is not None else ()
    except ServerError as error:
        raise AnswerError(error.reason, error.detail, [(b"content-range", b"bytes */%d" % size)]) from None
