"""Bulk data: the values that DICOM JSON leaves to a URI (PS3.18 §F.2.6), found again in the bytes. Copies what it must.

The path of a value is the end of its URI: tags, and between them numbers of items counted from 1: 00540016/1/00091010.
"""

import mmap
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from dicomweb_server.dicom.attribute_json import BULK_DATA_TAGS, ENCAPSULATED_DOCUMENT, INLINE_LIMIT, TEXT_LIMIT
from dicomweb_server.dicom.byte_order import swap, word_size
from dicomweb_server.dicom.charset import Charset, charset_of
from dicomweb_server.dicom.dictionary import US_OR_SS, public_vr
from dicomweb_server.dicom.elements import VR_BYTES, Element, item_encoding, items, walk
from dicomweb_server.dicom.encoding import MAX_DEPTH, Encoding
from dicomweb_server.dicom.header import Header, open_part10
from dicomweb_server.dicom.uids import transfer_syntax
from dicomweb_server.dicom.values import BINARY_VRS
from dicomweb_server.errors import Reason, ServerError

OCTETS = "application/octet-stream"

Path = tuple[int, ...]  # tag, item, tag, item, … tag

_STEP = re.compile(r"[0-9A-Fa-f]{8}\Z", re.ASCII)
_ITEM = re.compile(r"[1-9][0-9]{0,8}\Z", re.ASCII)
_MAX_PATH = 2 * MAX_DEPTH + 1
_MEDIA_TYPE = re.compile(rb"[A-Za-z0-9][\w.+-]{0,63}/[A-Za-z0-9][\w.+-]{0,63}\Z", re.ASCII)
_CHARACTER_SET, _DOCUMENT_TYPE = 0x00080005, 0x00420012
_NOTED = frozenset({_CHARACTER_SET, _DOCUMENT_TYPE})
_TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # that Specific Character Set applies to


@dataclass(frozen=True, slots=True)
class BulkValue:
    """One value, little endian, text in UTF-8: at (offset, length) `piece` of the file as it is, else in `data`.

    `encapsulated`: pixel data in fragments; the bytes are its items, the frames are found with the frame index.
    """

    path: str
    vr: str
    media_type: str
    piece: tuple[int, int] | None = None
    data: bytes = b""
    encapsulated: bool = False

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.piece[1] if self.piece else len(self.data)


def parse_path(text: str) -> Path:
    """The path of a bulk data URI; ServerError(BAD_REQUEST) if it is none."""
    steps = text.split("/", _MAX_PATH)
    tags, numbers = steps[::2], steps[1::2]
    if not (
        len(steps) % 2 and len(steps) <= _MAX_PATH and all(map(_STEP.match, tags)) and all(map(_ITEM.match, numbers))
    ):
        raise ServerError(
            Reason.BAD_REQUEST, "a path of bulk data has tags and item numbers, such as 00540016/1/00091010"
        )
    return tuple(int(step, 10 if position % 2 else 16) for position, step in enumerate(steps))


def locate(data: bytes | memoryview | mmap.mmap, path: Path) -> BulkValue:
    """The value at a path of a Part 10 file; ServerError(NOT_FOUND) if nothing is there."""
    header = open_part10(data)
    scope = _top(header)
    for tag, number in zip(path[0:-1:2], path[1::2], strict=True):
        scope = _nth_item(header, scope, tag, number)
    found, notes = _scan(header, scope, lambda element: element.tag == path[-1])
    if found and found[0].end > found[0].start and not _is_sequence(found[0], scope.encoding):
        return _bulk_value(header, scope, found[0], notes)
    raise _nothing(scope.path + f"{path[-1]:08X}")


def stored_value(data: bytes | memoryview | mmap.mmap, path: Path) -> tuple[bytes, bool]:
    """The bytes of any value as the file has them, and whether they are fragments; NOT_FOUND if nothing is there."""
    header = open_part10(data)
    scope = _top(header)
    for tag, number in zip(path[0:-1:2], path[1::2], strict=True):
        scope = _nth_item(header, scope, tag, number)
    found, _ = _scan(header, scope, lambda element: element.tag == path[-1])
    if not found:
        raise _nothing(scope.path + f"{path[-1]:08X}")
    return bytes(header.buffer[found[0].start : found[0].end]), not found[0].defined


def all_bulk(data: bytes | memoryview | mmap.mmap) -> Iterator[BulkValue]:
    """Every value of a Part 10 file that its DICOM JSON leaves to a URI, in the order of the bytes."""
    header = open_part10(data)
    yield from _bulk_in(header, _top(header))


def is_bulk_data(tag: int, vr: str, length: int) -> bool:
    """Whether DICOM JSON leaves a value to a URI."""
    limit = INLINE_LIMIT if VR_BYTES[vr] in BINARY_VRS else TEXT_LIMIT
    return length > limit or (length > 0 and tag in BULK_DATA_TAGS)


@dataclass(frozen=True, slots=True)
class _Scope:
    """A data set or item, and the character set that it takes over from the one around it."""

    start: int
    end: int
    encoding: Encoding
    charset: Charset
    path: str = ""
    depth: int = 0


