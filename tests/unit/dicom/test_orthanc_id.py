"""Orthanc's identifiers, compared with those that its documentation and Debian's Orthanc give."""

from dicomweb_server.dicom import orthanc_id as ids


def test_identifiers_are_those_of_orthanc() -> None:
    assert ids.orthanc_id("") == "da39a3ee-5e6b4b0d-3255bfef-95601890-afd80709"
    assert ids.orthanc_id("ABC") == "3c01bdbb-26f358ba-b27f2679-24aa2c9a-03fcfdb8"
    assert ids.orthanc_id("ABC", "1.2") != ids.orthanc_id("ABC", "1.2", "3")


def test_a_patient_without_an_id_is_told_apart_but_not_to_what_is_below() -> None:
    assert ids.orthanc_id("\x1fdoe") != ids.orthanc_id("")
    assert ids.orthanc_id("\x1fdoe", "1.2") == ids.orthanc_id("", "1.2")


def test_only_what_looks_like_one_is_one() -> None:
    text = ids.orthanc_id("ABC")
    assert ids.text_of(ids.parse(text) or b"") == text
    assert [ids.parse(wrong) for wrong in ("", "1", text.upper(), text + "-", "../" + text)] == [None] * 5


def test_a_prefix_fits_an_integer_of_sqlite() -> None:
    assert all(-(2**63) <= ids.prefix(bytes([byte] * 20)) < 2**63 for byte in (0, 127, 128, 255))
