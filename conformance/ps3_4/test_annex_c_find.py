"""PS3.4 annex C.4.1: C-FIND, its levels, matching, answers and statuses; and the same found by QIDO-RS."""

from typing import Any

import pytest

from conformance.archive import Archive
from conformance.query_retrieve import (
    PATIENT_ROOT,
    PATIENT_STUDY_ONLY,
    RELATIONAL,
    STUDY_ROOT,
    Address,
    Response,
    agreed_extension,
    find,
    identifier,
)
from conformance.requirement import requires
from conformance.service import Service, value

PENDING, PENDING_WITH_WARNING, SUCCESS, IDENTIFIER_DOES_NOT_MATCH = 0xFF00, 0xFF01, 0x0000, 0xA900


def matches(responses: list[Response]) -> list[Any]:
    """The identifiers of the pending responses, after a final success."""
    *pending, final = responses
    assert final.status == SUCCESS
    assert final.identifier is None
    assert all(response.status in (PENDING, PENDING_WITH_WARNING) for response in pending)
    return [response.identifier for response in pending]


def studies(dimse: Address, archive: Archive, **keys: Any) -> set[str]:
    """The studies of the archive that a search finds."""
    found = {each.StudyInstanceUID for each in matches(find(dimse, identifier("STUDY", StudyInstanceUID="", **keys)))}
    return found & {one.study for one in archive.all}


@requires("PS3.4 §C.4.1.1.3")
@pytest.mark.parametrize("level", ["PATIENT", "STUDY", "SERIES", "IMAGE"])
def test_patient_root_has_four_levels(dimse: Address, archive: Archive, level: str) -> None:
    ct = archive.ct[0]
    keys = {
        "PATIENT": {"PatientID": archive.patient_id},
        "STUDY": {"PatientID": archive.patient_id, "StudyInstanceUID": ct.study},
        "SERIES": {"PatientID": archive.patient_id, "StudyInstanceUID": ct.study, "SeriesInstanceUID": ct.series},
        "IMAGE": {
            "PatientID": archive.patient_id,
            "StudyInstanceUID": ct.study,
            "SeriesInstanceUID": ct.series,
            "SOPInstanceUID": "",
        },
    }[level]
    found = matches(find(dimse, identifier(level, **keys), PATIENT_ROOT))
    assert len(found) == (3 if level == "IMAGE" else 1)
    for answer in found:
        assert answer.QueryRetrieveLevel == level
        assert all(answer.get(keyword) is not None for keyword in keys)


@requires("PS3.4 §C.4.1.1.3.1")
@pytest.mark.parametrize(
    ("model", "level"),
    [
        (STUDY_ROOT, "PATIENT"),
        (STUDY_ROOT, ""),
        (STUDY_ROOT, "FRAME"),
        (PATIENT_ROOT, ""),
        (PATIENT_STUDY_ONLY, "SERIES"),
        (PATIENT_STUDY_ONLY, "IMAGE"),
    ],
)
def test_a_level_that_the_model_does_not_have(dimse: Address, model: str, level: str) -> None:
    (final,) = find(dimse, identifier(level, PatientID="X"), model)
    assert final.status == IDENTIFIER_DOES_NOT_MATCH or 0xC000 <= final.status < 0xD000


@requires("PS3.4 §C.6.3.1", "O")
def test_patient_study_only_has_two_levels(dimse: Address, archive: Archive) -> None:
    (patient,) = matches(find(dimse, identifier("PATIENT", PatientID=archive.patient_id), PATIENT_STUDY_ONLY))
    assert patient.PatientID == archive.patient_id
    keys = {"PatientID": archive.patient_id, "StudyInstanceUID": ""}
    found = matches(find(dimse, identifier("STUDY", **keys), PATIENT_STUDY_ONLY))
    assert {answer.StudyInstanceUID for answer in found} == {archive.ct[0].study, archive.second.study}


