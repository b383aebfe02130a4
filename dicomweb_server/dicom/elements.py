"""Elements: the walk over the encoded elements of a data set, bounded in depth and by the buffer. Decodes no values."""

import struct
from collections.abc import Iterator
from itertools import repeat
from typing import NamedTuple

from dicomweb_server.dicom.dictionary import US_OR_SS, private_vr, public_vr
from dicomweb_server.dicom.encoding import (
    DELIMITER_GROUP,
    IMPLICIT_LITTLE,
    ITEM,
    ITEM_END,
    MAX_DEPTH,
    MAX_ELEMENTS,
    MAX_ITEMS,
    SEQUENCE_END,
    UNDEFINED,
    Buffer,
    Encoding,
    not_understood,
    truncated,
)
from dicomweb_server.errors import ServerError

# VRs whose explicit form has a length of two bytes, and of four after two reserved ones (PS3.5 §7.1.2).
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
VR_NAMES = {vr: vr.decode("ascii") for vr in SHORT_VRS | LONG_VRS}
VR_BYTES = {name: vr for vr, name in VR_NAMES.items()}
_NO_ELEMENTS = frozenset({0, DELIMITER_GROUP})  # the groups of what fills and delimits

EXPLICIT_HEADERS = {little: struct.Struct(("<" if little else ">") + "HH2sH") for little in (True, False)}
IMPLICIT_HEADERS = {little: struct.Struct(("<" if little else ">") + "HHI") for little in (True, False)}
LENGTHS = {little: struct.Struct("<I" if little else ">I") for little in (True, False)}

_PIXEL_REPRESENTATION = 0x00280103
_ITEM_END = DELIMITER_GROUP << 16 | ITEM_END
_SEQUENCE_END = DELIMITER_GROUP << 16 | SEQUENCE_END


class Element(NamedTuple):
    """One encoded element: `start` to `end` is its value, `following` where the next element begins.

    `vr`: as encoded; of the dictionary if implicit (ambiguous ones resolved, "UN" if unknown). `defined` False: the
    length was undefined, so the value is a sequence of items (or fragments) and its delimiter lies between `end` and
    `following`.
    """

    tag: int
    vr: str
    start: int
    end: int
    following: int
    defined: bool


_element = tuple.__new__  # what the constructor of a named tuple calls, without a frame of its own


class Steps:
    """How many more elements, items and fragments may be passed on the way to a delimiter."""

    __slots__ = ("left",)

    def __init__(self, left: int = MAX_ITEMS) -> None:
        self.left = left


def walk(
    buffer: Buffer, start: int, end: int, encoding: Encoding, *, signed: bool = False, depth: int = 0
) -> Iterator[Element]:
    """The elements of one data set or item in the order of the bytes, not descending into sequences.

    `signed`: the PixelRepresentation of what encloses this item decides between US and SS. Zeros behind the last
    element are padding.
    """
    creators: dict[int, str] = {}
    steps = Steps()
    position = start
    usual_end = end - 8 if encoding.explicit else -1
    read_usual = EXPLICIT_HEADERS[encoding.little_endian].unpack_from
    for _ in repeat(None, MAX_ELEMENTS):
        if position >= end:
            return
        if position <= usual_end:  # most elements, without a call for each
            group, number, usual_vr, length = read_usual(buffer, position)
            tag, value, following = group << 16 | number, position + 8, position + 8 + length
            plain = usual_vr in SHORT_VRS and group not in _NO_ELEMENTS and tag != _PIXEL_REPRESENTATION
            if plain and following <= end:
                yield _element(Element, (tag, VR_NAMES[usual_vr], value, following, following, True))
                position = following
                continue
        tag, vr, value, length = locate(buffer, position, end, encoding)
        if tag >> 16 in _NO_ELEMENTS:
            position = skip_filling(buffer, position, end, tag, length)
            continue
        name = VR_NAMES.get(vr, "UN") if vr else implicit_vr(tag, creators, signed=signed)
        if length == UNDEFINED:
            name = undefined_length_vr(name, vr)
            inner = IMPLICIT_LITTLE if name == "UN" else encoding
            value_end = sequence_end(buffer, value, end, inner, depth + 1, steps)
            following = value_end + 8
        else:
            value_end = following = value + length
            if following > end:
                raise truncated(position)
        if tag == _PIXEL_REPRESENTATION:
            signed = buffer[value:value_end].strip(b"\0") == b"\1"
        elif vr is None and tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF:
            creators[tag >> 16 << 8 | tag & 0xFF] = creator_name(buffer[value : min(value_end, value + 64)])
        yield Element(tag, name, value, value_end, following, length != UNDEFINED)
        position = following
    raise not_understood(position, f"more than {MAX_ELEMENTS} elements")


