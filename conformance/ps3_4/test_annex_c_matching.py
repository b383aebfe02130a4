"""PS3.4 §C.2.2.2: each kind of matching for attributes of each VR, asked for by C-FIND."""

from typing import Any

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.valuerep import PersonName

from conformance import matching_samples
from conformance.matching_samples import ATTRIBUTES, SEVERAL, TEXT, MatchingSamples
from conformance.query_retrieve import Address, Response, find, identifier
from conformance.requirement import requires
from conformance.service import Service

RELATIONAL = b"\1\0\0\0\0\0\0"
COMBINED = b"\1\1\0\0\0\0\0"
FUZZY = b"\1\0\1\0\0\0\0"
EMPTY_VALUE = b"\1\0\0\0\0\1\0"
MULTIPLE_VALUE = b"\1\0\0\0\0\0\1"
BOTH, ALL = {"first", "second"}, {"first", "second", "bare"}
BINARY = ("AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV")
EACH_VR = pytest.mark.parametrize("vr", sorted(ATTRIBUTES))


@pytest.fixture(scope="module")
def stored(service: Service) -> MatchingSamples:
    return matching_samples.store(service)


def ask(dimse: Address, stored: MatchingSamples, keys: Dataset, extended: bytes = RELATIONAL) -> list[Response]:
    """Search the instances of this suite."""
    keys.QueryRetrieveLevel, keys.SOPInstanceUID, keys.StudyInstanceUID = "IMAGE", "", list(stored.studies)
    return find(dimse, keys, extended=extended)


def found(
    dimse: Address, stored: MatchingSamples, keys: Dataset | dict[str, Any], extended: bytes = RELATIONAL
) -> set[str]:
    """Which instances match."""
    asked = keys if isinstance(keys, Dataset) else identifier("", **keys)
    *pending, final = ask(dimse, stored, asked, extended)
    assert final.status == 0x0000
    assert {response.status for response in pending} <= {0xFF00}
    return {stored.instances[response.identifier.SOPInstanceUID] for response in pending if response.identifier}


def raw(keyword: str, text: str) -> Dataset:
    """A key whose text pydicom would not let pass for its VR."""
    tag = Tag(tag_for_keyword(keyword) or 0)
    keys, element = Dataset(), DataElement(tag, dictionary_VR(tag), "")
    element._value = PersonName(text) if element.VR == "PN" else text
    keys[tag] = element
    return keys


@requires("PS3.4 §C.2.2.2.1")
@EACH_VR
def test_a_single_value_matches_what_is_equal(dimse: Address, stored: MatchingSamples, vr: str) -> None:
    keyword, one, other = ATTRIBUTES[vr]
    assert found(dimse, stored, {keyword: one}) == {"first"}
    assert found(dimse, stored, {keyword: other}) == {"second"}


@requires("PS3.4 §C.2.2.2.1")
@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("StationAETitle", "SCAN"),
        ("PatientAge", "042M"),
        ("BodyPartExamined", "HEA"),
        ("ContentDate", "20210313"),
        ("SliceThickness", "2.51"),
        ("InstanceNumber", "1"),
        ("SeriesDescription", "Axial"),
        ("ImageComments", "first line"),
        ("OperatorsName", "Curie"),
        ("StationName", "Room 2"),
        ("InstitutionAddress", "1 High Street 2"),
        ("ContentTime", "150927"),
        ("LongCodeValue", "CODE"),
        ("FrameOfReferenceUID", "1.2.3"),
        ("URNCodeValue", "urn:oid:1.2"),
        ("TextValue", "Nothing"),
    ],
)
def test_a_single_value_matches_nothing_else(dimse: Address, stored: MatchingSamples, keyword: str, text: str) -> None:
    assert found(dimse, stored, {keyword: text}) == set()