@requires("PS3.4 §C.4.1.2.1")
@pytest.mark.parametrize("extended", [b"", b"\0", RELATIONAL])
@pytest.mark.parametrize(
    ("model", "level", "given"),
    [
        (STUDY_ROOT, "SERIES", ("SeriesInstanceUID",)),
        (STUDY_ROOT, "IMAGE", ("SOPInstanceUID",)),
        (STUDY_ROOT, "IMAGE", ("StudyInstanceUID", "SOPInstanceUID")),
        (PATIENT_ROOT, "STUDY", ("StudyInstanceUID",)),
        (PATIENT_ROOT, "SERIES", ("StudyInstanceUID", "SeriesInstanceUID")),
        (PATIENT_ROOT, "IMAGE", ("PatientID", "SeriesInstanceUID", "SOPInstanceUID")),
    ],
)
def test_keys_of_higher_levels_are_needed_unless_relational_queries_were_agreed(
    dimse: Address, archive: Archive, model: str, level: str, given: tuple[str, ...], extended: bytes
) -> None:
    asked = identifier(level, **{keyword: archive.ct[0].dataset[keyword].value for keyword in given})
    responses = find(dimse, asked, model, extended=extended)
    if extended == RELATIONAL:
        assert len(matches(responses)) == 1
    else:
        assert [response.status for response in responses] == [IDENTIFIER_DOES_NOT_MATCH]


@requires("PS3.4 §C.5.1.1.2")
@pytest.mark.parametrize("asked", [b"\1", b"\0\0\0", b"\1\1\1", b"\1\1\1\1\1\1\1", b"\0\0\0\0\0\1\0"])
def test_extended_negotiation_is_answered_as_long_as_asked_and_agrees_to_no_more(dimse: Address, asked: bytes) -> None:
    agreed = agreed_extension(dimse, STUDY_ROOT, asked)
    assert len(agreed) in (0, 3, len(asked))
    assert all(answer <= wish for answer, wish in zip(agreed, asked, strict=False))
    assert set(agreed) <= {0, 1}


@requires("PS3.4 §C.4.1.1.3.2")
def test_an_answer_has_what_was_asked_the_level_the_unique_keys_and_where_to_retrieve(
    dimse: Address, archive: Archive
) -> None:
    asked = identifier("STUDY", PatientID=archive.patient_id, AccessionNumber=f"A{archive.run}", StudyDescription="")
    (answer,) = matches(find(dimse, asked))
    keywords = {element.keyword for element in answer}
    assert {"PatientID", "AccessionNumber", "StudyDescription"} <= keywords
    assert {"QueryRetrieveLevel", "StudyInstanceUID", "RetrieveAETitle"} <= keywords
    assert keywords <= {
        *("PatientID", "AccessionNumber", "StudyDescription", "QueryRetrieveLevel", "StudyInstanceUID"),
        *("RetrieveAETitle", "InstanceAvailability", "SpecificCharacterSet", "StorageMediaFileSetID"),
    }


@requires("PS3.4 §C.2.2.2.1")
def test_single_value_matching(dimse: Address, archive: Archive) -> None:
    assert studies(dimse, archive, PatientID=archive.patient_id) == {archive.ct[0].study, archive.second.study}
    assert studies(dimse, archive, PatientID=archive.patient_id.lower() + "x") == set()


@requires("PS3.4 §C.2.2.2.2")
def test_list_of_uid_matching(dimse: Address, archive: Archive) -> None:
    wanted = {archive.ct[0].study, archive.strange.study}
    asked = identifier("STUDY", StudyInstanceUID=[*wanted, "1.2.3.4.5"])
    assert {answer.StudyInstanceUID for answer in matches(find(dimse, asked))} == wanted


@requires("PS3.4 §C.2.2.2.3")
@pytest.mark.parametrize("text", ["", "*", "**"])
def test_universal_matching(dimse: Address, archive: Archive, text: str) -> None:
    assert studies(dimse, archive, PatientID=text) == {one.study for one in archive.all}


@requires("PS3.4 §C.2.2.2.4")
def test_wild_card_matching(dimse: Address, archive: Archive) -> None:
    strange, run = archive.strange.study, archive.run
    for name in (f"O'Strange{run}*", f"*Strange{run}^100%_", f"?'Strange{run}^*", f"O'Strange{run}^100%?"):
        assert studies(dimse, archive, PatientName=name) == {strange}, name
    assert studies(dimse, archive, PatientName=f"O'Strange{run}^10%_") == set()
    assert studies(dimse, archive, PatientName=f"O'Strange{run}?") == set()


