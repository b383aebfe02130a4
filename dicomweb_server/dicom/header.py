"""Header: where everything lies in the bytes of one instance. Finds, never copies pixel data, never decodes text."""

import mmap
from collections.abc import Mapping
from dataclasses import dataclass

from dicomweb_server.dicom.encoding import Buffer, Encoding

__all__ = ["FRAME_TAGS", "Buffer", "Encoding", "Header", "PixelData", "read_dataset_header", "read_header"]

FRAME_TAGS = frozenset(
    {
        0x00280002,  # SamplesPerPixel
        0x00280004,  # PhotometricInterpretation
        0x00280006,  # PlanarConfiguration
        0x00280008,  # NumberOfFrames
        0x00280010,  # Rows
        0x00280011,  # Columns
        0x00280100,  # BitsAllocated
        0x00280103,  # PixelRepresentation
        0x7FE00001,  # ExtendedOffsetTable
        0x7FE00002,  # ExtendedOffsetTableLengths
    }
)


@dataclass(frozen=True, slots=True)
class PixelData:
    """The element that holds the pixels: (7FE0,0010), (7FE0,0008) or (7FE0,0009).

    `offset`: of the value in `Header.buffer`; `length` None: undefined, so encapsulated (PS3.5 §A.4), and then the
    value starts with the item of the Basic Offset Table.
    """

    tag: int
    vr: str
    offset: int
    length: int | None


@dataclass(frozen=True, slots=True)
class Header:
    """One instance, located. Offsets of elements refer to `buffer`: the whole file, or the inflated data set.

    `start`, `end`: the data set in `buffer`, with what follows the pixel data. `layout`: the raw values of the
    top-level elements that say how frames lie (`FRAME_TAGS`), of those that are there.
    """

    buffer: Buffer
    start: int
    end: int
    file_meta: Mapping[int, bytes]
    transfer_syntax_uid: str
    encoding: Encoding
    pixel_data: PixelData | None
    layout: Mapping[int, bytes]

    def integer(self, tag: int) -> int | None:
        """The first value of a US or IS element of `layout`; None if it is absent, empty or no number."""
        raw = self.layout.get(tag)
        if not raw:
            return None
        if tag == 0x00280008:  # the one that is an integer string
            text = raw.split(b"\\", 1)[0].strip(b" \0")
            return int(text) if text.isdigit() and len(text) <= 10 else None
        return int.from_bytes(raw[:2], "little" if self.encoding.little_endian else "big")


def read_header(data: bytes | memoryview | mmap.mmap) -> Header:
    """The header of a Part 10 file (PS3.10 §7); ServerError if it is none or cannot be understood."""
    raise NotImplementedError


def read_dataset_header(data: bytes | memoryview | mmap.mmap, transfer_syntax_uid: str) -> Header:
    """The header of a bare data set, as C-STORE delivers it, in the given transfer syntax."""
    raise NotImplementedError
