"""Header: where everything lies in the bytes of one instance. Finds, never copies pixel data, never decodes text."""

import mmap
from collections.abc import Mapping
from typing import NamedTuple

from dicomweb_server.dicom.elements import walk
from dicomweb_server.dicom.encoding import PIXEL_DATA_TAGS, Buffer, Encoding, whole
from dicomweb_server.dicom.inflate import inflate
from dicomweb_server.dicom.part10 import TRANSFER_SYNTAX_UID, read_file_meta
from dicomweb_server.dicom.uids import transfer_syntax, uid_from
from dicomweb_server.errors import Reason, ServerError

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
# What a codec needs to know beside them: BitsStored, HighBit.
_LAYOUT_TAGS = FRAME_TAGS | {0x00280101, 0x00280102}


class PixelData(NamedTuple):
    """The element that holds the pixels: (7FE0,0010), (7FE0,0008) or (7FE0,0009).

    `offset`: of the value in `Header.buffer`; `length` None: undefined, so encapsulated (PS3.5 §A.4), and then the
    value starts with the item of the Basic Offset Table.
    """

    tag: int
    vr: str
    offset: int
    length: int | None


class Header(NamedTuple):
    """One instance, located. Offsets of elements refer to `buffer`: the whole file, or the inflated data set.

    `start`, `end`: the data set in `buffer`, with what follows the pixel data. `layout`: the raw values of the
    top-level elements that say how frames lie (`FRAME_TAGS`, BitsStored, HighBit), of those that are there.
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
    return _read_elements(open_part10(data))


def read_dataset_header(data: bytes | memoryview | mmap.mmap, transfer_syntax_uid: str) -> Header:
    """The header of a bare data set, as C-STORE delivers it, in the given transfer syntax."""
    return _read_elements(open_dataset(data, transfer_syntax_uid))


def open_part10(data: bytes | memoryview | mmap.mmap) -> Header:
    """The header of a Part 10 file with its elements not yet read: `pixel_data` and `layout` are empty."""
    buffer = whole(data)
    file_meta, start = read_file_meta(buffer)
    raw = file_meta.get(TRANSFER_SYNTAX_UID)
    if raw is None:
        raise ServerError(Reason.CANNOT_UNDERSTAND, "the file meta information has no TransferSyntaxUID (0002,0010)")
    return _open(buffer, start, file_meta, uid_from(raw))


def open_dataset(data: bytes | memoryview | mmap.mmap, transfer_syntax_uid: str) -> Header:
    """The header of a bare data set with its elements not yet read: `pixel_data` and `layout` are empty."""
    return _open(whole(data), 0, {}, transfer_syntax_uid)


def _open(buffer: Buffer, start: int, file_meta: Mapping[int, bytes], transfer_syntax_uid: str) -> Header:
    encoding = transfer_syntax(transfer_syntax_uid).encoding
    if encoding.deflated:
        buffer, start = inflate(buffer, start), 0
    if encoding.explicit and _looks_implicit(buffer, start):
        encoding = Encoding(explicit=False, little_endian=encoding.little_endian, deflated=encoding.deflated)
    return Header(buffer, start, len(buffer), file_meta, transfer_syntax_uid, encoding, None, {})


def _looks_implicit(buffer: Buffer, start: int) -> bool:
    """Whether a data set that should be in explicit VR is not: some archives changed the label but not the bytes."""
    vr = buffer[start + 4 : start + 6]
    return len(vr) == 2 and max(vr) < 0x20 and vr != b"\0\0"


def _read_elements(opened: Header) -> Header:
    pixel_data = None
    layout: dict[int, bytes] = {}
    for element in walk(opened.buffer, opened.start, opened.end, opened.encoding):
        if element.tag in _LAYOUT_TAGS:
            layout.setdefault(element.tag, opened.buffer[element.start : element.end])
        elif element.tag in PIXEL_DATA_TAGS and pixel_data is None:
            length = element.end - element.start if element.defined else None
            pixel_data = PixelData(element.tag, element.vr, element.start, length)
    return opened._replace(pixel_data=pixel_data, layout=layout)