def items(buffer: Buffer, element: Element, encoding: Encoding, *, depth: int = 0) -> Iterator[tuple[int, int]]:
    """Where the content of each item of a sequence starts and ends. `depth`: of the sequence, 0 in the data set.

    The items of a UN element of undefined length are in implicit VR little endian: see `item_encoding`.
    """
    inner = item_encoding(element, encoding)
    steps = Steps()
    position, end = element.start, element.end
    while position < end:
        if position + 8 > end:
            raise truncated(position)
        tag, start, length = _item_head(buffer, position, inner)
        if tag == _SEQUENCE_END:  # superfluous in a sequence of defined length, but harmless
            position = start
        elif length == UNDEFINED:
            stop = _closing(buffer, start, end, [(inner, True)], depth + 2, steps)
            position = stop + 8
            yield start, stop
        else:
            position = start + length
            if position > end:
                raise truncated(start - 8)
            yield start, position


def item_encoding(element: Element, encoding: Encoding) -> Encoding:
    """The encoding inside a sequence: that of the data set, but for UN of undefined length (PS3.5 §6.2.2 note 2)."""
    return IMPLICIT_LITTLE if element.vr == "UN" else encoding


def locate(buffer: Buffer, position: int, end: int, encoding: Encoding) -> tuple[int, bytes | None, int, int]:
    """(tag, VR, start of the value, its length) of the element at a position; VR None: implicit, ask the dictionary."""
    if position + 8 > end:
        if only_zeros(buffer, position, end):
            return 0, None, end, 0
        raise truncated(position)
    little = encoding.little_endian
    if not encoding.explicit:
        group, number, length = IMPLICIT_HEADERS[little].unpack_from(buffer, position)
        return group << 16 | number, None, position + 8, length
    group, number, vr, length = EXPLICIT_HEADERS[little].unpack_from(buffer, position)
    tag = group << 16 | number
    if vr in SHORT_VRS:
        return tag, vr, position + 8, length
    return tag, *unusual_form(buffer, position, end, vr, little_endian=little)


def unusual_form(
    buffer: Buffer, position: int, end: int, vr: bytes, *, little_endian: bool
) -> tuple[bytes | None, int, int]:
    """(VR, start of the value, its length) of an element in explicit VR whose VR is not one of `SHORT_VRS`.

    A VR of two letters that is not known may be new, then it has the long form (PS3.5 §6.2); where that does not fit,
    it is one of long ago in the short form. Blanks or NULs instead of a VR: the short form. Anything else: the writer
    went on in implicit VR.
    """
    if vr in LONG_VRS or (vr.isalpha() and vr.isupper()):
        if position + 12 <= end:
            (length,) = LENGTHS[little_endian].unpack_from(buffer, position + 8)
            if vr in LONG_VRS or length == UNDEFINED or position + 12 + length <= end:
                return vr, position + 12, length
        elif vr in LONG_VRS:
            raise truncated(position)
    elif vr not in (b"  ", b"\0\0", b"??", b"--"):
        (length,) = LENGTHS[little_endian].unpack_from(buffer, position + 4)
        return None, position + 8, length
    raw = buffer[position + 6 : position + 8]
    return b"UN", position + 8, int.from_bytes(raw, "little" if little_endian else "big")


def implicit_vr(tag: int, creators: dict[int, str], *, signed: bool) -> str:
    """The VR of a tag in implicit VR. `creators`: the private creators so far, under group and block (ggggbb)."""
    private = tag >> 16 & 1
    vr = private_vr(creators.get(tag >> 16 << 8 | tag >> 8 & 0xFF, ""), tag) if private else public_vr(tag)
    if vr == US_OR_SS:
        return "SS" if signed else "US"
    return vr


