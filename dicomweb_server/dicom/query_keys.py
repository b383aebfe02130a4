"""PURE: searches as Orthanc's REST API writes them (names or numbers of tags to texts) as keys in DICOM JSON."""

import re
from collections.abc import Mapping
from typing import Any

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.dictionary import US_OR_SS, public_vr, tags_by_keyword
from dicomweb_server.dicom.information_levels import attribute_level
from dicomweb_server.dicom.scheduled import text_of
from dicomweb_server.errors import Reason, ServerError

PATIENT_ID, STUDY_UID, SERIES_UID, INSTANCE_UID = "00100020", "0020000D", "0020000E", "00080018"
_ACCESSION_NUMBER = "00080050"
_LEVELS = {
    **dict.fromkeys(("patient", "patients"), Level.PATIENT),
    **dict.fromkeys(("study", "studies"), Level.STUDY),
    "series": Level.SERIES,
    **dict.fromkeys(("instance", "instances", "image", "images"), Level.INSTANCE),
}
LEVEL_NAMES = {Level.PATIENT: "Patient", Level.STUDY: "Study", Level.SERIES: "Series", Level.INSTANCE: "Instance"}
UNIQUE_KEYS = {
    Level.PATIENT: PATIENT_ID,
    Level.STUDY: STUDY_UID,
    Level.SERIES: SERIES_UID,
    Level.INSTANCE: INSTANCE_UID,
}
_NUMBER = re.compile(r"([0-9A-Fa-f]{4})[,-]?([0-9A-Fa-f]{4})")
_DEEPEST, _MOST_KEYS, _LONGEST = 8, 500, 65_536

Keys = dict[str, dict[str, Any]]


def level_named(name: str) -> Level:
    """A level by its name; ServerError(BAD_REQUEST)."""
    if name.lower() not in _LEVELS:
        raise ServerError(Reason.BAD_REQUEST, "Level must be Patient, Study, Series or Instance")
    return _LEVELS[name.lower()]


def keys_of(query: Mapping[str, Any], depth: int = 0) -> Keys:
    """The keys of a search; ServerError(BAD_REQUEST) for what is no tag, or no text."""
    if depth > _DEEPEST or len(query) > _MOST_KEYS:
        raise ServerError(Reason.BAD_REQUEST, f"at most {_MOST_KEYS} keys, nested at most {_DEEPEST} deep, are taken")
    return {tag: _key(name, tag, value, depth) for name, value in query.items() if (tag := tag_named(name))}


def tag_named(name: str) -> str:
    """Eight hex digits for a keyword or a number in one of the usual forms; ServerError(BAD_REQUEST)."""
    number = _NUMBER.fullmatch(name)
    if number:
        return (number[1] + number[2]).upper()
    tag = tags_by_keyword().get(name)
    if tag is None:
        raise ServerError(Reason.BAD_REQUEST, f"{name[:64]!r} is neither the keyword nor the number of an attribute")
    return f"{tag:08X}"


def with_unique_keys(keys: Keys, level: Level) -> Keys:
    """The keys with what is needed to go on from an answer: the unique keys, and what people know a study by."""
    wanted = [UNIQUE_KEYS[each] for each in Level if each <= level]
    if level is not Level.PATIENT:
        wanted.append(_ACCESSION_NUMBER)
    return {tag: {"vr": public_vr(int(tag, 16))} for tag in wanted} | keys


def normalized(keys: Keys, level: Level) -> Keys:
    """Without what belongs to a level below that of the search. Private keys may belong to any."""
    return {tag: key for tag, key in keys.items() if (attribute_level(int(tag, 16)) or Level.PATIENT) <= level}


def identifying(answer: Mapping[str, Any], level: Level) -> Keys:
    """What a retrieve names an answer by; ServerError(BAD_REQUEST) if the answer lacks it."""
    wanted = [PATIENT_ID] if level is Level.PATIENT else [UNIQUE_KEYS[each] for each in Level if 0 < each <= level]
    keys = {tag: {"vr": public_vr(int(tag, 16)), "Value": [text_of(answer, tag)]} for tag in wanted}
    missing = [tag for tag, key in keys.items() if not key["Value"][0]]
    if missing:
        raise ServerError(Reason.BAD_REQUEST, f"the attribute {', '.join(missing)} is needed to retrieve, but is empty")
    return keys


def shown_retrieval(answer: Mapping[str, Any], level: Level) -> Keys:
    """What a retrieve job shows of an answer."""
    wanted = [UNIQUE_KEYS[each] for each in Level if each <= level]
    if level is not Level.PATIENT:
        wanted.append(_ACCESSION_NUMBER)
    shown = {tag: {"vr": public_vr(int(tag, 16)), "Value": [text_of(answer, tag)]} for tag in wanted}
    name = "IMAGE" if level is Level.INSTANCE else level.name
    return shown | {"00080052": {"vr": "CS", "Value": [name]}}


def count_of(data_set: Mapping[str, Any], tag: str) -> int | None:
    """The first value of an attribute that counts something; None if it is no such number."""
    text = text_of(data_set, tag)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _key(name: str, tag: str, value: Any, depth: int) -> dict[str, Any]:
    vr = public_vr(int(tag, 16))
    vr = "US" if vr == US_OR_SS else "LO" if vr == "UN" else vr
    if isinstance(value, list) and vr == "SQ":
        if not all(isinstance(item, dict) for item in value):
            raise ServerError(Reason.BAD_REQUEST, f"the items of {name[:64]} must be JSON objects")
        return {"vr": "SQ", "Value": [keys_of(item, depth + 1) for item in value]}
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ServerError(Reason.BAD_REQUEST, f"the value of {name[:64]} must be a text")
    if not value or vr == "SQ":
        return {"vr": vr}
    if vr == "PN":
        groups = zip(("Alphabetic", "Ideographic", "Phonetic"), value.split("="), strict=False)
        return {"vr": vr, "Value": [{group: part for group, part in groups if part}]}
    return {"vr": vr, "Value": value.split("\\") if vr in ("UI", "CS", "IS", "DS") else [value]}
