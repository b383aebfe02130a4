"""ZIP archives of instances (PS3.18 §8.7.3.5.3), made while they are sent."""

from collections.abc import AsyncIterator, Sequence

from starlette.responses import Response

from dicomweb_server.http.responses import Buffer, HeaderList, Pieces
from dicomweb_server.services.contents import Content, ContentReader
from dicomweb_server.services.zip_stream import zip_entries, zip_size
from dicomweb_server.wire.zip_archive import ZipWriter

_DISPOSITION = (b"content-disposition", b'attachment; filename="instances.zip"')


def archive_response(
    reader: ContentReader, names: Sequence[str], contents: Sequence[Content], headers: HeaderList, status: int
) -> Response:
    """An archive with one entry per content."""
    length = zip_size(names, contents)
    pieces = _pieces(reader, names, contents)
    return Pieces(pieces, b"application/zip", length=length, status=status, headers=[*headers, _DISPOSITION])


async def _pieces(reader: ContentReader, names: Sequence[str], contents: Sequence[Content]) -> AsyncIterator[Buffer]:
    writer = ZipWriter()
    async for piece in zip_entries(writer, reader, names, contents):
        yield piece
    yield writer.finish()
