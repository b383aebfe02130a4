"""PURE: identifiers of C-FIND, C-MOVE and C-GET (PS3.4 §C.4) → what they ask for. Writes no answers."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.charset import Charset, charset_of
from dicomweb_server.dicom.elements import Element, creator_name, items, walk
from dicomweb_server.dicom.encoding import Encoding
from dicomweb_server.dicom.information_levels import COMPUTED, attribute_level
from dicomweb_server.dicom.matching_key import Key, MatchingRules, matching_keys
from dicomweb_server.dicom.query import Include, Match, MatchKind, Query
from dicomweb_server.dicom.uids import transfer_syntax
from dicomweb_server.errors import Reason, ServerError

LARGEST_IDENTIFIER = 1 << 20
MOST_KEYS = 1000
_DEEPEST = 8

CHARACTER_SET = 0x00080005
QUERY_LEVEL = 0x00080052
RETRIEVE_AE_TITLE = 0x00080054
AVAILABILITY = 0x00080056
RETRIEVE_URL = 0x00081190
TIMEZONE = 0x00080201
# Not matched: they say how the query or its answer is meant (PS3.4 §C.4.1.1.3).
_NO_KEYS = frozenset({CHARACTER_SET, QUERY_LEVEL, 0x00080053, RETRIEVE_AE_TITLE, AVAILABILITY, TIMEZONE})
# Retired ones that old devices still send: neither matched nor answered.
_IGNORED = frozenset({0x00080001, 0x00080010})

LEVEL_NAMES: Mapping[str, Level] = {
    "PATIENT": Level.PATIENT,
    "STUDY": Level.STUDY,
    "SERIES": Level.SERIES,
    "IMAGE": Level.INSTANCE,
}
UNIQUE_KEYS: Mapping[Level, int] = {
    Level.PATIENT: 0x00100020,
    Level.STUDY: 0x0020000D,
    Level.SERIES: 0x0020000E,
    Level.INSTANCE: 0x00080018,
}
_UNIQUE_NAMES = {Level.PATIENT: "Patient ID", Level.STUDY: "Study Instance UID", Level.SERIES: "Series Instance UID"}
_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


@dataclass(frozen=True, slots=True)
class RequestKey:
    """One attribute of an identifier. `tag`: as written; `items`: for a sequence, the keys of its item."""

    tag: int
    vr: str
    text: str
    items: "tuple[RequestKey, ...]" = ()
    private_creator: str | None = None


@dataclass(frozen=True, slots=True)
class Identifier:
    """A request's identifier: its level, its keys in the order of their tags, the character set it is in."""

    level: str
    keys: tuple[RequestKey, ...]
    character_set: str = ""

    def values(self, tag: int) -> list[str]:
        """The values of a top-level key."""
        text = next((key.text for key in self.keys if key.tag == tag), "")
        return [value for part in text.split("\\") if (value := part.strip(" \0"))]


@dataclass(frozen=True, slots=True)
class Rules:
    """What extended negotiation agreed on for a query/retrieve SOP class (PS3.4 tables C.5-1 to C.5-4)."""

    relational: bool = False
    combined_datetime: bool = False
    fuzzy: bool = False
    timezone: bool = False
    empty_value: bool = False
    multiple_value: bool = False


def agreed_rules(information: bytes) -> Rules:
    """The rules that our answer to the extended negotiation stands for."""
    agreed = [value == 1 for value in information.ljust(7, b"\0")]
    return Rules(agreed[0], agreed[1], agreed[2], agreed[3], agreed[5], agreed[6])


def read_identifier(data: bytes, transfer_syntax_uid: str) -> Identifier:
    """The keys in a data set; ServerError(CANNOT_UNDERSTAND, BAD_REQUEST) if it cannot be one."""
    encoding = transfer_syntax(transfer_syntax_uid).encoding
    label = _character_set(data, encoding)
    keys = tuple(_keys(data, 0, len(data), encoding, charset_of(label), 0))
    level = next((key.text for key in keys if key.tag == QUERY_LEVEL), "")
    return Identifier(level.upper(), keys, label.decode("ascii", "replace").strip(" \0"))


def query_level(identifier: Identifier, levels: tuple[Level, ...]) -> Level:
    """The level of an identifier; ServerError(BAD_REQUEST) if its information model has none such."""
    level = LEVEL_NAMES.get(identifier.level)
    if level is None or level not in levels:
        names = [name for name, each in LEVEL_NAMES.items() if each in levels]
        raise ServerError(Reason.BAD_REQUEST, f"Query/Retrieve Level is none of {', '.join(names)}")
    return level


def require_parents(identifier: Identifier, level: Level, levels: tuple[Level, ...]) -> None:
    """Without relational queries, the unique keys of all levels above must have a value (PS3.4 §C.4.1.2.1)."""
    for above in levels:
        if above < level and not _has_value(identifier, UNIQUE_KEYS[above]):
            raise ServerError(Reason.BAD_REQUEST, f"no {_UNIQUE_NAMES[above]}, and no relational query agreed")


