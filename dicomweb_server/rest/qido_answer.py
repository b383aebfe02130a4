"""PURE: matches of a QIDO-RS search in the form of Orthanc's DICOMweb plugin: names beside numbers, values as texts."""

from typing import Any

from dicomweb_server.dicom.orthanc_json import tag_name
from dicomweb_server.errors import Reason, ServerError


def simplified(matches: Any) -> list[dict[str, Any]]:
    """All matches; ServerError(PEER_FAILED) for what is no list of data sets."""
    if not isinstance(matches, list) or not all(isinstance(match, dict) for match in matches):
        raise ServerError(Reason.PEER_FAILED, "the server answered a search with what is no list of DICOM JSON objects")
    return [_data_set(match) for match in matches]


def _data_set(match: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for key, element in sorted(match.items()):
        try:
            tag = int(key, 16)
        except ValueError:
            continue
        if isinstance(element, dict) and len(key) == 8:
            found[key] = _element(tag, element)
    return found


def _element(tag: int, element: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Element": tag & 0xFFFF,
        "Group": tag >> 16,
        "Name": tag_name(tag),
        "vr": element.get("vr", "UN"),
    }
    values = element.get("Value")
    if isinstance(values, list):
        if element.get("vr") == "SQ":
            shown["Value"] = [_data_set(item) for item in values if isinstance(item, dict)]
        else:
            shown["Value"] = "\\".join(_text(value) for value in values)
    return shown


def _text(value: Any) -> str:
    """One value; of a person's name the alphabetic group, as Orthanc has it."""
    if isinstance(value, dict):
        value = value.get("Alphabetic")
    return "" if value is None else str(value)
