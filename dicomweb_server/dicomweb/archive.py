"""ZIP archives of instances (PS3.18 §8.7.3.5.3), made while they are sent."""

import zlib
from collections.abc import AsyncIterator, Sequence

from starlette.responses import Response

from dicomweb_server.http.responses import Buffer, HeaderList, Pieces
from dicomweb_server.services.contents import WHOLE_SIZE, Content, ContentReader
from dicomweb_server.wire.zip_archive import ZipWriter, archive_size

_DISPOSITION = (b"content-disposition", b'attachment; filename="instances.zip"')


def archive_response(
    reader: ContentReader, names: Sequence[str], contents: Sequence[Content], headers: HeaderList, status: int
) -> Response:
    """An archive with one entry per content."""
    length = None
    if all(content.exact for content in contents):
        entries = [(name, one.size, one.size > WHOLE_SIZE) for name, one in zip(names, contents, strict=True)]
        length = archive_size(entries)
    pieces = _pieces(reader, names, contents)
    return Pieces(pieces, b"application/zip", length=length, status=status, headers=[*headers, _DISPOSITION])


async def _pieces(reader: ContentReader, names: Sequence[str], contents: Sequence[Content]) -> AsyncIterator[Buffer]:
    writer = ZipWriter()
    position = 0
    async for item in reader.read_ahead(contents):
        if isinstance(item, bytes):
            checksum = zlib.crc32(item)
            yield writer.begin(names[position], len(item), checksum)
            yield item
        else:
            item = await reader.settled(item)
            yield writer.begin(names[position], item.size)
            checksum = 0
            async for piece in reader.stream(item):
                checksum = zlib.crc32(piece, checksum)
                yield piece
        tail = writer.end(checksum)
        if tail:
            yield tail
        position += 1
    yield writer.finish()
