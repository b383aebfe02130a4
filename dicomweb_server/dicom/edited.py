"""Edited: an instance that was edited, as pieces of its source and what is new between them. Copies no pixel data."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dicomweb_server.dicom.encoding import Buffer

CHUNK = 1 << 20
_INLINE = 2048  # spans of the source up to this size are copied at once


class Output:
    """What is written at one level."""

    __slots__ = ("_last", "pieces", "size")

    def __init__(self) -> None:
        self.pieces: list[bytes | tuple[int, int]] = []
        self.size = 0

    def write(self, data: bytes) -> None:
        """Something new."""
        self.pieces.append(data)
        self.size += len(data)

    def copy(self, source: Buffer, start: int, end: int) -> None:
        """A span of the source."""
        if start >= end:
            return
        self.pieces.append(source[start:end] if end - start <= _INLINE else (start, end))
        self.size += end - start

    def append(self, other: "Output") -> None:
        """All that was written elsewhere."""
        self.pieces += other.pieces
        self.size += other.size


@dataclass(frozen=True, slots=True)
class Edited:
    """A Part 10 file that is made while it is read. Keep the source open until then."""

    size: int
    source: Buffer
    pieces: Sequence[bytes | tuple[int, int]]

    def __iter__(self) -> Iterator[bytes]:
        """The file in pieces of bounded size, small ones put together."""
        for piece in self.buffers():
            if isinstance(piece, bytes):
                yield piece
            else:
                yield from (bytes(piece[start : start + CHUNK]) for start in range(0, len(piece), CHUNK))

    def buffers(self) -> Iterator[bytes | memoryview]:
        """The same without copies; spans of the source are given in one piece, however long."""
        source = memoryview(self.source)
        gathered: list[bytes] = []
        for piece in self.pieces:
            if isinstance(piece, bytes):
                gathered.append(piece)
                continue
            if gathered:
                yield b"".join(gathered)
                gathered = []
            yield source[slice(*piece)]
        if gathered:
            yield b"".join(gathered)

    def whole(self) -> bytes:
        """The file in one piece, for one that is not large."""
        return b"".join([piece if isinstance(piece, bytes) else self.source[slice(*piece)] for piece in self.pieces])


def deflated(head: bytes, edited: Edited) -> Edited:
    """The same data set deflated (PS3.5 §A.5), behind its file meta information."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    pieces = [head, *(compressor.compress(piece) for piece in edited), compressor.flush()]
    size = sum(map(len, pieces)) - len(head)
    if size % 2:
        pieces.append(b"\0")
    return Edited(sum(map(len, pieces)), b"", pieces)
