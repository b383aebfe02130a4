"""Fragments: which items of encapsulated pixel data make up which frame (PS3.5 §A.4). Trusts no table, never fails."""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Sequence
from itertools import islice

from dicomweb_server.dicom.arrays import NDArray, np
from dicomweb_server.dicom.encoding import Buffer

MAX_FRAGMENTS = 1 << 20  # of one instance; walking over so many takes a fraction of a second

_ITEM = 0xE000FFFE  # (FFFE,E000), read as one little endian number
_ITEM_HEAD = struct.Struct("<II")

# How a compressed frame begins. JPEG and JPEG-LS; JPEG 2000 and HTJ2K, bare and in JP2; JPEG XL, boxed and bare; RLE.
_FRAME_STARTS = (
    re.compile(rb"\xff\xd8\xff"),
    re.compile(rb"\xff\x4f\xff\x51|\0\0\0\x0cjP {2}\r\n\x87\n"),
    re.compile(rb"\0\0\0\x0cJXL \r\n\x87\n"),
    re.compile(rb"\xff\x0a"),
    re.compile(rb"[\x01-\x0f]\0\0\0@\0\0\0"),
)


def find_items(buffer: Buffer, offset: int, end: int) -> array[int]:
    """Where the value of each item starts, Basic Offset Table first, and then where that of one more would start.

    Ends at the delimiter, or quietly before the first item that is none or does not lie in the buffer.
    """
    starts = array("Q")
    read = _ITEM_HEAD.unpack_from
    position = offset
    end = min(end, len(buffer))
    while position + 8 <= end and len(starts) <= MAX_FRAGMENTS:
        tag, length = read(buffer, position)
        following = position + 8 + length
        if tag != _ITEM or following > end:
            break
        starts.append(position + 8)
        position = following
    starts.append(position + 8)
    return starts


def first_fragments(buffer: Buffer, items: Sequence[int], frames: int, extended_offset_table: bytes) -> Sequence[int]:
    """For each frame the number of its first fragment, counted from 0, and then that of the fragment after the last.

    `items`: of `find_items`. `frames`: how many are said to be there. Fewer come back if no more can be told apart.
    `extended_offset_table`: the value of (7FE0,0001), b"" without one.
    """
    fragments = len(items) - 2
    if fragments < 1:
        return (0,)
    if frames == 1:
        return (0, fragments)
    if fragments == frames:
        return range(frames + 1)
    by_tables = [
        _by_offsets(items, _offsets(extended_offset_table, "<u8"), frames),
        _by_offsets(items, _offsets(_basic_offset_table(buffer, items, frames), "<u4"), frames),
    ]
    return (
        next((found for found in by_tables if len(found) > frames), ())
        or _by_first_bytes(buffer, items, frames)
        or max(by_tables, key=len)
        or (range(fragments + 1) if fragments < frames else (0,))
    )


def _basic_offset_table(buffer: Buffer, items: Sequence[int], frames: int) -> bytes:
    start, end = items[0], items[1] - 8
    return buffer[start:end] if end - start == 4 * frames else b""


def _offsets(table: bytes, dtype: str) -> NDArray[np.uint64]:
    size = np.dtype(dtype).itemsize
    return np.frombuffer(table, dtype=dtype, count=len(table) // size).astype("<u8")


def _by_offsets(items: Sequence[int], offsets: NDArray[np.uint64], frames: int) -> Sequence[int]:
    """By an offset table, if it holds one ascending offset a frame, and each is where a fragment starts.

    Offsets behind the last fragment are those of a truncated file: the frames before are good.
    """
    if len(offsets) != frames or offsets[0] != 0 or not bool(np.all(offsets[1:] > offsets[:-1])):
        return ()
    relative = np.array(items[1:], dtype="<u8") - np.uint64(items[1])
    present = offsets[: int(np.searchsorted(offsets, relative[-1], side="right"))]
    firsts = np.searchsorted(relative, present)
    if not np.array_equal(relative[firsts], present):
        return ()
    numbers: list[int] = firsts.tolist()
    return numbers if len(present) < frames or numbers[-1] == len(relative) - 1 else [*numbers, len(relative) - 1]


def _by_first_bytes(buffer: Buffer, items: Sequence[int], frames: int) -> Sequence[int]:
    """By looking for fragments that begin as the first one does; none if that is no codec's first bytes."""
    pattern = next((each for each in _FRAME_STARTS if each.match(buffer, items[1], items[2] - 8)), None)
    if pattern is None:
        return ()
    begins = pattern.match
    fragments = len(items) - 2
    found = (number for number in range(fragments) if begins(buffer, items[number + 1], items[number + 2] - 8))
    numbers = list(islice(found, frames + 1))
    return numbers if len(numbers) > frames else [*numbers, fragments]