@requires("PS3.4 §C.2.2.2.1.1")
@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("SeriesDescription", "axial 5mm"),
        ("StationName", "ROOM 1"),
        ("InstitutionAddress", "1 high street"),
        ("LongCodeValue", "code-1"),
        ("TextValue", "nothing to report."),
        ("ImageComments", "OTHER"),
        ("SeriesDescription", "axial*"),
        ("StationName", "room*"),
        ("URNCodeValue", "URN:*"),
    ],
)
def test_case_counts_but_in_names(dimse: Address, stored: MatchingSamples, keyword: str, text: str) -> None:
    assert found(dimse, stored, {keyword: text}) == set()


@requires("PS3.4 §C.2.2.2.1.1", "O")
@pytest.mark.parametrize("text", ["curie^marie", "CURIE^MARIE", "curie^*", "Curie^Marie^^^"])
def test_case_does_not_count_in_names(dimse: Address, stored: MatchingSamples, text: str) -> None:
    assert found(dimse, stored, {"OperatorsName": text}) == {"first"}


@requires("PS3.4 §C.2.2.2.1.1", "O")
@pytest.mark.parametrize("text", ["Marie Curie", "cur mar", "Curie, M", "curie"])
def test_names_match_fuzzily_only_if_that_was_agreed(dimse: Address, stored: MatchingSamples, text: str) -> None:
    assert found(dimse, stored, {"OperatorsName": text}, FUZZY) == {"first"}
    assert found(dimse, stored, {"OperatorsName": text}) == set()


@requires("PS3.4 §C.2.2.2.5")
@pytest.mark.parametrize("offset", ["+0000", "-0800", "+1400"])
def test_a_time_zone_in_the_key_changes_nothing_where_no_adjustment_was_agreed(
    dimse: Address, stored: MatchingSamples, offset: str
) -> None:
    keys = {"ContentDate": "20210314", "ContentTime": "1509-1510", "TimezoneOffsetFromUTC": offset}
    assert found(dimse, stored, keys) == {"first"}


@requires("PS3.5 §6.2")
@pytest.mark.parametrize(
    ("keyword", "text"),
    [("SliceThickness", "2.50"), ("SliceThickness", "25e-1"), ("InstanceNumber", "+07"), ("InstanceNumber", " 7 ")],
)
def test_numbers_match_by_their_value(dimse: Address, stored: MatchingSamples, keyword: str, text: str) -> None:
    assert found(dimse, stored, raw(keyword, text)) == {"first"}


@requires("PS3.4 §C.2.2.2.2")
def test_a_list_of_uids_matches_any_of_them(dimse: Address, stored: MatchingSamples) -> None:
    keyword, one, other = ATTRIBUTES["UI"]
    assert found(dimse, stored, {keyword: [one, other, "1.2.3"]}) == BOTH
    assert found(dimse, stored, {keyword: [one, "1.2.3"]}) == {"first"}


@requires("PS3.4 §C.2.2.2.3")
@EACH_VR
def test_a_key_without_value_matches_everything_and_is_answered(
    dimse: Address, stored: MatchingSamples, vr: str
) -> None:
    keyword, one, _ = ATTRIBUTES[vr]
    *pending, final = ask(dimse, stored, identifier("", **{keyword: None}))
    answers = {stored.instances[each.identifier.SOPInstanceUID]: each.identifier for each in pending if each.identifier}
    assert (final.status, set(answers)) == (0x0000, ALL)
    assert answers["first"][keyword].value == one
    assert not answers["bare"][keyword].value


@requires("PS3.4 §C.2.2.2.4")
@pytest.mark.parametrize("vr", sorted(TEXT))
def test_wild_cards_match_text(dimse: Address, stored: MatchingSamples, vr: str) -> None:
    keyword, one, other = ATTRIBUTES[vr]
    begin, end = one[:2], one[-2:]
    for text in (f"{begin}*", f"*{end}", f"?{one[1:]}", f"{one[:-1]}?", f"{begin}*{end}", f"*{one}*", f"{one}*"):
        matched = found(dimse, stored, {keyword: text})
        assert "first" in matched, text
        assert "bare" not in matched, text
    assert found(dimse, stored, {keyword: f"{one}?"}) == set()
    assert found(dimse, stored, {keyword: f"{other[:1]}*{other[1:]}"}) == {"second"}