def _top(header: Header) -> _Scope:
    return _Scope(header.start, header.end, header.encoding, charset_of(b""))


def _scan(header: Header, scope: _Scope, keep: Callable[[Element], bool]) -> tuple[list[Element], Mapping[int, bytes]]:
    """The elements that are wanted, and the values of those beside them that say how to read them."""
    notes: dict[int, bytes] = {}
    kept = []
    for element in walk(header.buffer, scope.start, scope.end, scope.encoding, depth=scope.depth):
        if element.tag in _NOTED:
            notes.setdefault(element.tag, header.buffer[element.start : min(element.end, element.start + 1024)])
        if keep(element):
            kept.append(element)
    return kept, notes


def _bulk_in(header: Header, scope: _Scope) -> Iterator[BulkValue]:
    seen: set[int] = set()

    def is_wanted(element: Element) -> bool:
        if element.tag in seen:  # the first of equal tags is in the JSON
            return False
        seen.add(element.tag)
        return _is_sequence(element, scope.encoding) or is_bulk_data(
            element.tag, *_vr_and_length(element, scope.encoding)
        )

    found, notes = _scan(header, scope, is_wanted)
    for element in found:
        if _is_sequence(element, scope.encoding):
            yield from _bulk_in_items(header, scope, element, notes)
        else:
            yield _bulk_value(header, scope, element, notes)


def _bulk_in_items(header: Header, scope: _Scope, element: Element, notes: Mapping[int, bytes]) -> Iterator[BulkValue]:
    try:
        nested = [
            value
            for number, place in enumerate(items(header.buffer, element, scope.encoding, depth=scope.depth), 1)
            for value in _bulk_in(header, _inside(scope, element, notes, number, place))
        ]
    except ServerError:
        if element.vr != "UN" or not element.defined:
            raise
        # A value of unknown VR where the dictionary has a sequence, but it is none.
        nested = []
        if is_bulk_data(element.tag, "UN", element.end - element.start):
            nested = [_bulk_value(header, scope, element, notes)]
    yield from nested


def _inside(scope: _Scope, element: Element, notes: Mapping[int, bytes], number: int, place: tuple[int, int]) -> _Scope:
    encoding = item_encoding(element, scope.encoding)
    path = f"{scope.path}{element.tag:08X}/{number}/"
    return _Scope(*place, encoding, _charset(scope, notes), path, scope.depth + 1)


def _nth_item(header: Header, scope: _Scope, tag: int, number: int) -> _Scope:
    found, notes = _scan(header, scope, lambda element: element.tag == tag)
    if found and _is_sequence(found[0], scope.encoding):
        places = items(header.buffer, found[0], scope.encoding, depth=scope.depth)
        place = next(islice(places, number - 1, None), None)
        if place is not None:
            return _inside(scope, found[0], notes, number, place)
    raise _nothing(f"{scope.path}{tag:08X}/{number}")


def _nothing(path: str) -> ServerError:
    return ServerError(Reason.NOT_FOUND, f"the instance has no value at {path}")


def _charset(scope: _Scope, notes: Mapping[int, bytes]) -> Charset:
    return charset_of(notes[_CHARACTER_SET]) if _CHARACTER_SET in notes else scope.charset


def _is_sequence(element: Element, encoding: Encoding) -> bool:
    """Whether there are items in a value, also in one of unknown VR (PS3.5 §6.2.2)."""
    if element.vr != "UN":
        return element.vr == "SQ"
    return not element.defined or _vr_and_length(element, encoding)[0] == "SQ"


def _vr_and_length(element: Element, encoding: Encoding) -> tuple[str, int]:
    """The VR that the JSON names: of the dictionary where the encoded one is UN and there is no doubt."""
    vr = element.vr
    if vr == "UN" and encoding.explicit and encoding.little_endian and not element.tag >> 16 & 1:
        known = public_vr(element.tag)
        vr = "UN" if known == US_OR_SS or known[0] == "O" else known
    return vr, element.end - element.start


def _bulk_value(header: Header, scope: _Scope, element: Element, notes: Mapping[int, bytes]) -> BulkValue:
    vr, length = _vr_and_length(element, scope.encoding)
    path = f"{scope.path}{element.tag:08X}"
    if not element.defined:
        media_type = transfer_syntax(header.transfer_syntax_uid).media_type
        value = BulkValue(path, vr, media_type, encapsulated=True)
    else:
        document_type = notes.get(_DOCUMENT_TYPE, b"").strip(b" \0") if element.tag == ENCAPSULATED_DOCUMENT else b""
        value = BulkValue(path, vr, document_type.decode("ascii") if _MEDIA_TYPE.match(document_type) else OCTETS)
    data = None
    if vr in _TEXT_VRS:
        raw = header.buffer[element.start : element.end]
        charset = _charset(scope, notes)
        data = (charset.decode_name if vr == "PN" else charset.decode)(raw).encode("utf-8")
    elif not scope.encoding.little_endian:
        data = swap(header.buffer[element.start : element.end], word_size(vr))
    elif header.encoding.deflated:
        data = header.buffer[element.start : element.end]
    return replace(value, piece=(element.start, length)) if data is None else replace(value, data=data)