@requires("PS3.4 §C.2.2.2.4")
def test_a_question_mark_is_one_character_not_one_byte(dimse: Address, archive: Archive) -> None:
    asked = identifier("STUDY", StudyInstanceUID="")
    asked.SpecificCharacterSet = "ISO_IR 100"
    asked.PatientName = f"M?ller{archive.run}^?nne"
    found = {answer.StudyInstanceUID for answer in matches(find(dimse, asked))}
    assert found == {archive.ct[0].study, archive.second.study}


@requires("PS3.4 §C.2.2.2.5")
def test_range_matching(dimse: Address, archive: Archive) -> None:
    date = str(archive.ct[0].dataset.StudyDate)
    study = archive.ct[0].study
    for text in (f"{date}-{date}", f"{date}-", f"-{date}", date, "19000101-20991231"):
        assert study in studies(dimse, archive, StudyDate=text), text
    for text in (f"-{int(date) - 1}", "19000101-19000102"):
        assert study not in studies(dimse, archive, StudyDate=text), text


@requires("PS3.4 §C.2.2.2.6")
def test_sequence_matching(dimse: Address, archive: Archive) -> None:
    ct = archive.ct[0]
    for step, count in ((f"SPS{archive.run}", 1), ("no such step", 0)):
        asked = identifier("SERIES", StudyInstanceUID=ct.study, SeriesInstanceUID="")
        asked.RequestAttributesSequence = [identifier("", ScheduledProcedureStepID=step)]
        assert len(matches(find(dimse, asked))) == count


@requires("PS3.4 §C.2.2.2.6")
def test_an_empty_sequence_is_answered_whole(dimse: Address, archive: Archive) -> None:
    ct = archive.ct[0]
    asked = identifier("SERIES", StudyInstanceUID=ct.study, SeriesInstanceUID=ct.series, RequestAttributesSequence=[])
    (answer,) = matches(find(dimse, asked))
    (item,) = answer.RequestAttributesSequence
    assert (item.ScheduledProcedureStepID, item.RequestedProcedureID) == (f"SPS{archive.run}", f"RP{archive.run}")


@requires("PS3.4 §C.6.1.1")
@pytest.mark.parametrize(
    ("model", "level", "above", "required"),
    [
        (PATIENT_ROOT, "PATIENT", (), ("PatientName", "PatientID")),
        (
            PATIENT_ROOT,
            "STUDY",
            ("PatientID",),
            ("StudyDate", "StudyTime", "AccessionNumber", "StudyID", "StudyInstanceUID"),
        ),
        (STUDY_ROOT, "STUDY", (), ("StudyDate", "StudyTime", "AccessionNumber", "PatientName", "PatientID", "StudyID")),
        (STUDY_ROOT, "SERIES", ("StudyInstanceUID",), ("Modality", "SeriesNumber", "SeriesInstanceUID")),
        (STUDY_ROOT, "IMAGE", ("StudyInstanceUID", "SeriesInstanceUID"), ("InstanceNumber", "SOPInstanceUID")),
    ],
)
def test_required_keys_match_and_are_answered_at_their_level(
    dimse: Address, archive: Archive, model: str, level: str, above: tuple[str, ...], required: tuple[str, ...]
) -> None:
    one = archive.ct[0].dataset
    unique = {"PATIENT": "PatientID", "STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID"}
    for keyword in required:
        asked = identifier(level, **{key: one[key].value for key in above}, **dict.fromkeys(required, ""))
        asked.SpecificCharacterSet = "ISO_IR 192"
        asked[keyword].value = one[keyword].value
        found = matches(find(dimse, asked, model))
        own = unique.get(level, "SOPInstanceUID")
        assert one[own].value in [answer[own].value for answer in found], keyword
        assert all(answer[keyword].value == one[keyword].value for answer in found), keyword
        assert all(key in answer for answer in found for key in required)
        asked[keyword].value = {"UI": "1.2.3", "DA": "19000101", "TM": "0001"}.get(asked[keyword].VR, "0")
        assert matches(find(dimse, asked, model)) == [], keyword


