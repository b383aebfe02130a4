"""PURE: a data set as Orthanc's clients write it (names or numbers of tags to texts and items) → DICOM JSON."""

from binascii import b2a_base64
from collections.abc import Iterator, Mapping
from typing import Any

from dicomweb_server.dicom.comparable import INTEGER_VRS, SINGLE_TEXT_VRS
from dicomweb_server.dicom.edit_path import edit_path
from dicomweb_server.dicom.edit_value import EditValue, edit_value
from dicomweb_server.errors import Reason, ServerError

_FLOATS = frozenset({"FD", "FL"})
_TEXT_NUMBERS = frozenset({"DS", "IS"})
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def named_document(tags: Mapping[str, object], private_creator: str = "") -> dict[str, Any]:
    """DICOM JSON; ServerError(BAD_REQUEST) for what is no tag, or a value that its VR does not allow.

    `private_creator`: whose the private tags are.
    """
    document: dict[str, Any] = {}
    for tag, attribute in _attributes(tags, private_creator):
        if tag in document:
            raise ServerError(Reason.BAD_REQUEST, f"{tag[:4].lower()},{tag[4:].lower()} is given under two names")
        document[tag] = attribute
    return dict(sorted(document.items()))


def _attributes(tags: Mapping[str, object], creator: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, value in tags.items():
        path = edit_path(name)
        if path.steps:
            raise ServerError(Reason.BAD_REQUEST, f"{name[:64]}: expected the name or number of one attribute")
        yield f"{path.tag:08X}", _attribute(edit_value(path, value, creator))


def _attribute(value: EditValue) -> dict[str, Any]:
    if value.items is not None:
        items = [{f"{each.tag:08X}": _attribute(each) for each in item} for item in value.items]
        return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
    if value.data is not None:
        return {"vr": value.vr, "InlineBinary": b2a_base64(value.data, newline=False).decode("ascii")}
    if not value.text:
        return {"vr": value.vr}
    parts = [value.text] if value.vr in SINGLE_TEXT_VRS else value.text.split("\\")
    return {"vr": value.vr, "Value": [_value(value.vr, part) for part in parts]}


def _value(vr: str, text: str) -> object:
    if not text:
        return None
    if vr == "PN":
        return {group: part for group, part in zip(_GROUPS, text.split("="), strict=False) if part}
    if vr == "AT":
        return text.strip().replace(",", "").replace("-", "").upper()
    if vr in INTEGER_VRS - _TEXT_NUMBERS:
        return int(text)
    return float(text) if vr in _FLOATS else text
