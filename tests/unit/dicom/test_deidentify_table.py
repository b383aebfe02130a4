"""The tables of PS3.15 §E: complete, well-formed, and obeyed row by row for every option."""

from collections import Counter
from io import BytesIO
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from dicomweb_server.dicom.deidentify_actions import CONTENT_ROWS, ROWS, action_of, basic_action, row_of, type_of
from dicomweb_server.dicom.deidentify_options import BASIC_PROFILE, Option
from dicomweb_server.dicom.deidentify_table import ATTRIBUTES, EDITION
from tests.builders import make_dataset, write_part10
from tests.editing import anonymized, item

SAMPLES = {
    "AE": "SECRET",
    "AS": "042Y",
    "CS": "SECRET",
    "DA": "20240131",
    "DS": "42",
    "DT": "20240131101500",
    "FD": 42.0,
    "IS": "42",
    "LO": "Secret 987654321",
    "LT": "Secret 987654321",
    "OB": b"SECRET",
    "PN": "Secret^Name",
    "SH": "Secret 9876543",
    "ST": "Secret 987654321",
    "TM": "101500",
    "UC": "Secret 987654321",
    "UI": "1.2.3.4.5",
    "UL": 42,
    "UN": b"SECRET",
    "UR": "http://secret",
    "US": 42,
    "UT": "Secret 987654321",
}
IDENTITY = {0x00080018, 0x0020000D, 0x0020000E, 0x00100010, 0x00100020}
SUBJECTS = sorted(
    tag for tag in ROWS if tag not in IDENTITY and tag >> 16 > 4 and tag not in (0x0012_0064, 0x00280303, 0xFFFCFFFC)
)
CHOICES = [frozenset[Option]()] + [frozenset({option}) for option in Option if option.column]


def vr_of(tag: int) -> str:
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"


def value_of(tag: int) -> object:
    vr = vr_of(tag)
    if vr == "SQ":
        return [item(CodeValue="SECRET", CodingSchemeDesignator="99S", CodeMeaning="Secret 987654321")]
    return SAMPLES[vr]


@pytest.fixture(scope="module")
def everything() -> bytes:
    dataset = make_dataset(PatientName="Secret^Name")
    for tag in SUBJECTS:
        dataset[tag] = DataElement(tag, vr_of(tag), value_of(tag))
    return write_part10(dataset)


def test_the_table_is_whole() -> None:
    # Counted in the table of the edition: 653 single tags, and three repeating groups, and private attributes.
    assert EDITION == "2026d"
    assert len(ROWS) == sum(len(tags.split()) for tags in ATTRIBUTES.values()) == 653
    basic = Counter(row[0] for row in ROWS.values())
    assert basic == {
        "X": 413,
        "D": 93,
        "U": 55,
        "Z": 42,
        "X/D": 23,
        "X/Z": 11,
        "X/Z/D": 8,
        "Z/D": 6,
        "X/Z/U": 2,
    }
    options = Counter((column, action) for _, row in ROWS.items() for column, action in row[1].items())
    assert options == {
        ("retain_longitudinal_full_dates", "K"): 169,
        ("retain_longitudinal_modified_dates", "C"): 169,
        ("clean_descriptors", "C"): 141,
        ("retain_uids", "K"): 60,
        ("retain_device_identity", "K"): 48,
        ("retain_patient_characteristics", "K"): 14,
        ("retain_device_identity", "C"): 11,
        ("retain_institution_identity", "K"): 10,
        ("retain_patient_characteristics", "C"): 5,
        ("clean_structured_content", "C"): 4,
        ("clean_graphics", "C"): 1,
    }
    assert len(CONTENT_ROWS) == 205


def test_repeating_groups_have_rows() -> None:
    for tag in (0x50000010, 0x50FE3000, 0x60003000, 0x601E4000):
        assert row_of(tag) == ("X", {"clean_graphics": "C"})
    for tag in (0x60000010, 0x51010010 & 0xFFFE0000, 0x00280010):
        assert row_of(tag) is None or tag >> 24 == 0x50


@pytest.mark.parametrize(
    "options", CHOICES, ids=lambda options: "-".join(option.label for option in options) or "basic"
)
def test_every_row_of_the_table_is_obeyed(everything: bytes, options: frozenset[Option]) -> None:
    before = dcmread(BytesIO(everything))
    after = anonymized(everything, *options)
    wrong = [f"{tag:08X}" for tag in SUBJECTS if not obeys(tag, options, before, after)]
    assert wrong == []
    codes = [(code.CodeValue, code.CodeMeaning) for code in after.DeidentificationMethodCodeSequence]
    assert codes == [BASIC_PROFILE, *((option.code, option.meaning) for option in options)]


def obeys(tag: int, options: frozenset[Option], before: Dataset, after: Dataset) -> bool:
    row = ROWS[tag]
    type_ = type_of(before.SOPClassUID, tag)
    action = action_of(row, options, type_)
    if action == "C":
        return is_clean(tag, basic_action(row[0], type_), before, after)
    return is_as_said(tag, action, before, after)


def is_as_said(tag: int, action: str, before: Dataset, after: Dataset) -> bool:
    old: Any = before[tag].value
    new: Any = after[tag].value if tag in after else None
    if action == "X":
        return tag not in after
    if action == "Z":
        return tag in after and not new
    if action == "K":
        return bool(new == old) or vr_of(tag) == "SQ"
    if vr_of(tag) == "SQ":
        return len(new) == 1 and (action == "U" or "Secret" not in str(new))
    return bool(new) and bool(new != old)


def is_clean(tag: int, basic: str, before: Dataset, after: Dataset) -> bool:
    vr = vr_of(tag)
    if vr == "TM":
        return bool(after[tag].value == before[tag].value)
    if vr in ("DA", "DT"):
        return bool(after[tag].value) and after[tag].value != before[tag].value
    if vr in ("LO", "LT", "SH", "ST", "UT", "UC"):
        return is_as_said(tag, basic, before, after)  # nothing is left of a text that only identifies
    if vr == "SQ":
        return "987654321" not in str(after[tag].value)
    return is_as_said(tag, basic, before, after)


@pytest.mark.parametrize(
    ("basic", "expected"),
    [
        ("X/Z/D", {1: "D", 2: "Z", 3: "X", None: "D"}),
        ("X/Z", {1: "Z", 2: "Z", 3: "X", None: "Z"}),
        ("X/D", {1: "D", 2: "D", 3: "X", None: "D"}),
        ("Z/D", {1: "D", 2: "Z", 3: "Z", None: "D"}),
        ("X/Z/U", {1: "U", 2: "U", 3: "U", None: "U"}),
        ("X", dict.fromkeys((1, 2, 3, None), "X")),
    ],
)
def test_choices_are_made_by_the_type_of_the_attribute(basic: str, expected: dict[int | None, str]) -> None:
    assert {type_: basic_action(basic, type_) for type_ in expected} == expected


def test_types_are_those_of_the_iod() -> None:
    ct, enhanced_ct, secondary = (f"1.2.840.10008.5.1.4.1.1.{last}" for last in ("2", "2.1", "7"))
    content_date, device_serial_number = 0x00080023, 0x00181000
    assert type_of(ct, content_date) == 2
    assert type_of(enhanced_ct, content_date) == 1
    assert (type_of(ct, device_serial_number), type_of(enhanced_ct, device_serial_number)) == (3, 1)
    assert type_of(secondary, 0x0040A730) == 3
    assert type_of("1.2.3", content_date) is None
