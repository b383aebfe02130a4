"""ZIP archives of contents, made while they are sent."""

import zlib
from collections.abc import AsyncIterator, Sequence

from dicomweb_server.services.contents import WHOLE_SIZE, Buffer, Content, ContentReader
from dicomweb_server.wire.zip_archive import ZipWriter, archive_size


def zip_size(names: Sequence[str], contents: Sequence[Content]) -> int | None:
    """The exact size of the archive; None where that of a content is not known before it is made."""
    if not all(content.exact for content in contents):
        return None
    return archive_size((name, one.size, one.size > WHOLE_SIZE) for name, one in zip(names, contents, strict=True))


async def zip_entries(
    writer: ZipWriter, reader: ContentReader, names: Sequence[str], contents: Sequence[Content]
) -> AsyncIterator[Buffer]:
    """The entries of an archive; what ends it is the writer's to give."""
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