def undefined_length_vr(name: str, encoded: bytes | None) -> str:
    """The VR of an element of undefined length: "SQ" unless it is in fragments or, in explicit VR, "UN"."""
    if name[0] == "O":
        return name if encoded else "OB"  # fragments are bytes (PS3.5 §A.4)
    return "UN" if name == "UN" and encoded else "SQ"


def skip_filling(buffer: Buffer, position: int, end: int, tag: int, length: int) -> int:
    """Where to go on after what is no element: zeros up to the end, or a delimiter that delimits nothing."""
    if tag >> 16 == DELIMITER_GROUP and length == 0:
        return position + 8
    if tag == 0 and only_zeros(buffer, position, end):
        return end
    raise not_understood(position, f"a data set cannot contain the tag ({tag >> 16:04X},{tag & 0xFFFF:04X})")


def creator_name(raw: bytes) -> str:
    """A private creator as the dictionary spells it."""
    return raw.strip(b" \0").decode("latin-1")


def only_zeros(buffer: Buffer, position: int, end: int) -> bool:
    """Whether nothing but NUL remains; reads no more than it must."""
    while position < end:
        if buffer[position : min(end, position + 65536)].strip(b"\0"):
            return False
        position += 65536
    return True


def is_signed(buffer: Buffer, start: int, end: int, encoding: Encoding) -> bool:
    """Whether PixelRepresentation of a data set says two's complement; needed before its ambiguous elements are met."""
    position = start
    steps = Steps()
    for _ in repeat(None, MAX_ELEMENTS):
        if position >= end:
            break
        tag, vr, value, length = locate(buffer, position, end, encoding)
        if tag == _PIXEL_REPRESENTATION:
            return buffer[value : value + 2].strip(b"\0") == b"\1"
        if tag > _PIXEL_REPRESENTATION:
            break
        if length == UNDEFINED:
            inner = IMPLICIT_LITTLE if vr == b"UN" else encoding
            value = sequence_end(buffer, value, end, inner, 1, steps) + 8
            length = 0
        position = value + length
    return False


def sequence_end(buffer: Buffer, position: int, end: int, encoding: Encoding, depth: int, steps: Steps) -> int:
    """Where the delimiter of a sequence of undefined length lies, given where its first item starts."""
    if depth > MAX_DEPTH:
        raise _too_deep(position)
    return _closing(buffer, position, end, [(encoding, False)], depth, steps)


def _closing(
    buffer: Buffer, position: int, end: int, still_open: list[tuple[Encoding, bool]], depth: int, steps: Steps
) -> int:
    """Where the delimiter lies of what encloses a position: the only one of `still_open` (encoding, whether an item).

    `depth`: of the next sequence to be opened, less the items that enclose it in `still_open`.
    """
    while steps.left > 0:
        steps.left -= 1
        if position + 8 > end:
            raise truncated(position)
        encoding, in_item = still_open[-1]
        if in_item:
            tag, vr, value, length = locate(buffer, position, end, encoding)
        else:
            tag, value, length = _item_head(buffer, position, encoding)
        if tag == (_ITEM_END if in_item else _SEQUENCE_END):
            still_open.pop()
            if not still_open:
                return position
            position += 8
        elif length != UNDEFINED:
            position = value + length
            if position > end:
                raise truncated(value)
        else:
            if in_item:
                encoding = IMPLICIT_LITTLE if vr == b"UN" else encoding
                if depth + len(still_open) // 2 > MAX_DEPTH:
                    raise _too_deep(position)
            still_open.append((encoding, not in_item))
            position = value
    raise not_understood(position, "too many elements, items or fragments")


def _item_head(buffer: Buffer, position: int, encoding: Encoding) -> tuple[int, int, int]:
    """(tag, start of the content, its length) of an item or of the delimiter behind the last one."""
    group, number, length = IMPLICIT_HEADERS[encoding.little_endian].unpack_from(buffer, position)
    if group != DELIMITER_GROUP or number not in (ITEM, SEQUENCE_END):
        raise not_understood(position, "an item or the end of the sequence was expected")
    return group << 16 | number, position + 8, length


def _too_deep(position: int) -> ServerError:
    return not_understood(position, f"sequences are nested deeper than {MAX_DEPTH}")
