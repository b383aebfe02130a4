"""PURE: what is changed in the keys of a search for makers whose archives want it otherwise. Knows no sockets."""

from collections.abc import Mapping
from typing import Any

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dimse.identifiers import UNIQUE_KEYS
from dicomweb_server.services.modalities import Attributes, Manufacturer

_DATE_VRS = frozenset({"DA", "DT", "TM"})
_UNIVERSAL = "*"
_ACCESSION_NUMBER = 0x00080050


def adapted_keys(keys: Attributes, level: Level | None, manufacturer: Manufacturer) -> Attributes:
    """The keys as this maker understands them. `level`: None for a worklist."""
    if manufacturer is Manufacturer.NO_WILDCARD_IN_DATES:
        return {tag: _without_universal(key, _DATE_VRS) for tag, key in keys.items()}
    if manufacturer is Manufacturer.NO_UNIVERSAL_WILDCARD:
        return {tag: _without_universal(key, None) for tag, key in keys.items()}
    if manufacturer is Manufacturer.GE and level is not None:
        return {**keys, **_identifying_keys(keys, level)}
    return keys  # Vitrea's habit is one of what it asks: see `identifiers.is_supported`


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


def _identifying_keys(keys: Attributes, level: Level) -> Attributes:
    """The unique keys down to a level, and the accession number of a study: "*" where they have no value."""
    wanted = {UNIQUE_KEYS[each]: "UI" for each in Level if each <= level} | {UNIQUE_KEYS[Level.PATIENT]: "LO"}
    if level >= Level.STUDY:
        wanted[_ACCESSION_NUMBER] = "SH"
    named = {f"{tag:08X}": vr for tag, vr in wanted.items()}
    return {tag: {"vr": vr, "Value": [_UNIVERSAL]} for tag, vr in named.items() if not keys.get(tag, {}).get("Value")}
