"""Encapsulated pixel data from frames (PS3.5 §A.4): one fragment each, and the offset table that fits."""

import struct
from collections.abc import Sequence

from dicomweb_server.dicom.element_head import item_head
from dicomweb_server.dicom.reencode import NewElement

_PIXEL_DATA, _OFFSETS, _LENGTHS = 0x7FE00010, 0x7FE00001, 0x7FE00002
_LARGEST_BASIC = 0xFFFFFFFF


def encapsulated(frames: Sequence[bytes | memoryview]) -> dict[int, NewElement | None]:
    """Pixel Data of compressed frames, with a Basic Offset Table, or the Extended one where that is too narrow.

    A single frame needs no table.
    """
    starts = [0]
    for frame in frames:
        starts.append(starts[-1] + 8 + len(frame) + len(frame) % 2)
    elements: dict[int, NewElement | None] = {_OFFSETS: None, _LENGTHS: None}
    table = b""
    if len(frames) > 1 and starts[-1] <= _LARGEST_BASIC:
        table = struct.pack(f"<{len(frames)}I", *starts[:-1])
    elif len(frames) > 1:  # PS3.3 §C.7.6.3.1.8
        elements[_OFFSETS] = NewElement("OV", [struct.pack(f"<{len(frames)}Q", *starts[:-1])])
        lengths = [len(frame) + len(frame) % 2 for frame in frames]
        elements[_LENGTHS] = NewElement("OV", [struct.pack(f"<{len(frames)}Q", *lengths)])
    pieces: list[bytes | memoryview] = [item_head(len(table)), table]
    for frame in frames:
        pieces += [item_head(len(frame) + len(frame) % 2), frame, b"\0" * (len(frame) % 2)]
    elements[_PIXEL_DATA] = NewElement("OB", pieces, encapsulated=True)
    return elements
