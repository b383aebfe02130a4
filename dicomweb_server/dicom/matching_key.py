"""Text of a key → Match, checked: QIDO-RS parameters and C-FIND identifiers alike (PS3.4 C.2.2.2); does no I/O.

What cannot be matched is refused with the key's name and what was expected, never with the value.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from dicomweb_server.dicom.comparable import (
    INTEGER_VRS,
    MATCHABLE_VRS,
    NUMBER_VRS,
    SINGLE_TEXT_VRS,
    WILDCARD_VRS,
    comparable,
    date_text,
    instant_bounds,
    number,
    person_groups,
    time_bounds,
)
from dicomweb_server.dicom.dictionary import public_entry
from dicomweb_server.dicom.query import Match, MatchKind
from dicomweb_server.errors import Reason, ServerError

MODALITIES_IN_STUDY = 0x00080061
_LONGEST = 10_240  # characters: the longest text that VR LT has
_MOST_VALUES = 5_000
_MOST_VALUES_TOGETHER = 32
_SEPARATORS = re.compile(r"[,\\]")
_UID = re.compile(r"[0-9.]{1,64}", re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?([0-9]{1,20}\.?[0-9]{0,20}|\.[0-9]{1,20})([Ee][+-]?[0-9]{1,3})?", re.ASCII)
# Those of them that PS3.4 §C.2.2.2.8 names: an attribute of theirs that may have several values has to have all.
_MULTIPLE_VRS = frozenset({"AE", "AS", "AT", "CS", "LO", "PN", "SH", "UC"})
_TAG = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)
_RANGES: dict[str, tuple[Callable[[str], tuple[str, str] | None], str]] = {
    "DA": (lambda text: (day, day) if (day := date_text(text)) else None, "YYYYMMDD or a range of such dates"),
    "TM": (time_bounds, "HHMMSS.FFFFFF, from the right as much left out as wanted, or a range of such times"),
    "DT": (instant_bounds, "YYYYMMDDHHMMSS.FFFFFF&ZZXX, from the right as much left out as wanted, or a range"),
}


@dataclass(frozen=True, slots=True)
class Key:
    """What a key names. `name`: as the client wrote it, for messages."""

    name: str
    path: tuple[int, ...]
    vr: str
    private_creator: str | None = None


@dataclass(frozen=True, slots=True)
class MatchingRules:
    """What the client asked for or negotiated.

    `empty_value`: `""` finds empty values. `multiple_value`: a list matches all of its values where the attribute may
    have several, else any. `combined_datetime`: ranges of dates and of times are one interval, so that the time it ends
    at may be earlier in its day.
    """

    empty_value: bool = False
    multiple_value: bool = False
    combined_datetime: bool = False


def matching_keys(key: Key, text: str, rules: MatchingRules) -> tuple[Match, ...]:
    """The Matches for a key's text, each of which has to be met; ServerError(BAD_REQUEST) as for `matching_key`."""
    if not (rules.multiple_value and _may_have_several_values(key)):
        return (matching_key(key, text, rules),)
    values = dict.fromkeys(value for each in _values(key, text) if (value := each.strip(" ")))
    if len(values) > _MOST_VALUES_TOGETHER:
        raise _refusal(key, f"expected at most {_MOST_VALUES_TOGETHER} values")
    return tuple(matching_key(key, value, rules) for value in values or ("",))


def _may_have_several_values(key: Key) -> bool:
    entry = public_entry(key.path[-1])
    return entry is not None and entry[0] in _MULTIPLE_VRS and entry[1] != "1"


def matching_key(key: Key, text: str, rules: MatchingRules) -> Match:
    """The Match for a key's text; ServerError(BAD_REQUEST) if the text is not one that its VR allows."""
    text = text.strip(" ") if key.vr not in SINGLE_TEXT_VRS else text
    if not text.strip("*"):
        return _match(key, MatchKind.UNIVERSAL)
    if rules.empty_value and text == '""':
        return _match(key, MatchKind.EMPTY)
    if key.vr not in MATCHABLE_VRS:
        raise _refusal(key, f"an attribute of VR {key.vr} takes no value to match")
    if key.vr == "UI":
        return _uid_match(key, text)
    if rules.multiple_value or key.path[-1] == MODALITIES_IN_STUDY:
        return _multiple_match(key, text, rules)
    return _value_match(key, text, rules)


