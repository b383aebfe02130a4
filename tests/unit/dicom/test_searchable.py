"""What an index keeps beside its columns."""

import pytest

from dicomweb_server.dicom.attributes import Attribute, Level
from dicomweb_server.dicom.searchable import element_forms, extra_forms, folded_name

_REQUEST = (
    '[{"00400009":{"vr":"SH","Value":["S1 "]},"00401001":{"vr":"SH","Value":["R1"]}},{},'
    '{"00400009":{"vr":"SH","Value":["S2",null]},"00400007":{"vr":"LO","Value":["step"]}}]'
)


@pytest.mark.parametrize(
    ("level", "values"),
    [
        (
            Level.STUDY,
            {"patient_name": "Doe^Jane", "study_date": "20240101", "study_time": "101112.5", "study_id": "1"},
        ),
        (Level.SERIES, {"modality": "CT", "series_number": "2", "series_uid": "1.2"}),
        (Level.INSTANCE, {"instance_number": "1", "rows": "512", "content_time": "10", "patient_name": "a=b"}),
    ],
)
def test_plain_values_have_no_extra_forms(level: Level, values: dict[str, str]) -> None:
    assert extra_forms(level, values) == ()


@pytest.mark.parametrize(
    ("level", "values", "forms"),
    [
        (Level.STUDY, {"patient_id": "A\\B\\A"}, [("00100020", "A"), ("00100020", "B")]),
        (Level.STUDY, {"patient_name": "Abe^T=阿部^T="}, [("00100010", "abe^t"), ("00100010", "阿部^t")]),
        (Level.STUDY, {"study_date": "1998.01.28"}, [("00080020", "19980128")]),
        (Level.STUDY, {"study_time": "10:11"}, [("00080030", "1011")]),
        (Level.SERIES, {"operators_name": "A^B\\C^D"}, [("00081070", "a^b"), ("00081070", "c^d")]),
        (Level.SERIES, {"series_number": "02\\3"}, [("00200011", "2"), ("00200011", "3")]),
        (
            Level.SERIES,
            {"request_attributes": _REQUEST},
            [("0040027500400009", "S1"), ("0040027500401001", "R1"), ("0040027500400009", "S2")],
        ),
    ],
)
def test_odd_values_have(level: Level, values: dict[str, str], forms: list[tuple[str, str]]) -> None:
    assert extra_forms(level, values) == tuple(forms)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Doe^Jane", "doe^jane"),
        (" Müller^J^^ ", "muller^j"),
        ("Abe^T^=阿部^T= ", "abe^t=阿部^t="),
        ("A^ \\B^=C^", "a\\b=c"),
    ],
)
def test_folded_names(text: str, folded: str) -> None:
    assert folded_name(text) == folded


def test_configured_attributes_of_the_level() -> None:
    extra = [
        Attribute(Level.PATIENT, 0x00104000, "PatientComments", "LT", "00104000"),
        Attribute(Level.SERIES, 0x00181020, "SoftwareVersions", "LO", "00181020"),
        Attribute(Level.INSTANCE, 0x00181151, "XRayTubeCurrent", "IS", "00181151"),
    ]
    values = {"00104000": "a\\b", "00181020": "1.0\\2.0", "00181151": "0300"}
    assert extra_forms(Level.STUDY, values, extra) == (("00104000", "a\\b"),)
    assert extra_forms(Level.SERIES, values, extra) == (("00181020", "1.0"), ("00181020", "2.0"))
    assert extra_forms(Level.INSTANCE, values, extra) == (("00181151", "300"),)


@pytest.mark.parametrize(
    ("vr", "values", "forms"),
    [
        ("LO", ["a ", None, "b", "a"], ["a", "b", "a"]),
        ("PN", [{"Alphabetic": "Abe^T", "Phonetic": "あべ^T"}, None], ["abe^t", "あへ^t"]),
        ("DS", [1.50, "2.0"], ["1.5", "2"]),
        ("DT", ["2024"], ["20240101000000.000000"]),
        ("LT", ["a\\b"], ["a\\b"]),
    ],
)
def test_forms_from_metadata(vr: str, values: list[object], forms: list[str]) -> None:
    attribute = Attribute(Level.INSTANCE, 0x00181020, "", vr, "00181020")
    document = {"00181020": {"vr": vr, "Value": values}}
    assert list(element_forms(attribute, document)) == [("00181020", form) for form in forms]
    assert list(element_forms(attribute, {})) == []
