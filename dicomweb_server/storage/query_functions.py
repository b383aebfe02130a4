"""What a connection needs beyond SQL: values as DICOM JSON where SQL's own functions cannot, Orthanc's identifiers."""

import sqlite3

import orjson

from dicomweb_server.dicom.comparable import NUMBER_VRS, number
from dicomweb_server.dicom.orthanc_id import prefix_of

_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def register(connection: sqlite3.Connection) -> None:
    """Prepare a connection for searches."""
    connection.create_function("dicom_values", 2, values_json, deterministic=True)
    connection.create_function("orthanc_prefix", -1, prefix_of, deterministic=True)


def values_json(vr: str, text: object) -> str:
    """The `Value` array of an attribute whose column has `text` (PS3.18 §F.2.3): several values, groups of names."""
    values = [_value(vr, value.strip(" ")) for value in str(text).split("\\")]
    return orjson.dumps(values).decode()


def _value(vr: str, text: str) -> object:
    if not text:
        return None
    if vr == "PN":
        groups = {name: group for name, group in zip(_GROUPS, text.split("="), strict=False) if group}
        return groups or None
    if vr in NUMBER_VRS:
        plain = number(text)
        return int(plain) if plain.removeprefix("-").isdigit() and len(plain) < 16 else text
    return text
