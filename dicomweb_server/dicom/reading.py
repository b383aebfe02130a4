"""Reading: one pass over the bytes of a data set that makes its DICOM JSON and gathers what index and frames need.

Two tight loops (explicit and implicit VR) look elements up in a memo, and convert what is new. Never copies pixel data.
Most instances are not read here, but by the stencil of their series.
"""

from collections.abc import Hashable
from itertools import repeat

from dicomweb_server.dicom.attribute_json import (
    PIXEL_REPRESENTATION,
    PLACE_OF_URL,
    SPECIFIC_CHARACTER_SET,
    bulk_data_member,
    known_vr,
    sequence_entry,
    value_entry,
)
from dicomweb_server.dicom.charset import charset_of
from dicomweb_server.dicom.elements import (
    EXPLICIT_HEADERS,
    IMPLICIT_HEADERS,
    LONG_VRS,
    SHORT_VRS,
    VR_BYTES,
    Steps,
    creator_name,
    implicit_vr,
    is_signed,
    only_zeros,
    sequence_end,
    skip_filling,
    unusual_form,
)
from dicomweb_server.dicom.encoding import (
    DELIMITER_GROUP,
    ITEM,
    ITEM_END,
    MAX_DEPTH,
    MAX_ELEMENTS,
    PIXEL_DATA_TAGS,
    SEQUENCE_END,
    UNDEFINED,
    Buffer,
    Encoding,
    not_understood,
    truncated,
)
from dicomweb_server.dicom.header import FRAME_TAGS, Header, PixelData
from dicomweb_server.dicom.memo import MAX_KEY, Conditions, Context, Entry, Memo, Note, Place
from dicomweb_server.errors import ServerError

_FILE_META_GROUP = 0x0002
_PIXEL_GROUP = 0x7FE0

_SEQUENCE = b'"vr":"SQ"'
_INNER = len(b'"00081140":{"vr":"SQ"')

_MEMO = Memo(limit=32 << 20)


class Reading:
    """One instance being read: its bytes, and what is gathered from its top level on the way."""

    __slots__ = ("budget", "buffer", "layout", "pixel_data", "values")

    def __init__(self, buffer: Buffer, budget: int) -> None:
        self.buffer = buffer
        self.budget = budget  # of elements and items
        self.values: dict[str, str] = {}
        self.layout: dict[int, bytes] = {}
        self.pixel_data: PixelData | None = None


def start_reading(header: Header, extra: frozenset[int]) -> "DataSetReading":
    """The reading of the whole data set of an opened instance, before its first element."""
    encoding = header.encoding
    order = "<" if encoding.little_endian else ">"
    signed = not encoding.explicit and is_signed(header.buffer, header.start, header.end, encoding)
    conditions = Conditions(encoding.explicit, order, charset_of(b""), signed, extra)
    return DataSetReading(Reading(header.buffer, MAX_ELEMENTS), _MEMO.context(conditions), "", 0)


def go_on_reading(reading: Reading, conditions: Conditions, creators: dict[int, str]) -> "DataSetReading":
    """The reading of a data set whose first elements are known, with their private creators."""
    data_set = DataSetReading(reading, _MEMO.context(conditions), "", 0)
    data_set.creators = creators
    return data_set