@requires("PS3.4 §C.2.2.2.4")
@pytest.mark.parametrize("vr", sorted(TEXT))
def test_an_asterisk_alone_is_universal(dimse: Address, stored: MatchingSamples, vr: str) -> None:
    assert found(dimse, stored, {ATTRIBUTES[vr][0]: "*"}) == ALL


@requires("PS3.4 §C.2.2.2.4")
@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("PatientAge", "04?Y"),
        ("ContentDate", "2021*"),
        ("SliceThickness", "2*"),
        ("AcquisitionDateTime", "2021*"),
        ("InstanceNumber", "?"),
        ("ContentTime", "15*"),
        ("FrameOfReferenceUID", "1.2.*"),
    ],
)
def test_wild_cards_mean_nothing_in_other_vrs(dimse: Address, stored: MatchingSamples, keyword: str, text: str) -> None:
    *pending, final = ask(dimse, stored, raw(keyword, text))
    assert not pending
    assert final.status in (0x0000, 0xA900) or 0xC000 <= final.status < 0xD000


@requires("PS3.4 §C.2.2.2.5")
@pytest.mark.parametrize(
    ("keyword", "text", "expected"),
    [
        ("ContentDate", "20200229-20210314", BOTH),
        ("ContentDate", "20200301-20210314", {"first"}),
        ("ContentDate", "-20210313", {"second"}),
        ("ContentDate", "20210314-", {"first"}),
        ("ContentDate", "-20200229", {"second"}),
        ("ContentDate", "20210315-", set()),
        ("ContentTime", "0800-1509", BOTH),
        ("ContentTime", "080000-150926.499999", {"second"}),
        ("ContentTime", "150926.5-", {"first"}),
        ("ContentTime", "-0800", {"second"}),
        ("ContentTime", "-0759", set()),
        ("ContentTime", "15", {"first"}),
        ("ContentTime", "1510-", set()),
        ("AcquisitionDateTime", "2020-2021", BOTH),
        ("AcquisitionDateTime", "20210314140926.5+0000-20210314140926.5+0000", {"first"}),
        ("AcquisitionDateTime", "20210314200926.5+0600", {"first"}),
        ("AcquisitionDateTime", "20210314150926-", set()),
        ("AcquisitionDateTime", "20210314150926+0100-", {"first"}),
        ("AcquisitionDateTime", "-20200229075959", set()),
        ("AcquisitionDateTime", "-202002290800", {"second"}),
        ("AcquisitionDateTime", "20200229", {"second"}),
        ("AcquisitionDateTime", "2021-0500-", {"first"}),
    ],
)
def test_ranges(dimse: Address, stored: MatchingSamples, keyword: str, text: str, expected: set[str]) -> None:
    assert found(dimse, stored, raw(keyword, text)) == expected


@requires("PS3.4 §C.2.2.2.5")
@pytest.mark.parametrize("text", ["20210314-20200101", "-", "20210314-20210315-20210316", "20211314-", "March"])
def test_what_is_no_range_is_refused_or_finds_nothing(dimse: Address, stored: MatchingSamples, text: str) -> None:
    *pending, final = ask(dimse, stored, raw("ContentDate", text))
    assert not pending
    assert final.status in (0x0000, 0xA900) or 0xC000 <= final.status < 0xD000


@requires("PS3.4 §C.2.2.2.5.4")
@pytest.mark.parametrize(
    ("date", "time", "apart", "together"),
    [
        ("20200101-20210314", "1000-1600", {"first"}, BOTH),
        ("20200229-20210314", "0900-1000", set(), set()),
        ("20200229-20210315", "0801-0800", None, {"first"}),
        ("20200229-", "0900-", {"first"}, {"first"}),
        ("-20210314", "-1000", {"second"}, {"second"}),
        ("-20210314", "-1600", BOTH, BOTH),
    ],
)
def test_dates_and_times_are_one_interval_only_if_that_was_agreed(
    dimse: Address, stored: MatchingSamples, date: str, time: str, apart: set[str] | None, together: set[str]
) -> None:
    keys = raw("ContentDate", date)
    keys.update(raw("ContentTime", time))
    assert found(dimse, stored, keys, COMBINED) == together
    if apart is not None:
        assert found(dimse, stored, keys) == apart
    else:  # a time that ends before it begins crosses midnight
        *pending, final = ask(dimse, stored, keys)
        assert not pending
        assert final.status in (0x0000, 0xA900)


