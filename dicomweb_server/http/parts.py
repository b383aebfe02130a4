"""Bodies made of contents: one alone with its byte ranges, or several as the parts of a multipart body."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Scope

from dicomweb_server.errors import Reason, ServerError
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
    try:
        wanted = _wanted(scope, content) if ranges else ()
    except ServerError as error:
        raise _not_satisfiable(error, content) from None
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
    """Contents as a multipart/related body. If `ranges`, a byte range of a single part is obeyed inside of it."""
    content_type = f'multipart/related; type="{media_type}"; boundary={boundary}'.encode("latin-1")
    if ranges and len(parts) == 1:
        parts = (Part(await reader.settled(parts[0].content), parts[0].fields),)
        try:
            wanted = _wanted(scope, parts[0].content)
        except ServerError as error:
            raise _not_satisfiable(error, parts[0].content) from None
        if len(wanted) == 1:
            parts, status = (_ranged(parts[0], wanted[0]),), 206
    return await _multipart(scope, reader, parts, content_type, boundary, headers, status)


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
    boundary: str,
    headers: HeaderList,
    status: int,
) -> Response:
    marker = boundary.encode("ascii")
    if len(parts) == 1:
        parts = (Part(await reader.settled(parts[0].content), parts[0].fields),)
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
    items = _items(heads, [part.content for part in parts], marker)
    return Pieces(reader.stream_all(items), content_type, length=length, status=status, headers=headers)


def _items(heads: Sequence[bytes], contents: Sequence[Content], marker: bytes) -> Iterator[bytes | Content]:
    tail = b""
    for head, content in zip(heads, contents, strict=True):
        yield tail + head
        yield content
        tail = multipart.PART_TAIL
    yield tail + multipart.closing(marker)


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
    contents = [content.part(one.offset, one.length) for one in wanted]
    length = multipart.content_length(marker, heads, [one.length for one in wanted])
    return Pieces(
        reader.stream_all(_items(heads, contents, marker)),
        b"multipart/byteranges; boundary=" + marker,
        length=length,
        status=206,
        headers=headers,
    )


def _wanted(scope: Scope, content: Content) -> tuple[ByteRange, ...]:
    asked = header(scope, b"range")
    return parse_range(asked, content.size) if asked is not None else ()


def _not_satisfiable(error: ServerError, content: Content) -> AnswerError:
    assert error.reason is Reason.RANGE_NOT_SATISFIABLE
    return AnswerError(error.reason, error.detail, [(b"content-range", b"bytes */%d" % content.size)])
