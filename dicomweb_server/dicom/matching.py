"""Does a data set match a Query (PS3.4 C.2.2.2)? The rule that the index's SQL must agree with; does no I/O.

A data set is a DICOM JSON object, with the attributes that an index computes (Modalities in Study and the like) in it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dicomweb_server.dicom.comparable import NUMBER_VRS, comparable, number
from dicomweb_server.dicom.folding import fold
from dicomweb_server.dicom.query import Match, MatchKind, Query
from dicomweb_server.dicom.timezone import DATE_TIME_PAIRS, adjusted
from dicomweb_server.dicom.wildcard import wildcard

__all__ = ["JsonObject", "fold", "key_words", "matches", "private_tag"]

JsonObject = Mapping[str, Any]

_WORD_ENDS = re.compile(r"[\^= ,\-\\]+")
_KEY_WORD_ENDS = re.compile(r"[\^= ,\-\\*?]+")


def matches(document: JsonObject, query: Query) -> bool:
    """Whether one data set matches all keys of the query; its level and parents are the caller's matter."""
    rules = _Rules(query.fuzzy, query.combined_datetime)
    if query.timezone is not None:
        document = adjusted(document, query.timezone)
    return _all_match(document, [(match.path, match) for match in query.matches], rules)


@dataclass(frozen=True, slots=True)
class _Rules:
    fuzzy: bool
    combined_datetime: bool


_Keys = Sequence[tuple[tuple[int, ...], Match]]  # (the rest of the path, the key)


def _all_match(document: JsonObject, keys: _Keys, rules: _Rules) -> bool:
    if rules.combined_datetime and (pairs := _combined(keys)):
        combined = {tag for pair in pairs for tag in pair}
        if not all(_moment_matches(document, date, time) for date, time in pairs.values()):
            return False
        keys = [(path, key) for path, key in keys if len(path) > 1 or path[0] not in combined]
    below: dict[str, list[tuple[tuple[int, ...], Match]]] = {}
    for path, key in keys:
        name = _name(document, path[0], key.private_creator)
        if len(path) > 1:
            below.setdefault(name, []).append((path[1:], key))
        elif not _element_matches(document.get(name, {}), key, rules):
            return False
    # All keys of a sequence have to match in one of its items (PS3.4 C.2.2.2.6).
    return all(
        any(_all_match(item, inner, rules) for item in _items(document.get(name, {}))) for name, inner in below.items()
    )


def _items(element: JsonObject) -> Sequence[JsonObject]:
    """The items of a sequence, an empty one if it has none, or is encoded as something else."""
    return [item for item in element.get("Value") or () if isinstance(item, dict)] or [{}]


def _name(document: JsonObject, tag: int, creator: str | None) -> str:
    if creator is not None and tag >> 16 & 1:
        tag = private_tag(document, tag, creator) or tag
    return f"{tag:08X}"


def private_tag(document: JsonObject, tag: int, creator: str) -> int | None:
    """The tag that a private attribute (gggg00ee) of a creator has in this data set; None if it reserved no block."""
    group = tag & 0xFFFF0000
    for block in range(0x10, 0x100):
        element = document.get(f"{group | block:08X}")
        if element and creator in element.get("Value", ()):
            return group | block << 8 | tag & 0xFF
    return None


def _element_matches(element: JsonObject, key: Match, rules: _Rules) -> bool:
    if key.kind is MatchKind.UNIVERSAL:
        return True
    if key.kind is MatchKind.MULTIPLE:
        return any(_element_matches(element, alternative, rules) for alternative in key.alternatives)
    vr = element.get("vr", key.vr)
    if key.kind is MatchKind.EMPTY:
        return _is_empty(element)
    if vr == "PN":
        return _person_matches(element.get("Value", ()), key, rules)
    return any(_value_matches(text, key, vr) for value in element.get("Value", ()) if (text := _text(vr, value)))


def _is_empty(element: JsonObject) -> bool:
    if "BulkDataURI" in element or element.get("InlineBinary"):
        return False
    vr = element.get("vr")
    values = element.get("Value", ())
    if vr == "PN":
        return not any(group.strip("^ ") for name in values if name for group in name.values())
    return not values if vr == "SQ" else not any(str(value).strip() for value in values if value is not None)


def _text(vr: str, value: object) -> str:
    if value is None or isinstance(value, dict):
        return ""
    return number(str(value)) if vr in NUMBER_VRS else comparable(vr, str(value))


def _value_matches(text: str, key: Match, vr: str) -> bool:
    if key.kind is MatchKind.RANGE:
        low, high = key.values
        return low <= text and (not high or text <= high)
    if key.kind is MatchKind.WILDCARD:
        return wildcard(key.values[0]).matches(text)
    if vr != key.vr:  # a private attribute, whose VR only the data set knows
        return text in [comparable(vr, value) for value in key.values]
    return text in key.values


def _person_matches(names: Sequence[Mapping[str, str] | None], key: Match, rules: _Rules) -> bool:
    groups = [
        [comparable("PN", name.get(part, "")) for part in ("Alphabetic", "Ideographic", "Phonetic")]
        for name in names
        if name
    ]
    if any(_groups_match(name, key) for name in groups):
        return True
    return rules.fuzzy and _words_match([group for name in groups for group in name], key)


def _groups_match(groups: Sequence[str], key: Match) -> bool:
    if "=" not in key.values[0]:
        return any(_group_matches(group, key.values[0], key.kind) for group in groups if group)
    wanted = key.values[0].split("=")
    return len(wanted) <= len(groups) and all(
        not want or (bool(group) and _group_matches(group, want, key.kind))
        for group, want in zip(groups, wanted, strict=False)
    )


def _group_matches(group: str, wanted: str, kind: MatchKind) -> bool:
    return wildcard(wanted).matches(group) if kind is MatchKind.WILDCARD else group == wanted


def key_words(key: str) -> list[str]:
    """The words of a person name's key that `fuzzymatching` looks for as beginnings of words."""
    return [word for word in _KEY_WORD_ENDS.split(key) if word]


def _words_match(groups: Sequence[str], key: Match) -> bool:
    words = [word for group in groups for word in _WORD_ENDS.split(group)]
    wanted = key_words(key.values[0])
    return bool(wanted) and all(any(word.startswith(want) for word in words) for want in wanted)


def _combined(keys: _Keys) -> dict[tuple[int, int], tuple[Match, Match]]:
    """The pairs of a date and a time that are both asked for at this level of the data set."""
    single = {path[0]: key for path, key in keys if len(path) == 1 and key.kind in (MatchKind.RANGE, MatchKind.SINGLE)}
    return {
        (date, time): (single[date], single[time])
        for date, time in DATE_TIME_PAIRS
        if date in single and time in single
    }


def _moment_matches(document: JsonObject, date: Match, time: Match) -> bool:
    days, times = (document.get(f"{key.path[-1]:08X}", {}).get("Value", ()) for key in (date, time))
    day = comparable("DA", days[0]) if days and days[0] else ""
    if len(day) != len("YYYYMMDD"):
        return False
    moment = day + (comparable("TM", times[0]) if times and times[0] else "")
    first, last = date.values[0], date.values[-1]
    low = first + time.values[0] if first else ""
    high = last + (time.values[1] or "235959.999999") if last else ""
    return low <= moment and (not high or moment <= high)