@requires("PS3.4 §C.2.2.2.6")
@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"ScheduledProcedureStepID": "SPS1"}, BOTH),
        ({"ScheduledProcedureStepID": "SPS2"}, {"first"}),
        ({"ScheduledProcedureStepID": "SPS1", "RequestedProcedureID": "RP1"}, {"first"}),
        ({"ScheduledProcedureStepID": "SPS1", "RequestedProcedureID": "RP2"}, {"second"}),
        ({"ScheduledProcedureStepID": "SPS*", "RequestedProcedureID": "?P2"}, BOTH),
        ({"ScheduledProcedureStepID": "SPS3"}, set()),
        ({"ScheduledProcedureStepID": ""}, ALL),
        ({"ScheduledProtocolCodeSequence": {"CodeValue": "A"}}, {"first"}),
        ({"ScheduledProtocolCodeSequence": {"CodeValue": "B"}}, BOTH),
        ({"ScheduledProtocolCodeSequence": {"CodeValue": "B"}, "ScheduledProcedureStepID": "SPS1"}, {"second"}),
        ({}, ALL),
    ],
)
def test_keys_in_a_sequence_match_in_one_item(
    dimse: Address, stored: MatchingSamples, keys: dict[str, Any], expected: set[str]
) -> None:
    item = Dataset()
    for keyword, value in keys.items():
        setattr(item, keyword, [identifier("", **value)] if isinstance(value, dict) else value)
    assert found(dimse, stored, {"RequestAttributesSequence": [item]}) == expected


@requires("PS3.4 §C.2.2.2.7", "O")
@pytest.mark.parametrize("vr", sorted(set(ATTRIBUTES) - set(BINARY)))
def test_empty_value_matching_finds_what_is_absent(dimse: Address, stored: MatchingSamples, vr: str) -> None:
    keyword = ATTRIBUTES[vr][0]
    assert found(dimse, stored, raw(keyword, '""'), EMPTY_VALUE) == {"bare"}


@requires("PS3.4 §C.2.2.2.7")
def test_without_agreement_quotation_marks_are_a_value(dimse: Address, stored: MatchingSamples) -> None:
    assert found(dimse, stored, {"SeriesDescription": '""'}) == set()


@requires("PS3.4 §C.2.2.2.8", "O")
@pytest.mark.parametrize("vr", sorted(SEVERAL))
def test_multiple_value_matching_needs_all_values(dimse: Address, stored: MatchingSamples, vr: str) -> None:
    keyword, values, absent = SEVERAL[vr]
    assert found(dimse, stored, {keyword: values}, MULTIPLE_VALUE) == {"first"}
    assert found(dimse, stored, {keyword: values[1::-1]}, MULTIPLE_VALUE) == {"first"}
    assert found(dimse, stored, {keyword: [values[0], absent]}, MULTIPLE_VALUE) == set()


@requires("PS3.4 §C.2.2.3")
@pytest.mark.parametrize("vr", sorted(SEVERAL))
def test_any_value_of_an_attribute_matches_and_all_are_answered(
    dimse: Address, stored: MatchingSamples, vr: str
) -> None:
    keyword, values, absent = SEVERAL[vr]
    for value in values:
        pending, final = ask(dimse, stored, identifier("", **{keyword: value}))
        assert final.status == 0x0000
        assert pending.identifier is not None
        assert list(pending.identifier[keyword].value) == values
    assert found(dimse, stored, {keyword: absent}) == set()


@requires("PS3.4 §C.2.2.2")
def test_all_keys_have_to_match(dimse: Address, stored: MatchingSamples) -> None:
    assert found(dimse, stored, {"SeriesDescription": "Axial*", "Rows": 512, "StationName": "Room ?"}) == {"first"}
    assert found(dimse, stored, {"SeriesDescription": "Axial*", "Rows": 256}) == set()
