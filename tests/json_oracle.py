"""An oracle for our DICOM JSON: compares it with what pydicom reads from the same file, element by element."""

import math
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.valuerep import PersonName

BINARY = {"OB", "OD", "OF", "OL", "OV", "OW", "UN"}
WORDS = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
FLOATING = {"FL", "FD"}
INTEGERS = {"SL", "SS", "UL", "US"}
LONG_INTEGERS = {"SV", "UV"}
PARAGRAPHS = {"LT", "ST", "UT", "UR"}


def differences(ours: dict[str, Any], theirs: Dataset, *, little_endian: bool = True, path: str = "") -> Iterator[str]:
    """What our JSON says otherwise than pydicom's data set; nothing when they agree."""
    elements = {f"{element.tag:08X}": element for element in theirs if element.tag.element != 0}
    for tag in sorted(ours.keys() ^ elements.keys()):
        yield f"{path}{tag}: only in {'ours' if tag in ours else 'theirs'}"
    if list(ours) != sorted(ours):
        yield f"{path}: not in order"
    for tag, attribute in ours.items():
        if tag in elements:
            for difference in _element(attribute, elements[tag], little_endian, f"{path}{tag}"):
                yield f"{path}{tag} {attribute['vr']}: {difference}"


def _element(ours: dict[str, Any], theirs: DataElement, little_endian: bool, path: str) -> Iterator[str]:
    vr = ours["vr"]
    if len(ours.keys() - {"vr"}) > 1:
        yield f"more than one of Value, InlineBinary, BulkDataURI: {list(ours)}"
    if vr != theirs.VR:
        if vr != "UN":  # pydicom resolves more than we do: private elements, and ambiguous ones
            yield f"their VR is {theirs.VR}"
    elif "BulkDataURI" in ours:
        if not ours["BulkDataURI"].endswith(f"/bulkdata/{path}"):
            yield f"bulk data URI ends {ours['BulkDataURI'][-60:]}, not {path}"
    elif vr == "SQ":
        yield from _items(ours, theirs, little_endian, path)
    elif vr in BINARY:
        if b64decode(ours.get("InlineBinary", "")) != _little_endian(vr, bytes(theirs.value or b""), little_endian):
            yield "binary value differs"
    else:
        yield from _values(ours, theirs)


def _little_endian(vr: str, content: bytes, little_endian: bool) -> bytes:
    size = WORDS.get(vr, 1)
    if little_endian or len(content) % size:
        return content
    return b"".join(content[at : at + size][::-1] for at in range(0, len(content), size))


def _items(ours: dict[str, Any], theirs: DataElement, little_endian: bool, path: str) -> Iterator[str]:
    items = ours.get("Value", [])
    if len(items) != len(theirs.value):
        yield f"{len(items)} items, theirs {len(theirs.value)}"
    for number, (item, dataset) in enumerate(zip(items, theirs.value, strict=False), start=1):
        yield from differences(item, dataset, little_endian=little_endian, path=f"{path}/{number}/")


def _values(ours: dict[str, Any], theirs: DataElement) -> Iterator[str]:
    values = ours.get("Value", [])
    if theirs.tag == 0x00080005 and theirs.value:
        theirs = DataElement(theirs.tag, theirs.VR, "ISO_IR 192")  # JSON is UTF-8
    expected = list(theirs.value) if isinstance(theirs.value, MultiValue | list) else [theirs.value]
    expected = [_expected(ours["vr"], value) for value in expected]
    if expected in ([""], [None]):
        expected = []
    if len(values) != len(expected):
        yield f"{values!r}, theirs {expected!r}"
        return
    for value, wanted in zip(values, expected, strict=True):
        if not _same(value, wanted):
            yield f"{value!r}, theirs {wanted!r}"


def _expected(vr: str, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, PersonName):
        groups = dict(zip(("Alphabetic", "Ideographic", "Phonetic"), value.components, strict=False))
        return {key: group.strip(" \0") for key, group in groups.items() if group.strip(" \0")} or None
    if vr == "AT":
        return f"{int(value):08X}"
    if vr in LONG_INTEGERS:
        return str(value)
    if vr in INTEGERS or vr in FLOATING:
        return value
    text = str(getattr(value, "original_string", value))
    return (text.rstrip(" \0") if vr in PARAGRAPHS or vr == "UC" else text.strip(" \0")) or None


def _same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, float | int) and isinstance(theirs, str):
        return float(theirs) == ours
    if isinstance(theirs, float) and not math.isfinite(theirs):
        return bool(ours == ("NaN" if math.isnan(theirs) else "Infinity" if theirs > 0 else "-Infinity"))
    return bool(ours == theirs)