def find_query(identifier: Identifier, level: Level, rules: Rules) -> Query:
    """The search that a C-FIND identifier means; ServerError(BAD_REQUEST) for a key that cannot be matched."""
    matching = MatchingRules(
        empty_value=rules.empty_value,
        multiple_value=rules.multiple_value,
        combined_datetime=rules.combined_datetime,
    )
    supported = [key for key in identifier.keys if is_supported(key, level)]
    return Query(
        level=level,
        matches=tuple(match for key in supported for match in _matches(key, (), matching)),
        include=tuple(Include((_without_block(key),), key.private_creator) for key in supported),
        only_included=True,
        fuzzy=rules.fuzzy,
        combined_datetime=rules.combined_datetime,
    )


def worklist_matches(identifier: Identifier, rules: Rules) -> tuple[Match, ...]:
    """What an identifier of a worklist query matches; ServerError(BAD_REQUEST) for a key that cannot be matched.

    A range of start dates and one of start times are one interval there (PS3.4 §K.2.2.1.2), negotiated or not.
    """
    matching = MatchingRules(empty_value=rules.empty_value, multiple_value=rules.multiple_value, combined_datetime=True)
    asked = [key for key in identifier.keys if is_to_be_answered(key)]
    return tuple(match for key in asked for match in _matches(key, (), matching))


def is_supported(key: RequestKey, level: Level) -> bool:
    """Whether a key is one that can be answered at a level.

    The creator of a private block is none: Vitrea sends that of a block of its own, which no instance need have.
    """
    if key.tag in _NO_KEYS:
        return False
    if key.tag >> 16 & 1:
        return key.private_creator is not None
    if key.tag in COMPUTED:
        own = COMPUTED[key.tag][0]
        return own is level if own is Level.PATIENT else own <= level
    of = attribute_level(key.tag)
    return of is not None and of <= level


def is_to_be_answered(key: RequestKey) -> bool:
    """Whether a key asks for a value; not so those that say how the query is meant, and creators of private blocks."""
    return key.tag not in _NO_KEYS and not _is_creator(key.tag)


def _has_value(identifier: Identifier, tag: int) -> bool:
    return any(value.strip("*?") for value in identifier.values(tag))


def _matches(key: RequestKey, above: tuple[int, ...], rules: MatchingRules) -> Iterator[Match]:
    path = (*above, _without_block(key))
    if key.vr == "SQ":
        for inner in key.items:
            yield from _matches(inner, path, rules)
        return
    name = "".join(f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in path)
    for match in matching_keys(Key(name, path, key.vr, key.private_creator), key.text, rules):
        if match.kind is not MatchKind.UNIVERSAL:
            yield match


def _without_block(key: RequestKey) -> int:
    return key.tag if key.private_creator is None else key.tag & 0xFFFF00FF


def _is_creator(tag: int) -> bool:
    return bool(tag >> 16 & 1) and 0x10 <= tag & 0xFFFF <= 0xFF


def _character_set(data: bytes, encoding: Encoding) -> bytes:
    for element in walk(data, 0, len(data), encoding):
        if element.tag == CHARACTER_SET:
            return data[element.start : element.end]
        if element.tag > CHARACTER_SET:
            break
    return b""


def _keys(data: bytes, start: int, end: int, encoding: Encoding, charset: Charset, depth: int) -> Iterator[RequestKey]:
    creators: dict[int, str] = {}
    count = 0
    for element in walk(data, start, end, encoding, depth=depth):
        tag = element.tag
        count += 1
        if count > MOST_KEYS:
            raise ServerError(Reason.BAD_REQUEST, f"an identifier of more than {MOST_KEYS} keys")
        if tag & 0xFFFF == 0 or tag in _IGNORED:
            continue
        if _is_creator(tag):
            creators[tag >> 16 << 8 | tag & 0xFF] = creator_name(data[element.start : element.end])
        creator = creators.get(tag >> 16 << 8 | tag >> 8 & 0xFF) if tag >> 16 & 1 else None
        if element.vr == "SQ":
            inner = tuple(_item_keys(data, element, encoding, charset, depth))
            yield RequestKey(tag, "SQ", "", inner, creator)
        else:
            yield RequestKey(tag, element.vr, _text(data, element, encoding, charset), (), creator)


def _item_keys(data: bytes, element: Element, encoding: Encoding, charset: Charset, depth: int) -> Iterator[RequestKey]:
    """The keys of the one item that a key of VR SQ has (PS3.4 §C.2.2.2.6)."""
    if depth >= _DEEPEST:
        raise ServerError(Reason.BAD_REQUEST, f"sequences of an identifier are nested deeper than {_DEEPEST}")
    for start, end in items(data, element, encoding, depth=depth):
        yield from _keys(data, start, end, encoding, charset, depth + 1)
        return


def _text(data: bytes, element: Element, encoding: Encoding, charset: Charset) -> str:
    raw, vr = data[element.start : element.end], element.vr
    if vr in _BINARY:
        return ""
    if vr in _NUMBERS or vr == "AT":
        return _numbers(raw, vr, "<" if encoding.little_endian else ">")
    decode = charset.decode_name if vr == "PN" else charset.decode
    return decode(raw).rstrip(" \0")


def _numbers(raw: bytes, vr: str, order: str) -> str:
    if vr == "AT":
        whole = len(raw) // 4 * 4
        pairs = struct.iter_unpack(f"{order}HH", raw[:whole])
        return "\\".join(f"{group:04X}{number:04X}" for group, number in pairs)
    form = order + _NUMBERS[vr]
    whole = len(raw) // struct.calcsize(form) * struct.calcsize(form)
    return "\\".join(str(value) for (value,) in struct.iter_unpack(form, raw[:whole]))
