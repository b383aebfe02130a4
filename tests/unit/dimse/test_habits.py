"""Searches as some makers want them."""

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dimse.habits import adapted_keys
from dicomweb_server.services.modalities import Attributes, Manufacturer

STAR, EMPTY = {"vr": "DA", "Value": ["*"]}, {"vr": "DA"}
KEYS: Attributes = {
    "00080020": STAR,
    "00080050": {"vr": "SH", "Value": ["*"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "*"}]},
    "00100020": {"vr": "LO", "Value": ["A*"]},
    "00400100": {"vr": "SQ", "Value": [{"00400002": STAR}]},
}


def test_most_get_what_was_asked() -> None:
    for manufacturer in (Manufacturer.GENERIC, Manufacturer.VITREA):
        assert adapted_keys(KEYS, Level.STUDY, manufacturer) == KEYS


def test_no_wildcard_in_dates() -> None:
    adapted = adapted_keys(KEYS, None, Manufacturer.NO_WILDCARD_IN_DATES)
    assert adapted["00080020"] == EMPTY
    assert adapted["00400100"]["Value"] == [{"00400002": EMPTY}]
    assert {tag: adapted[tag] for tag in ("00080050", "00100010", "00100020")} == {
        tag: KEYS[tag] for tag in ("00080050", "00100010", "00100020")
    }


def test_no_universal_wildcard() -> None:
    adapted = adapted_keys(KEYS, Level.STUDY, Manufacturer.NO_UNIVERSAL_WILDCARD)
    assert [adapted[tag].get("Value") for tag in ("00080020", "00080050", "00100010")] == [None] * 3
    assert adapted["00100020"] == KEYS["00100020"]


def test_identifying_keys_that_match_everything_are_stars_for_ge() -> None:
    """As Debian's Orthanc 1.10.1 sends them."""
    patient, accession = {"00100020": {"vr": "LO", "Value": ["*"]}}, {"00080050": {"vr": "SH", "Value": ["*"]}}
    study, series = {"0020000D": {"vr": "UI", "Value": ["1.2"]}}, {"0020000E": {"vr": "UI", "Value": ["*"]}}
    adapted = adapted_keys({**study, "0020000E": {"vr": "UI"}}, Level.SERIES, Manufacturer.GE)
    assert adapted == {**patient, **accession, **study, **series}
    assert adapted_keys({}, Level.PATIENT, Manufacturer.GE) == patient
    assert adapted_keys({}, None, Manufacturer.GE) == {}
