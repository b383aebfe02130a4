"""Identifiers: what pydicom writes as a request is read as the query that it means."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.folding import fold
from dicomweb_server.dicom.query import Include, Match, MatchKind
from dicomweb_server.dimse.contexts import QUERY_LEVELS, find_information, worklist_information
from dicomweb_server.dimse.find_request import FindRequest, find_request
from dicomweb_server.dimse.identifiers import Rules, agreed_rules, read_identifier
from dicomweb_server.errors import Reason, ServerError

PATIENT_ROOT = QUERY_LEVELS["1.2.840.10008.5.1.4.1.2.1.1"]
STUDY_ROOT = QUERY_LEVELS["1.2.840.10008.5.1.4.1.2.2.1"]
PATIENT_STUDY_ONLY = QUERY_LEVELS["1.2.840.10008.5.1.4.1.2.3.1"]


def identifier(level: str | None = "STUDY", **keys: object) -> Dataset:
    dataset = Dataset()
    if level is not None:
        dataset.QueryRetrieveLevel = level
    with disable_value_validation():
        for keyword, value in keys.items():
            setattr(dataset, keyword, value)
    return dataset


def encoded(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    target = BytesIO()
    file = DicomFileLike(target)
    file.is_implicit_VR, file.is_little_endian = syntax == ImplicitVRLittleEndian, True
    write_dataset(file, dataset)
    return target.getvalue()


def request(
    dataset: Dataset,
    levels: tuple[Level, ...] = STUDY_ROOT,
    rules: Rules | None = None,
    syntax: str = ExplicitVRLittleEndian,
) -> FindRequest:
    return find_request(read_identifier(encoded(dataset, syntax), syntax), levels, rules or Rules(), "US")


def matches(dataset: Dataset, **rules: bool) -> tuple[Match, ...]:
    return request(dataset, rules=Rules(relational=True, **rules)).query.matches


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_keys_of_each_kind(syntax: str) -> None:
    dataset = identifier(
        PatientID="P1",
        PatientName="DOE*",
        StudyDate="20200101-20201231",
        StudyInstanceUID="1.2\\1.3",
        AccessionNumber="",
        ModalitiesInStudy="CT\\MR",
        Rows=512,
    )
    query = request(dataset, syntax=syntax).query
    assert query.level is Level.STUDY
    found = {match.path: (match.kind, match.values) for match in query.matches}
    assert found == {
        (0x00080020,): (MatchKind.RANGE, ("20200101", "20201231")),
        (0x00080061,): (MatchKind.MULTIPLE, ()),
        (0x00100010,): (MatchKind.WILDCARD, ("doe*",)),
        (0x00100020,): (MatchKind.SINGLE, ("P1",)),
        (0x0020000D,): (MatchKind.UID_LIST, ("1.2", "1.3")),
    }
    assert Include((0x00080050,)) in query.include
    assert Include((0x00280010,)) not in query.include  # of a lower level


def test_universal_matching_only_asks_for_the_value() -> None:
    assert matches(identifier(PatientName="*", StudyDescription="**", StudyInstanceUID="")) == ()


def test_numbers_in_binary_are_matched_as_text() -> None:
    (match,) = matches(identifier("IMAGE", Rows=512))
    assert (match.path, match.values) == ((0x00280010,), ("512",))


def test_a_sequence_matches_by_the_keys_of_its_item() -> None:
    item = Dataset()
    item.ScheduledProcedureStepID = "S1"
    item.RequestedProcedureID = ""
    dataset = identifier("SERIES", RequestAttributesSequence=Sequence([item]))
    found = request(dataset, rules=Rules(relational=True))
    (match,) = found.query.matches
    assert (match.path, match.values) == ((0x00400275, 0x00400009), ("S1",))
    (key,) = [key for key in found.keys if key.tag == 0x00400275]
    assert [inner.tag for inner in key.items] == [0x00400009, 0x00401001]


def test_an_empty_sequence_asks_for_the_sequence() -> None:
    found = request(identifier("SERIES", RequestAttributesSequence=Sequence([])), rules=Rules(relational=True))
    assert Include((0x00400275,)) in found.query.include
    assert found.query.matches == ()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_private_keys_carry_their_creator(syntax: str) -> None:
    dataset = identifier("IMAGE")
    block = dataset.private_block(0x0009, "GEMS_IDEN_01", create=True)
    block.add_new(0x04, "SH", "ct01")
    found = request(dataset, rules=Rules(relational=True), syntax=syntax)
    (match,) = found.query.matches
    assert (match.path, match.private_creator, match.values) == ((0x00090004,), "GEMS_IDEN_01", ("ct01",))
    assert found.constants[0x00090010] == ("LO", "GEMS_IDEN_01")
    assert found.all_supported


def test_text_is_decoded_by_the_character_set_of_the_identifier() -> None:
    dataset = identifier(SpecificCharacterSet="ISO_IR 144", PatientName="Люкceмбypг*")
    (match,) = matches(dataset)
    assert match.values == (fold("Люкceмбypг*"),)
    assert request(dataset).character_set == "ISO_IR 144"


def test_negotiated_rules_reach_the_query() -> None:
    rules = Rules(relational=True, combined_datetime=True, fuzzy=True, empty_value=True, multiple_value=True)
    query = request(identifier(PatientName="a b", AccessionNumber='""', PatientID="1\\2"), rules=rules).query
    assert query.fuzzy
    assert query.combined_datetime
    assert {match.path[0]: match.kind for match in query.matches} == {
        0x00080050: MatchKind.EMPTY,
        0x00100010: MatchKind.SINGLE,
        0x00100020: MatchKind.MULTIPLE,
    }


def test_what_extended_negotiation_agrees_on() -> None:
    assert find_information(b"\1\1\1\1\1\1\1") == b"\1\1\1\1\0\1\1"
    assert worklist_information(b"\1\1\1\1\1\1\1") == b"\1\1\1\0\0\1\1"
    assert find_information(b"\1") == b"\1"
    assert find_information(b"\0\1\2\1\1") == b"\0\1\0\1\0"
    assert find_information(b"\1" * 20) == b"\1\1\1\1\0\1\1"
    assert agreed_rules(b"") == Rules()
    assert agreed_rules(b"\1\0\1") == Rules(relational=True, fuzzy=True)
    assert agreed_rules(b"\1\1\1\1\0\1\1") == Rules(*[True] * 6)


@pytest.mark.parametrize(
    ("levels", "allowed"),
    [
        (PATIENT_ROOT, {"PATIENT", "STUDY", "SERIES", "IMAGE"}),
        (STUDY_ROOT, {"STUDY", "SERIES", "IMAGE"}),
        (PATIENT_STUDY_ONLY, {"PATIENT", "STUDY"}),
    ],
)
def test_levels_of_the_information_models(levels: tuple[Level, ...], allowed: set[str]) -> None:
    for level in ("PATIENT", "STUDY", "SERIES", "IMAGE", "FRAME", "", None):
        dataset = identifier(level)
        if level in allowed:
            assert request(dataset, levels, Rules(relational=True)).query
            continue
        with pytest.raises(ServerError) as caught:
            request(dataset, levels, Rules(relational=True))
        assert caught.value.reason is Reason.BAD_REQUEST


@pytest.mark.parametrize(
    ("levels", "level", "keys", "allowed"),
    [
        (STUDY_ROOT, "STUDY", {}, True),
        (STUDY_ROOT, "SERIES", {}, False),
        (STUDY_ROOT, "SERIES", {"StudyInstanceUID": "*"}, False),
        (STUDY_ROOT, "SERIES", {"StudyInstanceUID": "1.2"}, True),
        (STUDY_ROOT, "IMAGE", {"StudyInstanceUID": "1.2"}, False),
        (STUDY_ROOT, "IMAGE", {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3"}, True),
        (PATIENT_ROOT, "PATIENT", {}, True),
        (PATIENT_ROOT, "STUDY", {}, False),
        (PATIENT_ROOT, "STUDY", {"PatientID": "P1"}, True),
    ],
)
def test_the_hierarchy_is_required_unless_relational(
    levels: tuple[Level, ...], level: str, keys: dict[str, str], allowed: bool
) -> None:
    dataset = identifier(level, **keys)
    assert request(dataset, levels, Rules(relational=True))
    if allowed:
        assert request(dataset, levels)
        return
    with pytest.raises(ServerError, match="relational"):
        request(dataset, levels)


def test_unique_keys_are_answered_unasked() -> None:
    keys = request(identifier("SERIES", StudyInstanceUID="1.2", Modality="")).keys
    assert {key.tag for key in keys} == {0x0020000D, 0x0020000E, 0x00080060}


def test_keys_of_lower_levels_are_not_supported() -> None:
    assert request(identifier(PatientName="")).all_supported
    assert not request(identifier(SOPInstanceUID="")).all_supported
    assert not request(identifier(NumberOfPatientRelatedStudies="")).all_supported
    assert request(identifier("PATIENT", NumberOfPatientRelatedStudies=""), PATIENT_ROOT).all_supported


def test_retrieve_url_is_supported_where_the_root_is_known() -> None:
    asked = read_identifier(encoded(identifier(RetrieveURL="")), ExplicitVRLittleEndian)
    assert not find_request(asked, STUDY_ROOT, Rules(), "US").all_supported
    assert find_request(asked, STUDY_ROOT, Rules(), "US", "https://archive.example").all_supported


def test_retired_keys_and_group_lengths_are_ignored() -> None:
    plain = encoded(identifier(PatientID="P1"))
    old = b"\x08\0\0\0UL\4\0\x10\0\0\0" + b"\x08\0\x01\0UL\4\0\0\1\0\0" + b"\x08\0\x10\0SH\x0c\0ACR-NEMA 2.0" + plain
    found = find_request(read_identifier(old, ExplicitVRLittleEndian), STUDY_ROOT, Rules(), "US")
    assert {key.tag for key in found.keys} == {0x00100020, 0x0020000D}
    assert found.all_supported


@pytest.mark.parametrize(
    ("head", "value"),
    [
        (b"\x08\0\x20\0DA", b"yesterday."),
        (b"\x08\0\x30\0TM", b"25:61:"),
        (b"\x20\0\x0d\0UI", b"../../"),
    ],
)
def test_values_that_no_match_can_have(head: bytes, value: bytes) -> None:
    data = encoded(identifier()) + head + len(value).to_bytes(2, "little") + value
    with pytest.raises(ServerError) as caught:
        find_request(read_identifier(data, ExplicitVRLittleEndian), STUDY_ROOT, Rules(), "US")
    assert caught.value.reason is Reason.BAD_REQUEST
    assert value.decode() not in caught.value.detail


def test_too_many_keys() -> None:
    data = b"".join(b"\x10\0\x20\0LO\0\0" for _ in range(1001))
    with pytest.raises(ServerError):
        read_identifier(data, ExplicitVRLittleEndian)


def test_sequences_nested_too_deep() -> None:
    dataset = Dataset()
    for _ in range(12):
        outer = Dataset()
        outer.RequestAttributesSequence = Sequence([dataset])
        dataset = outer
    with pytest.raises(ServerError):
        read_identifier(encoded(dataset), ExplicitVRLittleEndian)


@given(st.binary(max_size=300), st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian]))
def test_anything_is_understood_or_refused(data: bytes, syntax: str) -> None:
    for content in (data, encoded(identifier(PatientID="P1"), syntax) + data):
        try:
            find_request(read_identifier(content, syntax), STUDY_ROOT, Rules(relational=True), "US")
        except ServerError:
            continue
