"""Codestream: what the header of a compressed image says of itself (JPEG, JPEG-LS, JPEG 2000). Decodes no pixels."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_MAX_SEGMENTS = 10_000  # of one header; more of them are no image

# Start of frame marker → transfer syntax; of lossless JPEG it depends on the predictor.
_JPEG_SYNTAXES = {0xC0: "1.2.840.10008.1.2.4.50", 0xC1: "1.2.840.10008.1.2.4.51"}
_LOSSLESS, _LOSSLESS_FIRST_ORDER = "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"
_JPEG_LS_LOSSLESS, _JPEG_LS_NEAR_LOSSLESS = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"
_JPEG_2000_LOSSLESS, _JPEG_2000 = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"
_HTJ2K_LOSSLESS, _HTJ2K = "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.203"

_START_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_JPEG_LS_FRAME, _LOSSLESS_FRAME = 0xF7, 0xC3
_START_OF_SCAN, _END_OF_IMAGE, _ADOBE = 0xDA, 0xD9, 0xEE
_SIZ, _COD, _CAP, _START_OF_TILE = 0x51, 0x52, 0x50, 0x90


@dataclass(frozen=True, slots=True)
class Codestream:
    """One compressed frame, described. `transfer_syntax_uid` is "" for a process that DICOM does not know."""

    transfer_syntax_uid: str
    rows: int
    columns: int
    samples: int
    bits: int
    is_signed: bool
    lossy: bool
    photometric_interpretation: str


def read_codestream(data: bytes | memoryview) -> Codestream | None:
    """The description of a JPEG, JPEG-LS, JPEG 2000 or HTJ2K stream; None for anything else, or a broken header."""
    head = bytes(data[:12])
    try:
        if head.startswith(b"\xff\xd8\xff"):
            return _read_jpeg(data)
        if head.startswith(b"\xff\x4f\xff\x51"):
            return _read_jpeg_2000(data)
        if head == b"\0\0\0\x0cjP  \r\n\x87\n":
            return _read_jpeg_2000(_codestream_box(data))
    except (struct.error, IndexError):
        return None
    return None


def _segments(data: bytes | memoryview) -> Iterator[tuple[int, memoryview]]:
    """The (marker, content) of each segment of a header."""
    view = memoryview(data)
    position = 2
    for _ in range(_MAX_SEGMENTS):
        if view[position] == view[position + 1] == 0xFF:  # a fill byte
            position += 1
            continue
        prefix, marker, length = struct.unpack_from(">BBH", view, position)
        if prefix != 0xFF or marker in (_END_OF_IMAGE, _START_OF_TILE):
            return
        yield marker, view[position + 4 : position + 2 + length]
        if marker == _START_OF_SCAN:
            return
        position += 2 + max(length, 2)


def _read_jpeg(data: bytes | memoryview) -> Codestream | None:
    frame: tuple[int, memoryview] | None = None
    adobe: int | None = None
    for marker, content in _segments(data):
        if marker in _START_OF_FRAME:
            frame = marker, content
        elif marker == _ADOBE and len(content) > 11 and bytes(content[:5]) == b"Adobe":
            adobe = content[11]
        elif marker == _START_OF_SCAN and frame is not None:
            return _describe_jpeg(*frame, selection=content[-3], adobe=adobe)
    return None


def _describe_jpeg(marker: int, frame: memoryview, *, selection: int, adobe: int | None) -> Codestream:
    """`selection`: the predictor of lossless JPEG, or the allowed error of JPEG-LS."""
    bits, rows, columns, samples = struct.unpack_from(">BHHB", frame)
    if marker == _JPEG_LS_FRAME:
        lossy = selection > 0
        syntax = _JPEG_LS_NEAR_LOSSLESS if lossy else _JPEG_LS_LOSSLESS
    elif marker == _LOSSLESS_FRAME:
        lossy = False
        syntax = _LOSSLESS_FIRST_ORDER if selection == 1 else _LOSSLESS
    else:
        lossy = True
        syntax = _JPEG_SYNTAXES.get(marker, "")
    color = "RGB"
    if marker not in (_JPEG_LS_FRAME, _LOSSLESS_FRAME) and samples == 3:
        color = _jpeg_color(frame, adobe)
    return Codestream(
        syntax,
        rows,
        columns,
        samples,
        bits,
        is_signed=False,
        lossy=lossy,
        photometric_interpretation=_photometric(samples, color),
    )


def _jpeg_color(frame: memoryview, adobe: int | None) -> str:
    identifiers = bytes(frame[6:15:3])
    if adobe == 0 or identifiers == b"RGB":
        return "RGB"
    return "YBR_FULL" if frame[7] == 0x11 else "YBR_FULL_422"


def _photometric(samples: int, color: str) -> str:
    return {1: "MONOCHROME2", 3: color}.get(samples, "")


def _codestream_box(data: bytes | memoryview) -> memoryview:
    """The content of the contiguous codestream box of a JP2 file."""
    view = memoryview(data)
    position = 0
    for _ in range(_MAX_SEGMENTS):
        length, name = struct.unpack_from(">I4s", view, position)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", view, position + 8)
            head = 16
        if name == b"jp2c":
            return view[position + head : position + length if length else len(view)]
        if length < head:
            break
        position += length
    return view[:0]


def _read_jpeg_2000(data: bytes | memoryview) -> Codestream | None:
    size: memoryview | None = None
    high_throughput = False
    for marker, content in _segments(data):
        if marker == _SIZ:
            size = content
        elif marker == _CAP:
            high_throughput = True
        elif marker == _COD and size is not None:
            return _describe_jpeg_2000(size, content, high_throughput=high_throughput)
    return None


def _describe_jpeg_2000(size: memoryview, coding: memoryview, *, high_throughput: bool) -> Codestream | None:
    right, bottom, left, top, tile_width, tile_height = struct.unpack_from(">IIIIII", size, 2)
    samples, depth = struct.unpack_from(">HB", size, 34)
    steps = bytes(size[37 : 36 + 3 * samples])
    if not tile_width or not tile_height or 0 in (*steps[0::3], *steps[1::3]) or right <= left or bottom <= top:
        return None  # some decoders divide by these
    mixes_components, reversible = coding[4] == 1, coding[9] == 1
    if high_throughput:
        syntax = _HTJ2K_LOSSLESS if reversible else _HTJ2K
    else:
        syntax = _JPEG_2000_LOSSLESS if reversible else _JPEG_2000
    color = ("YBR_RCT" if reversible else "YBR_ICT") if mixes_components else "RGB"
    return Codestream(
        transfer_syntax_uid=syntax,
        rows=bottom - top,
        columns=right - left,
        samples=samples,
        bits=(depth & 0x7F) + 1,
        is_signed=depth > 0x7F,
        lossy=not reversible,
        photometric_interpretation=_photometric(samples, color),
    )