class DataSetReading:
    """One data set or item being read."""

    __slots__ = ("buffer", "context", "creators", "depth", "fragments", "in_order", "marks", "path", "reading")

    def __init__(self, reading: Reading, context: Context, path: str, depth: int) -> None:
        self.reading = reading
        self.buffer = reading.buffer
        self.context = context
        self.path = path  # of its elements in bulk data URIs
        self.depth = depth
        self.fragments: list[bytes] = []  # of JSON, one for each element; b"" if it is left out
        self.marks: list[int] = []  # where the elements begin, and the last one ends
        self.in_order = True
        self.creators: dict[int, str] = {}

    def json(self) -> bytes:
        """The object, its keys in ascending order and each but once: the first of equal tags counts."""
        fragments = list(filter(None, self.fragments))
        if not self.in_order:
            first: dict[bytes, bytes] = {}
            for fragment in fragments:
                first.setdefault(fragment[:10], fragment)
            fragments = [first[key] for key in sorted(first)]
        return b"{" + b",".join(fragments) + b"}"

    def read(self, position: int, end: int, *, open_ended: bool) -> int:
        """Read elements up to `end`, or up to an item delimiter if `open_ended`; returns where to go on."""
        read = self._read_explicit if self.context.explicit else self._read_implicit
        position = read(position, end - 8, end, DELIMITER_GROUP << 16 | ITEM_END if open_ended else -1)
        self.marks.append(position)
        self.reading.budget -= len(self.fragments)
        if open_ended:
            if position > end - 8:
                raise truncated(position)
            return position + 8
        if position < end and not only_zeros(self.buffer, position, end):
            raise truncated(position)
        return end

    def read_one(self, position: int) -> tuple[Entry, int]:
        """The entry of an element that is not of the short form in explicit VR, and where the next one begins."""
        end, little_endian = len(self.buffer), self.context.order == "<"
        if self.context.explicit:
            group, number, vr, _ = EXPLICIT_HEADERS[little_endian].unpack_from(self.buffer, position)
            return self._long_element(group << 16 | number, vr, position, end)
        group, number, length = IMPLICIT_HEADERS[little_endian].unpack_from(self.buffer, position)
        return self._implicit_element(group << 16 | number, length, position, end)

    def _read_explicit(self, position: int, last_start: int, end: int, delimiter: int) -> int:
        buffer = self.buffer
        append = self.fragments.append
        unpack = EXPLICIT_HEADERS[self.context.order == "<"].unpack_from
        recall = self.context.entries.get
        mark = self.marks.append
        last_tag, in_order = -1, True
        for _ in repeat(None, self.reading.budget):
            if position > last_start:
                break
            group, number, vr, length = unpack(buffer, position)
            tag = group << 16 | number
            if vr in SHORT_VRS:
                following = position + 8 + length
                if following > end:
                    raise truncated(position)
                entry = recall(buffer[position:following])
                if entry is None:
                    entry = self._convert(tag, vr, position, position + 8, following)
            elif tag == delimiter:
                break
            else:
                entry, following = self._long_element(tag, vr, position, end)
            fragment, note = entry
            mark(position)
            append(fragment)
            if fragment:
                in_order &= tag > last_tag
                last_tag = tag
                if note is not None and self._take(note):
                    recall = self.context.entries.get
            position = following
        else:
            raise _too_many(position)
        self.in_order &= in_order
        return position

    def _read_implicit(self, position: int, last_start: int, end: int, delimiter: int) -> int:
        buffer = self.buffer
        append = self.fragments.append
        unpack = IMPLICIT_HEADERS[self.context.order == "<"].unpack_from
        recall = self.context.entries.get
        mark = self.marks.append
        last_tag, in_order = -1, True
        for _ in repeat(None, self.reading.budget):
            if position > last_start:
                break
            group, number, length = unpack(buffer, position)
            tag = group << 16 | number
            following = position + 8 + length
            # What private elements mean depends on their creator; pixel data is not for the memo.
            if length <= MAX_KEY and not group & 1 and group < _PIXEL_GROUP:
                if following > end:
                    raise truncated(position)
                entry = recall(buffer[position:following])
                if entry is None:
                    entry, following = self._implicit_element(tag, length, position, end)
            elif tag == delimiter:
                break
            else:
                entry, following = self._implicit_element(tag, length, position, end)
            fragment, note = entry
            mark(position)
            append(fragment)
            if fragment:
                in_order &= tag > last_tag
                last_tag = tag
                if note is not None and self._take(note):
                    recall = self.context.entries.get
            position = following
        else:
            raise _too_many(position)
        self.in_order &= in_order
        return position

    def _take(self, note: Note) -> bool:
        """Do what the note of an element asks for; True if the context changed."""
        tag, column, text, raw = note
        if self.depth == 0:
            if column:
                self.reading.values.setdefault(column, text)
            if tag in FRAME_TAGS:
                self.reading.layout.setdefault(tag, raw)
        conditions = self.context.conditions
        if tag == SPECIFIC_CHARACTER_SET:
            conditions = conditions._replace(charset=charset_of(raw))
        elif tag == PIXEL_REPRESENTATION and not conditions.explicit:
            conditions = conditions._replace(signed=raw.strip(b"\0") == b"\1")
        else:
            return False
        self.context = _MEMO.context(conditions)
        return True

    def _convert(self, tag: int, vr: bytes, position: int, value: int, following: int) -> Entry:
        """The entry of an element of defined length that the memo's recent generation lacks."""
        context = self.context
        key = self.buffer[position:following]
        entry = context.older.get(key)
        if entry is None:
            entry = self._make(tag, vr, value, following)
        self._keep(tag, key, len(key), entry)
        return entry

    def _keep(self, tag: int, key: Hashable, size: int, entry: Entry) -> None:
        if size > MAX_KEY or tag >> 16 == _PIXEL_GROUP:  # pixel data must be met to be located
            return
        # In an item, the URI of bulk data depends on the path to it, and what is allowed in a sequence on its depth.
        if self.depth == 0 or not (PLACE_OF_URL in entry[0] or _SEQUENCE in entry[0][_INNER:]):
            _MEMO.keep(self.context, key, size, entry)

    def _long_element(self, tag: int, vr: bytes, position: int, end: int) -> tuple[Entry, int]:
        """The entry of an element in explicit VR that is not of the short form, and where the next one begins."""
        context = self.context
        found, value, length = unusual_form(self.buffer, position, end, vr, little_endian=context.order == "<")
        if tag >> 16 in (0, DELIMITER_GROUP):
            return (b"", None), skip_filling(self.buffer, position, end, tag, length)
        if found is None:
            found = VR_BYTES[implicit_vr(tag, self.creators, signed=context.signed)]
        elif found not in LONG_VRS:
            found = b"UN"
        if length == UNDEFINED:
            return self._undefined_length(tag, found, value, end)
        following = value + length
        if following > end:
            raise truncated(position)
        if tag >> 16 == _PIXEL_GROUP or following - position > MAX_KEY:
            return self._make(tag, found, value, following), following
        entry = context.entries.get(self.buffer[position:following])
        return entry or self._convert(tag, found, position, value, following), following

    def _implicit_element(self, tag: int, length: int, position: int, end: int) -> tuple[Entry, int]:
        """The entry of an element in implicit VR that the memo's recent generation lacks, and where to go on."""
        value = position + 8
        group, number = tag >> 16, tag & 0xFFFF
        if group in (0, DELIMITER_GROUP):
            return (b"", None), skip_filling(self.buffer, position, end, tag, length)
        vr = VR_BYTES[implicit_vr(tag, self.creators, signed=self.context.signed)]
        if length == UNDEFINED:
            return self._undefined_length(tag, vr, value, end)
        following = value + length
        if following > end:
            raise truncated(position)
        if length > MAX_KEY or group == _PIXEL_GROUP:
            return self._make(tag, vr, value, following), following
        if not group & 1:
            return self._convert(tag, vr, position, value, following), following
        if 0x10 <= number <= 0xFF:
            self.creators[group << 8 | number] = creator_name(self.buffer[value:following])
        key = (vr, self.buffer[position:following])
        entry = self.context.entries.get(key)
        if entry is None:
            entry = self._make(tag, vr, value, following)
            self._keep(tag, key, length + 8, entry)
        return entry, following

    def _undefined_length(self, tag: int, vr: bytes, value: int, end: int) -> tuple[Entry, int]:
        """The entry of an element of undefined length: a sequence, or fragments."""
        context = self.context
        if vr[:1] == b"O":
            if not context.explicit:
                vr = b"OB"  # encapsulated: PS3.5 §A.4 knows no other
            encoding = Encoding(context.explicit, context.order == "<")
            stop = sequence_end(self.buffer, value, end, encoding, self.depth + 1, Steps())
            if tag in PIXEL_DATA_TAGS and self.depth == 0 and self.reading.pixel_data is None:
                self.reading.pixel_data = PixelData(tag, vr.decode("ascii"), value, None)
            return (bulk_data_member(tag, vr, self.path), None), stop + 8
        if context.explicit and vr == b"UN":  # its items are in implicit VR little endian: PS3.5 §6.2.2 note 2
            context = _MEMO.context(context.conditions._replace(explicit=False, order="<"))
        return self._sequence(tag, context, value, end, open_ended=True)

    def _sequence(self, tag: int, context: Context, position: int, end: int, *, open_ended: bool) -> tuple[Entry, int]:
        """The entry of a sequence whose items start at a position, and where to go on."""
        if self.depth >= MAX_DEPTH:
            raise not_understood(position, f"sequences are nested deeper than {MAX_DEPTH}")
        place = Place.NESTED if self.depth + 1 < MAX_DEPTH else Place.DEEPEST
        inner = _MEMO.context(context.conditions._replace(place=place))
        unpack = IMPLICIT_HEADERS[context.order == "<"].unpack_from
        items: list[bytes] = []
        while open_ended or position < end:
            self.reading.budget -= 1
            if self.reading.budget <= 0:
                raise _too_many(position)
            if position + 8 > end:
                raise truncated(position)
            group, number, length = unpack(self.buffer, position)
            position += 8
            if group != DELIMITER_GROUP or number not in (ITEM, SEQUENCE_END):
                raise not_understood(position - 8, "an item or the end of a sequence was expected")
            if number == SEQUENCE_END:
                if open_ended:
                    break
                continue  # superfluous but harmless
            item = DataSetReading(self.reading, inner, f"{self.path}{tag:08X}/{len(items) + 1}/", self.depth + 1)
            stop = end if length == UNDEFINED else position + length
            if stop > end:
                raise truncated(position - 8)
            position = item.read(position, stop, open_ended=length == UNDEFINED)
            items.append(item.json())
        return sequence_entry(tag, items, context), position

    def _make(self, tag: int, vr: bytes, value: int, following: int) -> Entry:
        """The entry of an element of defined length."""
        context = self.context
        if tag >> 16 in (0, DELIMITER_GROUP):
            raise not_understood(value, f"a data set cannot contain the tag ({tag >> 16:04X},{tag & 0xFFFF:04X})")
        if not tag & 0xFFFF or tag >> 16 == _FILE_META_GROUP:
            return b"", None  # group lengths and file meta information are left out
        if vr == b"UN" and context.explicit:
            vr = known_vr(tag, context)
            if vr == b"SQ":
                return self._unknown_sequence(tag, value, following)
        if vr == b"SQ":
            return self._sequence(tag, context, value, following, open_ended=False)[0]
        if tag in PIXEL_DATA_TAGS and self.depth == 0 and self.reading.pixel_data is None:
            self.reading.pixel_data = PixelData(tag, vr.decode("ascii"), value, following - value)
        return value_entry(self.buffer, tag, vr, value, following, context, self.path)

    def _unknown_sequence(self, tag: int, value: int, following: int) -> Entry:
        """A UN element of a tag that is a sequence: its items, in implicit VR, or its bytes if there are none in it."""
        context = _MEMO.context(self.context.conditions._replace(explicit=False, order="<"))
        try:
            return self._sequence(tag, context, value, following, open_ended=False)[0]
        except ServerError:
            return value_entry(self.buffer, tag, b"UN", value, following, self.context, self.path)


def _too_many(position: int) -> ServerError:
    return not_understood(position, f"more than {MAX_ELEMENTS} elements and items")
