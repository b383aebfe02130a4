"""Element head: what precedes a value in Explicit or Implicit VR Little Endian (PS3.5 §7.1). Writes no values."""

import struct
from collections.abc import Callable

from dicomweb_server.dicom.elements import SHORT_VRS, VR_BYTES
from dicomweb_server.dicom.encoding import DELIMITER_GROUP, ITEM, ITEM_END, SEQUENCE_END, Encoding

_LONGEST_SHORT = 0xFFFF
_SHORT_HEAD = struct.Struct("<HH2sH")
_LONG_HEAD = struct.Struct("<HH2s2xI")
_ITEM_HEAD = struct.Struct("<HHI")

ITEM_DELIMITER = _ITEM_HEAD.pack(DELIMITER_GROUP, ITEM_END, 0)
SEQUENCE_DELIMITER = _ITEM_HEAD.pack(DELIMITER_GROUP, SEQUENCE_END, 0)


def element_head(tag: int, vr: str, length: int) -> bytes:
    """Tag, VR and length; of a value that is too long for its VR, the VR is UN (PS3.5 §6.2.2 note 6)."""
    name = VR_BYTES[vr]
    if name in SHORT_VRS:
        if length <= _LONGEST_SHORT:
            return _SHORT_HEAD.pack(tag >> 16, tag & 0xFFFF, name, length)
        name = b"UN"
    return _LONG_HEAD.pack(tag >> 16, tag & 0xFFFF, name, length)


def implicit_head(tag: int, vr: str, length: int) -> bytes:
    """The same in Implicit VR Little Endian (PS3.5 §7.1.3), which does not tell the VR."""
    del vr
    return _ITEM_HEAD.pack(tag >> 16, tag & 0xFFFF, length)


def item_head(length: int) -> bytes:
    """The head of an item or fragment."""
    return _ITEM_HEAD.pack(DELIMITER_GROUP, ITEM, length)


_BIG_SHORT_HEAD = struct.Struct(">HH2sH")
_BIG_LONG_HEAD = struct.Struct(">HH2s2xI")
_BIG_ITEM_HEAD = struct.Struct(">HHI")


def big_head(tag: int, vr: str, length: int) -> bytes:
    """The same in Explicit VR Big Endian (PS3.5 §A.3)."""
    name = VR_BYTES[vr]
    if name in SHORT_VRS:
        if length <= _LONGEST_SHORT:
            return _BIG_SHORT_HEAD.pack(tag >> 16, tag & 0xFFFF, name, length)
        name = b"UN"
    return _BIG_LONG_HEAD.pack(tag >> 16, tag & 0xFFFF, name, length)


def big_item_head(length: int) -> bytes:
    """The head of an item in big endian."""
    return _BIG_ITEM_HEAD.pack(DELIMITER_GROUP, ITEM, length)


Heads = tuple[Callable[[int, str, int], bytes], Callable[[int], bytes], bytes]
_BIG_SEQUENCE_DELIMITER = _BIG_ITEM_HEAD.pack(DELIMITER_GROUP, SEQUENCE_END, 0)


def heads(encoding: Encoding) -> Heads:
    """How the heads of elements and items are written in an encoding, and the delimiter of a sequence."""
    if not encoding.little_endian:
        return big_head, big_item_head, _BIG_SEQUENCE_DELIMITER
    return (element_head if encoding.explicit else implicit_head), item_head, SEQUENCE_DELIMITER


def item_delimiter(encoding: Encoding) -> bytes:
    """The delimiter of an item in an encoding."""
    return ITEM_DELIMITER if encoding.little_endian else _BIG_ITEM_HEAD.pack(DELIMITER_GROUP, ITEM_END, 0)
