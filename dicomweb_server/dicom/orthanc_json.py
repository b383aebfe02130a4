"""DICOM JSON → the JSON in which Orthanc shows data sets: every value a text, tags by number or by name."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

from dicomweb_server.dicom.dictionary import keyword_of, public_entry
from dicomweb_server.dicom.standard_tables import private_attributes

DataSet = Mapping[str, Any]

LONGEST_VALUE = 256
_WORD = re.compile(r"[A-Za-z0-9]+")
_UNKNOWN = "Unknown Tag & Data"
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_FLOATS = frozenset({"FD", "FL"})
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


class TagFormat(Enum):
    """How tags are named: in full (number, name, type and value), by number, or by name."""

    FULL = "full"
    SHORT = "short"
    SIMPLE = "simplify"


def parsed(document: bytes) -> dict[str, Any]:
    """A data set in DICOM JSON, its numbers spelt as the file spells them."""
    found: dict[str, Any] = json.loads(document or b"{}", parse_float=str, parse_int=str, strict=False)
    return found


def tag_text(element: Mapping[str, Any]) -> str | None:
    """The value of an element as one text; None for a binary one, whose bytes are no text, and for a sequence."""
    vr = element["vr"]
    values = element.get("Value")
    if values is None:
        is_binary = vr in _BINARY or "BulkDataURI" in element or "InlineBinary" in element
        return None if is_binary and ("BulkDataURI" in element or "InlineBinary" in element) else ""
    if vr == "SQ":
        return None
    if vr == "PN":
        return "\\".join(_name_text(value) for value in values)
    if vr == "AT":
        return "\\".join(f"{value[:4]},{value[4:]}".lower() if value else "" for value in values)
    if vr in _FLOATS:
        return "\\".join(map(_float_text, values))
    return "\\".join("" if value is None else str(value) for value in values)


def formatted(
    data_set: DataSet,
    form: TagFormat,
    *,
    unlimited: Collection[int] = (),
    limit: int = LONGEST_VALUE,
    only: Callable[[int], bool] | None = None,
) -> dict[str, Any]:
    """A data set as Orthanc shows it. Texts longer than `limit` are left out, but those of the tags in `unlimited`.

    `only`: which tags of the top level.
    """
    found: dict[str, Any] = {}
    creators: dict[int, str] = {}
    for key, element in data_set.items():
        tag = int(key, 16)
        creator = _creator(tag, element, creators)
        if only is not None and not only(tag):
            continue
        kind, value = _typed(element, form, limit=0 if tag in unlimited else limit)
        name = tag_name(tag, creator)
        if form is TagFormat.SIMPLE:
            found.setdefault(name, value)
        elif form is TagFormat.SHORT:
            found[numbered(tag)] = value
        else:
            owner = {"PrivateCreator": creator} if creator else {}
            found[numbered(tag)] = {"Name": name, **owner, "Type": kind, "Value": value}
    return dict(sorted(found.items()))


def numbered(tag: int, separator: str = ",") -> str:
    """A tag as Orthanc writes it."""
    return f"{tag >> 16:04x}{separator}{tag & 0xFFFF:04x}"


@lru_cache(maxsize=8192)
def tag_name(tag: int, creator: str = "") -> str:
    """The keyword of a tag, or the name that its private creator gave it."""
    if tag >> 16 & 1:
        return _private_name(tag, creator)
    if public_entry(tag) is None and tag & 0xFFFF == 0:
        return "GenericGroupLength"
    return keyword_of(tag) or _UNKNOWN


def _private_name(tag: int, creator: str) -> str:
    if 0x10 <= tag & 0xFFFF <= 0xFF:
        return "PrivateCreator"
    known = private_attributes().get(creator, {}).get(f"{tag >> 16:04X}xx{tag & 0xFF:02X}")
    if not known:
        return _UNKNOWN
    # As a keyword would be: Orthanc shows those of its own dictionary.
    return "".join(word[0].upper() + word[1:] for word in _WORD.findall(known[2]))


def _creator(tag: int, element: Mapping[str, Any], creators: dict[int, str]) -> str:
    """The creator of a private tag; those met on the way are noted in `creators`."""
    if not tag >> 16 & 1:
        return ""
    number = tag & 0xFFFF
    if 0x10 <= number <= 0xFF:
        creators[tag >> 16 << 8 | number] = tag_text(element) or ""
        return ""
    return creators.get(tag >> 16 << 8 | number >> 8, "")


def _typed(element: Mapping[str, Any], form: TagFormat, *, limit: int) -> tuple[str, Any]:
    if element["vr"] == "SQ":
        return "Sequence", [formatted(item, form, limit=limit) for item in element.get("Value", ())]
    text = tag_text(element)
    if text is None:
        return "Null", None
    if limit and len(text) > limit:
        return "TooLong", None
    return "String", text


def _name_text(value: Mapping[str, str] | None) -> str:
    return "=".join((value or {}).get(group, "") for group in _GROUPS).rstrip("=")


def _float_text(value: str | None) -> str:
    # With the digits that tell all doubles apart.
    try:
        return format(float(value or ""), ".17g")
    except ValueError:
        return value or ""
