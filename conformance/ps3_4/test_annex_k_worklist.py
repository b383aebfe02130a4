"""PS3.4 annex K: the modality worklist, its matching, its answers."""

import pytest
from pydicom.dataset import Dataset

from conformance.procedure_steps import Address, find_steps, study_uid, worklist_keys
from conformance.requirement import requires

PENDING, SUCCESS, IDENTIFIER_DOES_NOT_MATCH = 0xFF00, 0x0000, 0xA900


def found(address: Address, asked: Dataset) -> list[Dataset]:
    """The answers to a query that must succeed."""
    *pending, (final, nothing) = find_steps(address, asked)
    assert (final, nothing) == (SUCCESS, None)
    assert {status for status, _ in pending} <= {PENDING, 0xFF01}
    return [item for _, item in pending if item is not None]


def _id(value: object) -> str:
    """The same name at every run: the order of a set is not."""
    return "-".join(sorted(value)) if isinstance(value, set) else str(value)


def numbers(address: Address, asked: Dataset) -> set[str]:
    return {str(item.AccessionNumber) for item in found(address, asked)}


@requires("PS3.4 §K.4.1.1")
def test_everything_is_found_by_universal_matching(worklist: Address) -> None:
    assert numbers(worklist, worklist_keys()) >= {"ACC1", "ACC2", "ACC3"}


@requires("PS3.4 §K.4.1.1.3.2")
def test_answers_have_the_keys_that_were_asked_for(worklist: Address) -> None:
    (item,) = found(worklist, worklist_keys(AccessionNumber="ACC1"))
    assert (item.PatientID, str(item.PatientName)) == ("PAT1", "Zebra^Anna")
    assert item.StudyInstanceUID == study_uid("1")
    (step,) = item.ScheduledProcedureStepSequence
    assert (step.Modality, step.ScheduledStationAETitle) == ("CT", "CT1")
    assert (step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepID) == ("20290101", "SPS1")
    assert "RequestedProcedureID" not in item
    assert "ScheduledProcedureStepDescription" not in step


@requires("PS3.4 §K.4.1.1.3.2")
def test_what_an_item_does_not_have_is_answered_empty(worklist: Address) -> None:
    (item,) = found(worklist, worklist_keys(AccessionNumber="ACC1", PatientComments=""))
    assert item.get("PatientComments", "") in ("", None)


@requires("PS3.4 §K.6.1.2.2")
@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"ScheduledStationAETitle": "CT2"}, {"ACC2"}),
        ({"Modality": "MR"}, {"ACC3"}),
        ({"Modality": "XA"}, set()),
        ({"ScheduledProcedureStepStartDate": "20290102"}, {"ACC3"}),
        ({"ScheduledProcedureStepStartDate": "20290101-20290102"}, {"ACC1", "ACC2", "ACC3"}),
        ({"ScheduledProcedureStepStartDate": "-20290101"}, {"ACC1", "ACC2"}),
        ({"ScheduledProcedureStepStartDate": "20290102-20290102", "Modality": "CT"}, set()),
        ({"ScheduledProcedureStepID": "SPS1"}, {"ACC1"}),
    ],
    ids=_id,
)
def test_required_keys_of_the_scheduled_step(worklist: Address, step: dict[str, str], expected: set[str]) -> None:
    assert numbers(worklist, worklist_keys(step)) - {"ACC4"} == expected


@requires("PS3.4 §K.6.1.2.2")
def test_a_range_of_dates_and_one_of_times_are_one_interval(worklist: Address) -> None:
    step = {
        "ScheduledProcedureStepStartDate": "20290101-20290102",
        "ScheduledProcedureStepStartTime": "100000-095959",
    }
    assert numbers(worklist, worklist_keys(step)) == {"ACC2", "ACC3"}


@requires("PS3.4 §K.6.1.2.2")
@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"PatientName": "Zebra^A*"}, {"ACC1"}),
        ({"PatientName": "Zebra*"}, {"ACC1", "ACC2"}),
        ({"PatientID": "PAT3"}, {"ACC3"}),
        ({"AccessionNumber": "ACC?"}, {"ACC1", "ACC2", "ACC3"}),
    ],
    ids=_id,
)
def test_keys_of_patient_and_request(worklist: Address, keys: dict[str, str], expected: set[str]) -> None:
    assert numbers(worklist, worklist_keys(None, **keys)) - {"ACC4"} == expected


@requires("PS3.4 §C.2.2.2.6")
def test_all_keys_must_match(worklist: Address) -> None:
    assert numbers(worklist, worklist_keys({"Modality": "CT"}, PatientName="Müller*")) == set()


@requires("PS3.4 §K.4.1.1.3.2")
def test_an_empty_sequence_asks_for_all_of_it(worklist: Address) -> None:
    asked = Dataset()
    asked.AccessionNumber, asked.ScheduledProcedureStepSequence = "ACC1", []
    (item,) = found(worklist, asked)
    (step,) = item.ScheduledProcedureStepSequence
    assert (step.Modality, step.ScheduledProcedureStepDescription) == ("CT", "Step")


@requires("PS3.5 §6.1.2.3")
def test_answers_say_their_character_set(worklist: Address) -> None:
    asked = worklist_keys(PatientName="M*")
    asked.SpecificCharacterSet = "ISO_IR 100"
    (item,) = found(worklist, asked)
    assert item.SpecificCharacterSet in ("ISO_IR 100", "ISO_IR 192")
    assert str(item.PatientName) == "Müller^Jörg"


@requires("PS3.4 §K.4.1.1.4")
def test_a_key_that_cannot_be_matched(worklist: Address) -> None:
    ((status, _),) = find_steps(worklist, worklist_keys({"ScheduledProcedureStepStartDate": "tomorrow"}))
    assert status == IDENTIFIER_DOES_NOT_MATCH or status >> 12 == 0xC
