"""ZIP archives written as a stream of stored (not compressed) entries, ZIP64 where needed. Pure: gives bytes, no I/O.

A content whose checksum is known goes out plainly; one that is streamed is followed by a data descriptor.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

_MANY, _LARGE = 0xFFFF, 0xFFFFFFFF
_PLAIN_VERSION, _ZIP64_VERSION = 20, 45
_DESCRIPTOR_FLAG, _UTF8_FLAG = 1 << 3, 1 << 11
_UNIX = 3 << 8
_FILE_MODE = 0o100644 << 16
_EPOCH_DATE = 0x21  # 1980-01-01, the first that the format knows

_LOCAL = struct.Struct("<4s5H3I2H")
_DESCRIPTOR, _DESCRIPTOR64 = struct.Struct("<4s3I"), struct.Struct("<4sI2Q")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64 = struct.Struct("<4sIQI")
_EXTRA_HEAD = struct.Struct("<2H")


@dataclass(slots=True)
class _Entry:
    name: bytes
    size: int
    offset: int
    checksum: int
    streamed: bool

    @property
    def wide(self) -> bool:
        """Its size needs ZIP64."""
        return self.size >= _LARGE


class ZipWriter:
    """Gives what surrounds the contents: `begin`, the content itself, `end`, for each, and `finish` at last."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._position = 0

    def begin(self, name: str, size: int, checksum: int | None = None) -> bytes:
        """What precedes a content of exactly `size` bytes; `checksum`: its CRC-32, None if only `end` will know it."""
        entry = _Entry(name.encode("utf-8"), size, self._position, checksum or 0, streamed=checksum is None)
        self._entries.append(entry)
        extra = _zip64(size, size) if entry.wide else b""
        shown = 0 if entry.streamed else size
        head = _LOCAL.pack(
            b"PK\3\4",
            _ZIP64_VERSION if entry.wide else _PLAIN_VERSION,
            _flags(entry),
            0,
            0,
            _EPOCH_DATE,
            entry.checksum,
            *((_LARGE, _LARGE) if entry.wide else (shown, shown)),
            len(entry.name),
            len(extra),
        )
        record = head + entry.name + extra
        self._position += len(record) + size
        return record

    def end(self, checksum: int) -> bytes:
        """What follows the content that began last."""
        entry = self._entries[-1]
        if not entry.streamed:
            return b""
        entry.checksum = checksum
        layout = _DESCRIPTOR64 if entry.wide else _DESCRIPTOR
        self._position += layout.size
        return layout.pack(b"PK\7\x08", checksum, entry.size, entry.size)

    def finish(self) -> bytes:
        """The directory that ends the archive."""
        directory = b"".join(map(_central, self._entries))
        return directory + _end(len(self._entries), len(directory), self._position)


def archive_size(entries: Iterable[tuple[str, int, bool]]) -> int:
    """The exact size of an archive of (name, size, streamed) entries."""
    writer = ZipWriter()
    total = 0
    for name, size, streamed in entries:
        total += len(writer.begin(name, size, None if streamed else 0)) + size + len(writer.end(0))
    return total + len(writer.finish())


def _flags(entry: _Entry) -> int:
    return _UTF8_FLAG | (_DESCRIPTOR_FLAG if entry.streamed else 0)


def _zip64(*numbers: int) -> bytes:
    """The extra field of what does not fit 32 bits (APPNOTE 4.5.3)."""
    if not numbers:
        return b""
    return _EXTRA_HEAD.pack(1, 8 * len(numbers)) + struct.pack(f"<{len(numbers)}Q", *numbers)


def _central(entry: _Entry) -> bytes:
    far = entry.offset >= _LARGE
    extra = _zip64(*((entry.size, entry.size) if entry.wide else ()), *((entry.offset,) if far else ()))
    version = _ZIP64_VERSION if extra else _PLAIN_VERSION
    size = _LARGE if entry.wide else entry.size
    head = _CENTRAL.pack(
        b"PK\1\2",
        _UNIX | version,
        version,
        _flags(entry),
        0,
        0,
        _EPOCH_DATE,
        entry.checksum,
        size,
        size,
        len(entry.name),
        len(extra),
        0,
        0,
        0,
        _FILE_MODE,
        _LARGE if far else entry.offset,
    )
    return head + entry.name + extra


def _end(count: int, size: int, offset: int) -> bytes:
    plain = _END.pack(b"PK\5\6", 0, 0, min(count, _MANY), min(count, _MANY), min(size, _LARGE), min(offset, _LARGE), 0)
    if count < _MANY and size < _LARGE and offset < _LARGE:
        return plain
    wide = _END64.pack(
        b"PK\6\6", _END64.size - 12, _UNIX | _ZIP64_VERSION, _ZIP64_VERSION, 0, 0, count, count, size, offset
    )
    return wide + _LOCATOR64.pack(b"PK\6\7", 0, offset + size, 1) + plain