@requires("PS3.4 §C.4.1.1.3", "B")
@pytest.mark.parametrize("tag", [0x00080000, 0x00080001, 0x00080010, 0x00100000])
def test_what_old_devices_send_is_passed_over(dimse: Address, archive: Archive, tag: int) -> None:
    asked = identifier("STUDY", StudyInstanceUID=archive.ct[0].study)
    asked.add_new(tag, "SH" if tag == 0x00080010 else "UL", "RECOGNITION" if tag == 0x00080010 else 12)
    pending, final = find(dimse, asked)
    assert (pending.status, final.status) == (PENDING, SUCCESS)
    assert pending.identifier is not None
    assert tag not in pending.identifier


@requires("PS3.4 §C.3.4", "O")
def test_counts_and_modalities(dimse: Address, archive: Archive) -> None:
    asked = identifier(
        "STUDY", StudyInstanceUID=archive.ct[0].study, ModalitiesInStudy="", NumberOfStudyRelatedSeries="",
        NumberOfStudyRelatedInstances="",
    )  # fmt: skip
    (answer,) = matches(find(dimse, asked))
    assert int(answer.NumberOfStudyRelatedInstances) == len(archive.first_study)
    assert int(answer.NumberOfStudyRelatedSeries) == len({one.series for one in archive.first_study})
    assert set(answer.ModalitiesInStudy) == {one.dataset.Modality for one in archive.first_study}


@requires("PS3.4 §C.4.1.1.4")
def test_keys_that_are_not_supported_are_told(dimse: Address, archive: Archive) -> None:
    asked = identifier("STUDY", StudyInstanceUID=archive.ct[0].study, SOPInstanceUID="")
    pending, final = find(dimse, asked)
    assert (pending.status, final.status) == (PENDING_WITH_WARNING, SUCCESS)
    assert pending.identifier is not None
    assert "SOPInstanceUID" not in pending.identifier
    pending, _ = find(dimse, identifier("STUDY", StudyInstanceUID=archive.ct[0].study, PatientName=""))
    assert pending.status == PENDING


@requires("PS3.4 §C.4.1.1.4", "B")
def test_a_comment_on_a_failure_tells_no_value(dimse: Address) -> None:
    asked = identifier("STUDY", PatientID="SECRET", StudyDate="not-a-date")
    (final,) = find(dimse, asked)
    assert final.status == IDENTIFIER_DOES_NOT_MATCH or 0xC000 <= final.status < 0xD000


@requires("PS3.5 §6.1")
@pytest.mark.parametrize("character_set", [None, "ISO_IR 100", "ISO_IR 192"])
def test_text_in_answers_can_be_read(dimse: Address, archive: Archive, character_set: str | None) -> None:
    asked = identifier("STUDY", StudyInstanceUID=archive.ct[0].study, PatientName="")
    if character_set:
        asked.SpecificCharacterSet = character_set
    (answer,) = matches(find(dimse, asked))
    assert answer.PatientName == f"Müller{archive.run}^Änne"


@requires("PS3.4 §C.2.2.2", "B")
@pytest.mark.parametrize(
    "keys",
    [
        {"PatientName": "m*"},
        {"StudyDate": "20200101-"},
        {"ModalitiesInStudy": "CT"},
        {"AccessionNumber": "A*", "PatientID": "*-1"},
        {"ReferringPhysicianName": "REFERRER^RENEE"},
        {"StudyDescription": "50% off_"},
    ],
)
def test_the_same_is_found_as_by_qido_rs(
    dimse: Address, service: Service, archive: Archive, keys: dict[str, str]
) -> None:
    by_web = {value(one, "0020000D") for one in service.search("/studies", {**keys, "limit": "10000"})}
    asked = identifier("STUDY", StudyInstanceUID="", **keys)
    assert {answer.StudyInstanceUID for answer in matches(find(dimse, asked))} == by_web
