"""Encoding: how the elements of a data set are encoded (PS3.5 §7, §10), and the limits on every walk over them."""

import mmap
from typing import NamedTuple

from dicomweb_server.errors import Reason, ServerError

# Slices of either are `bytes`, and neither is copied whole.
Buffer = bytes | mmap.mmap

UNDEFINED = 0xFFFFFFFF
MAX_DEPTH = 64  # of nested sequences
MAX_ELEMENTS = 2_000_000  # of one instance, items included: a few seconds of work at most
MAX_ITEMS = 1 << 22  # of one sequence or encapsulated pixel data

ITEM = 0xE000
ITEM_END = 0xE00D
SEQUENCE_END = 0xE0DD
DELIMITER_GROUP = 0xFFFE

PIXEL_DATA_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})


class Encoding(NamedTuple):
    """What of a transfer syntax matters to a parser of elements."""

    explicit: bool
    little_endian: bool
    deflated: bool = False


EXPLICIT_LITTLE = Encoding(explicit=True, little_endian=True)
EXPLICIT_BIG = Encoding(explicit=True, little_endian=False)
IMPLICIT_LITTLE = Encoding(explicit=False, little_endian=True)
DEFLATED_LITTLE = Encoding(explicit=True, little_endian=True, deflated=True)


def whole(data: bytes | memoryview | mmap.mmap) -> Buffer:
    """The same bytes as a buffer whose slices are `bytes`; copies a memoryview only if it shows a part of something."""
    if not isinstance(data, memoryview):
        return data
    whole_object = data.obj
    if isinstance(whole_object, bytes | mmap.mmap) and data.contiguous and data.nbytes == len(whole_object):
        return whole_object
    return data.tobytes()


def not_understood(position: int, problem: str) -> ServerError:
    """The error of a data set that breaks the rules of PS3.5 at a byte position."""
    return ServerError(Reason.CANNOT_UNDERSTAND, f"byte {position} of the data set: {problem}")


def truncated(position: int) -> ServerError:
    """The error of an element or item that is longer than what encloses it."""
    return not_understood(position, "the element or item that starts here reaches beyond the end of what contains it")
