"""PURE: what is changed in the keys of a search for makers whose archives want it otherwise. Knows no sockets."""

from collections.abc import Mapping
from typing import Any

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dimse.identifiers import UNIQUE_KEYS
from dicomweb_server.services.modalities import Attributes, Manufacturer

_DATE_VRS = frozenset({"DA", "DT", "TM"})
_UNIVERSAL = "*"


def adapted_keys(keys: Attributes, level: Level | None, manufacturer: Manufacturer) -> Attributes:
    """The keys as this maker understands them. `level`: None for a worklist."""
    if manufacturer is Manufacturer.NO_WILDCARD_IN_DATES or manufacturer is Manufacturer.VITREA:
        return {tag: _without_universal(key, _DATE_VRS) for tag, key in keys.items()}
    if manufacturer is Manufacturer.NO_UNIVERSAL_WILDCARD:
        return {tag: _without_universal(key, None) for tag, key in keys.items()}
    if manufacturer is Manufacturer.GE and level is not None:
        return {**keys, **_unique_keys(keys, level)}
    return keys


def _without_universal(key: Mapping[str, Any], vrs: frozenset[str] | None) -> Mapping[str, Any]:
    if key["vr"] == "SQ":
        items = [
            {tag: _without_universal(inner, vrs) for tag, inner in item.items()} for item in key.get("Value") or ()
        ]
        return {"vr": "SQ", "Value": items}
    values = key.get("Value") or [""]
    universal = {"Alphabetic": _UNIVERSAL} if key["vr"] == "PN" else _UNIVERSAL
    if values == [universal] and (vrs is None or key["vr"] in vrs):
        return {"vr": key["vr"]}
    return key


def _unique_keys(keys: Attributes, level: Level) -> Attributes:
    """The unique keys down to a level, "*" where they have no value."""
    found = {}
    for each in Level:
        tag = f"{UNIQUE_KEYS[each]:08X}"
        if (
            each <= level
            and (each is not Level.PATIENT or level is Level.PATIENT)
            and not keys.get(tag, {}).get("Value")
        ):
            found[tag] = {"vr": "LO" if each is Level.PATIENT else "UI", "Value": [_UNIVERSAL]}
    return found
