"""ZIP archives, read back by the standard library, also where sizes need ZIP64."""

import io
import zipfile
import zlib
from pathlib import Path

import pytest

from dicomweb_server.wire.zip_archive import ZipWriter, archive_size


def written(entries: list[tuple[str, bytes, bool]]) -> bytes:
    """An archive of (name, content, streamed) entries."""
    writer = ZipWriter()
    pieces = []
    for name, content, streamed in entries:
        checksum = zlib.crc32(content)
        pieces += [writer.begin(name, len(content), None if streamed else checksum), content, writer.end(checksum)]
    return b"".join(pieces) + writer.finish()


ENTRIES = [
    ("1.2/3.dcm", b"some bytes", False),
    ("1.2/4.dcm", b"streamed bytes", True),
    ("empty", b"", False),
    ("größe", b"\0" * 1000, True),
]


def check(body: bytes, entries: list[tuple[str, bytes, bool]]) -> None:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        assert [(info.filename, archive.read(info)) for info in archive.infolist()] == [entry[:2] for entry in entries]
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())


def test_the_standard_library_reads_it_back() -> None:
    body = written(ENTRIES)
    check(body, ENTRIES)
    assert archive_size((name, len(content), streamed) for name, content, streamed in ENTRIES) == len(body)


def test_an_empty_archive() -> None:
    check(written([]), [])


def test_more_entries_than_plain_archives_have() -> None:
    body = written([(str(n), b"x", False) for n in range(66_000)])
    assert b"PK\6\6" in body
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert len(archive.infolist()) == 66_000
        assert archive.read("65999") == b"x"


@pytest.mark.parametrize("streamed", [False, True])
def test_sizes_and_offsets_beyond_32_bits(tmp_path: Path, streamed: bool) -> None:
    writer = ZipWriter()
    path, size = tmp_path / "large.zip", 5 << 30
    checksum = zlib.crc32(b"far away")
    with path.open("wb") as file:
        file.write(writer.begin("large", size, None if streamed else 7))
        file.seek(size, 1)  # a hole, which costs nothing
        file.write(writer.end(7))
        file.write(writer.begin("far", 8, None if streamed else checksum) + b"far away" + writer.end(checksum))
        file.write(writer.finish())
    assert archive_size([("large", size, streamed), ("far", 8, streamed)]) == path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        assert [(info.filename, info.file_size, info.CRC) for info in archive.infolist()] == [
            ("large", size, 7),
            ("far", 8, checksum),
        ]
        assert archive.read("far") == b"far away"
        with archive.open("large") as large:
            assert large.read(1000) == bytes(1000)
