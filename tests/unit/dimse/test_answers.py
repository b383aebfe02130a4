"""Answers: what pydicom reads from our identifiers is what the search found, and what was asked for."""

from io import BytesIO
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicomweb_server.dimse.answers import AnswerEncoder
from dicomweb_server.dimse.identifiers import RequestKey

CONSTANTS = {0x00080052: ("CS", "STUDY"), 0x00080054: ("AE", "US"), 0x00080056: ("CS", "ONLINE")}
BOTH = pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])


def key(tag: int, vr: str, *items: RequestKey, creator: str | None = None) -> RequestKey:
    return RequestKey(tag, vr, "", items, creator)


def answer(
    keys: list[RequestKey], match: dict[str, Any], syntax: str = ExplicitVRLittleEndian, charset: str = ""
) -> Dataset:
    content = AnswerEncoder(keys, CONSTANTS, syntax, charset).encode(orjson.dumps(match))
    assert len(content) % 2 == 0
    return read_dataset(BytesIO(content), syntax == ImplicitVRLittleEndian, True)


def attribute(vr: str, *values: object) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)}


MATCH = {
    "00080005": attribute("CS", "ISO_IR 192"),
    "00080020": attribute("DA", "20200131"),
    "00080061": attribute("CS", "CT", "SR"),
    "00100010": attribute("PN", {"Alphabetic": "Doe^Jane"}),
    "00100020": attribute("LO", "P1"),
    "0020000D": attribute("UI", "1.2.3"),
    "00201208": attribute("IS", 12),
    "00280010": attribute("US", 512),
    "00180050": attribute("DS", 2.5),
    "00100040": {"vr": "CS"},
}


@BOTH
def test_asked_attributes_are_answered_and_no_others(syntax: str) -> None:
    keys = [key(0x00100010, "PN"), key(0x0020000D, "UI"), key(0x00080061, "CS"), key(0x00201208, "IS")]
    found = answer(keys, MATCH, syntax)
    assert [f"{element.tag:08X}" for element in found] == [
        "00080052", "00080054", "00080056", "00080061", "00100010", "0020000D", "00201208",
    ]  # fmt: skip
    assert found.QueryRetrieveLevel == "STUDY"
    assert found.RetrieveAETitle == "US"
    assert found.InstanceAvailability == "ONLINE"
    assert found.ModalitiesInStudy == ["CT", "SR"]
    assert found.PatientName == "Doe^Jane"
    assert found.StudyInstanceUID == "1.2.3"
    assert found.NumberOfStudyRelatedInstances == 12


@BOTH
def test_binary_and_decimal_values(syntax: str) -> None:
    found = answer([key(0x00280010, "US"), key(0x00180050, "DS")], MATCH, syntax)
    assert (found.Rows, found.SliceThickness) == (512, 2.5)


def test_what_is_not_known_is_answered_empty() -> None:
    found = answer([key(0x00100040, "CS"), key(0x00081030, "LO"), key(0x00400275, "SQ")], MATCH)
    assert found.PatientSex == ""
    assert found.StudyDescription == ""
    assert len(found.RequestAttributesSequence) == 0


@pytest.mark.parametrize(
    ("asked", "name", "answered"),
    [
        ("", "Doe^Jane", None),
        ("ISO_IR 100", "Doe^Jane", None),
        ("ISO_IR 100", "Müller^Jörg", "ISO_IR 100"),
        ("ISO_IR 144", "Люкceмбypг", "ISO_IR 144"),
        ("ISO_IR 100", "Люкceмбypг", "ISO_IR 192"),
        ("", "Müller", "ISO_IR 192"),
        ("ISO_IR 192", "Müller", "ISO_IR 192"),
        ("GB18030", "王^小东", "GB18030"),
        ("\\ISO 2022 IR 87", "山田^太郎", "ISO_IR 192"),
        ("nonsense", "Müller", "ISO_IR 192"),
    ],
)
@BOTH
def test_the_character_set_of_the_request_if_it_can_be(
    asked: str, name: str, answered: str | None, syntax: str
) -> None:
    match = {"00100010": attribute("PN", {"Alphabetic": name}), "00081030": attribute("LO", name)}
    found = answer([key(0x00100010, "PN"), key(0x00081030, "LO"), key(0x00080005, "CS")], match, syntax, asked)
    assert found.get("SpecificCharacterSet") == answered
    assert found.PatientName == name
    assert found.StudyDescription == name
    assert [element.tag for element in found] == sorted(element.tag for element in found)


def test_component_groups_of_names() -> None:
    name = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    found = answer([key(0x00100010, "PN")], {"00100010": attribute("PN", name, None)})
    assert found["PatientName"].value[0] == "Yamada^Tarou=山田^太郎=やまだ^たろう"


@BOTH
def test_sequences_are_cut_to_what_was_asked(syntax: str) -> None:
    item = {"00400009": attribute("SH", "S1"), "00401001": attribute("SH", "R1"), "00080050": attribute("SH", "A1")}
    match = {"00400275": attribute("SQ", item, {})}
    some = answer([key(0x00400275, "SQ", key(0x00400009, "SH"))], match, syntax)
    first, second = some.RequestAttributesSequence
    assert [element.keyword for element in first] == ["ScheduledProcedureStepID"]
    assert second.ScheduledProcedureStepID == ""
    whole = answer([key(0x00400275, "SQ")], match, syntax).RequestAttributesSequence
    assert whole[0].RequestedProcedureID == "R1"
    assert len(whole[0]) == 3


def test_private_attributes_whatever_their_block() -> None:
    match = {
        "00090012": attribute("LO", "ACME"),
        "00091204": attribute("SH", "found"),
        "00091004": attribute("SH", "no"),
    }
    found = answer([key(0x00091004, "SH", creator="ACME")], match)
    assert found[0x00091004].value == "found"
    absent = answer([key(0x00091004, "SH", creator="OTHER")], match)
    assert absent[0x00091004].value == ""


def test_inline_binary_and_odd_values() -> None:
    match = {"00420011": {"vr": "OB", "InlineBinary": "AQID"}, "00280010": attribute("US", "not a number")}
    found = answer([key(0x00420011, "OB"), key(0x00280010, "US")], match)
    assert found[0x00420011].value == b"\1\2\3\0"


@pytest.mark.parametrize("root", ["", "https://archive.example/dicom-web"])
def test_retrieve_urls_have_their_root(root: str) -> None:
    match = b'{"00081190":{"vr":"UR","Value":["\1/studies/1.2"]}}'
    content = AnswerEncoder([key(0x00081190, "UR")], {}, ExplicitVRLittleEndian, "", root).encode(match)
    assert content.endswith((root + "/studies/1.2").encode() + b" " * (len(root) % 2))


def test_an_answer_is_one_that_dcmread_reads() -> None:
    content = AnswerEncoder([key(0x00100020, "LO")], CONSTANTS, ImplicitVRLittleEndian, "").encode(orjson.dumps(MATCH))
    assert dcmread(BytesIO(content), force=True).PatientID == "P1"


TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\\=^\0", exclude_categories=("Cc", "Cs", "Zs")), max_size=30
)


@given(TEXT, TEXT, st.sampled_from(["", "ISO_IR 100", "ISO_IR 192"]))
def test_any_text_comes_back(name: str, description: str, charset: str) -> None:
    match = {"00100010": attribute("PN", {"Alphabetic": name}), "00081030": attribute("LO", description)}
    found = answer([key(0x00100010, "PN"), key(0x00081030, "LO")], match, charset=charset)
    assert found.PatientName == name
    assert found.StudyDescription == description