def _match(key: Key, kind: MatchKind, *values: str) -> Match:
    return Match(key.path, key.vr, kind, values, key.private_creator)


def _refusal(key: Key, expected: str) -> ServerError:
    return ServerError(Reason.BAD_REQUEST, f"key {key.name[:80]}: {expected}")


def _uid_match(key: Key, text: str) -> Match:
    uids = [uid.strip(" \0") for uid in _values(key, text)]
    if not all(_UID.fullmatch(uid) for uid in uids):
        raise _refusal(key, "expected a UID (digits and dots, at most 64), or several with commas between")
    if len(uids) == 1:
        return _match(key, MatchKind.SINGLE, uids[0])
    return _match(key, MatchKind.UID_LIST, *dict.fromkeys(uids))


def _values(key: Key, text: str) -> list[str]:
    values = _SEPARATORS.split(text)
    if len(values) > _MOST_VALUES:
        raise _refusal(key, f"expected at most {_MOST_VALUES} values")
    return values


def _multiple_match(key: Key, text: str, rules: MatchingRules) -> Match:
    values = [text] if key.vr in SINGLE_TEXT_VRS else [value.strip(" ") for value in _values(key, text)]
    kept = list(dict.fromkeys(value for value in values if value))
    if not kept or any(not value.strip("*") for value in kept):
        return _match(key, MatchKind.UNIVERSAL)
    alternatives = [
        _match(key, MatchKind.EMPTY) if rules.empty_value and value == '""' else _value_match(key, value, rules)
        for value in kept
    ]
    if len(alternatives) == 1:
        return alternatives[0]
    return Match(key.path, key.vr, MatchKind.MULTIPLE, (), key.private_creator, tuple(alternatives))


def _value_match(key: Key, text: str, rules: MatchingRules) -> Match:
    if key.vr in _RANGES:
        return _range_match(key, text, rules)
    if key.vr in NUMBER_VRS:
        return _number_match(key, text)
    if len(text) > _LONGEST:
        raise _refusal(key, f"expected at most {_LONGEST} characters")
    if key.vr == "AT":
        if not _TAG.fullmatch(text):
            raise _refusal(key, "expected a tag of eight hexadecimal digits")
        return _match(key, MatchKind.SINGLE, text.upper())
    kind = MatchKind.WILDCARD if key.vr in WILDCARD_VRS and ("*" in text or "?" in text) else MatchKind.SINGLE
    if key.vr == "PN":
        return _match(key, kind, "=".join(person_groups(text)).rstrip("="))
    return _match(key, kind, comparable(key.vr, text))


def _number_match(key: Key, text: str) -> Match:
    if key.vr in INTEGER_VRS and not _INTEGER.fullmatch(text):
        raise _refusal(key, "expected a whole number")
    if not _DECIMAL.fullmatch(text):
        raise _refusal(key, "expected a number")
    return _match(key, MatchKind.SINGLE, number(text))


def _range_match(key: Key, text: str, rules: MatchingRules) -> Match:
    bounds, expected = _RANGES[key.vr]
    single = bounds(text)
    if single is not None:
        # One date is itself; one time of day, or instant, is every moment that it names.
        return _match(key, MatchKind.SINGLE, single[0]) if key.vr == "DA" else _match(key, MatchKind.RANGE, *single)
    for hyphen in (n for n, c in enumerate(text[:64]) if c == "-"):
        low, high = text[:hyphen].strip(), text[hyphen + 1 :].strip()
        first, last = bounds(low) if low else ("", ""), bounds(high) if high else ("", "")
        if first is None or last is None or not (low or high):
            continue
        if low and high and first[0] > last[1] and not (rules.combined_datetime and key.vr == "TM"):
            raise _refusal(key, "the range ends before it begins")
        return _match(key, MatchKind.RANGE, first[0], last[1])
    raise _refusal(key, f"expected {expected}")
