"""The state table of PS3.4 table CC.1.1-2, what a creation, a change and an end require, what subscribers are told."""

from typing import Any

import pytest
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset

from conformance.workitems import code, progress, results, workitem
from dicomweb_server.dicom.workitem import (
    UPS_PUSH,
    Notice,
    Problem,
    State,
    WorkitemError,
    allowed_cancel,
    allowed_change,
)
from dicomweb_server.dicom.workitem_attributes import TABLE
from dicomweb_server.dicom.workitem_events import (
    EventType,
    cancel_request,
    change_events,
    creation_events,
    scp_status,
)
from dicomweb_server.dicom.workitem_rules import canceled_workitem, changed_workitem, finished_workitem, new_workitem
from tests.worklists import document

NOW, LOCK, OTHER = "20290101000000+0000", "1.2.3", "1.2.4"
S, P, C, X = State.SCHEDULED, State.IN_PROGRESS, State.COMPLETED, State.CANCELED


def created(**attributes: Any) -> dict[str, Any]:
    return new_workitem("1.2.3.4", document(workitem(**attributes)), NOW)[0]


@pytest.mark.parametrize(
    ("wanted", "transaction_uid", "outcomes"),  # outcomes for SCHEDULED, IN PROGRESS, COMPLETED, CANCELED
    [
        (P, LOCK, (None, 0xC302, 0xC300, 0xC300)),
        (P, OTHER, (None, 0xC301, 0xC301, 0xC301)),
        (P, "", (0xC301, 0xC301, 0xC301, 0xC301)),
        (S, LOCK, (0xC303, 0xC303, 0xC303, 0xC303)),
        (C, LOCK, (0xC310, None, 0xB306, 0xC300)),
        (C, OTHER, (0xC310, 0xC301, 0xC301, 0xC301)),
        (C, "", (0xC301, 0xC301, 0xC301, 0xC301)),
        (X, LOCK, (0xC310, None, 0xC300, 0xB304)),
        (X, OTHER, (0xC310, 0xC301, 0xC301, 0xC301)),
    ],
)
def test_who_may_change_the_state(wanted: State, transaction_uid: str, outcomes: tuple[int | None, ...]) -> None:
    for now, outcome in zip(State, outcomes, strict=True):
        lock = "" if now is S else LOCK
        assert _code(lambda: allowed_change(now, wanted, lock, transaction_uid)) == outcome  # noqa: B023


def test_who_may_be_asked_to_cancel() -> None:
    assert [_code(lambda: allowed_cancel(now)) for now in State] == [None, None, 0xC311, 0xB304]  # noqa: B023


def _code(asked: Any) -> int | None:
    try:
        notice: Notice | None = asked()
    except WorkitemError as error:
        return error.problem.code
    return None if notice is None else notice.code


def test_what_is_created() -> None:
    given = workitem(WorklistLabel="")
    given.SpecificCharacterSet = "ISO_IR 192"
    made, modified = new_workitem("1.2.3.4", document(given), NOW)
    assert modified == ("00741202",)
    assert made["00741202"]["Value"] == ["WORKLIST"]
    assert made["00080016"]["Value"] == [UPS_PUSH]
    assert made["00080018"]["Value"] == ["1.2.3.4"]
    assert made["00404010"]["Value"] == [NOW]
    assert "00081195" not in made
    assert "00080005" not in made


@pytest.mark.parametrize("requirement", [each for each in TABLE if each.create.value in ("1", "2", "2, empty")])
def test_what_a_creation_must_have(requirement: Any) -> None:
    with pytest.raises(WorkitemError) as refused:
        created(**{keyword_for_tag(requirement.tag): None})
    assert refused.value.problem is Problem.MISSING
    assert refused.value.tags == (int(requirement.tag, 16),)
    assert keyword_for_tag(requirement.tag) in refused.value.detail


def test_items_have_requirements_of_their_own() -> None:
    nameless = code("A", "")
    with pytest.raises(WorkitemError, match=r"^attribute without a value: \w+CodeSequence\.CodeMeaning$"):
        created(ScheduledStationNameCodeSequence=[code("A", "A"), nameless])
    with pytest.raises(WorkitemError, match=r"ReferencedRequestSequence\.StudyInstanceUID, "):
        created(ReferencedRequestSequence=[Dataset()])


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"ProcedureStepState": "IN PROGRESS"}, Problem.NOT_SCHEDULED),
        ({"ProcedureStepState": ""}, Problem.NO_VALUE),
        ({"ProcedureStepLabel": ""}, Problem.NO_VALUE),
        ({"ScheduledProcedureStepPriority": "URGENT"}, Problem.INVALID),
        ({"InputReadinessState": "PERHAPS"}, Problem.INVALID),
        ({"ScheduledProcedureStepStartDateTime": "20290230"}, Problem.INVALID),
        ({"TransactionUID": LOCK}, Problem.INVALID),
        ({"ProcedureStepProgressInformationSequence": [Dataset()]}, Problem.INVALID),
        ({"SOPInstanceUID": "1.2.3.5"}, Problem.INVALID),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.34.6.2"}, Problem.INVALID),
    ],
)
def test_what_a_creation_must_not_say(attributes: dict[str, Any], problem: Problem) -> None:
    with pytest.raises(WorkitemError) as refused:
        created(**attributes)
    assert refused.value.problem is problem


@pytest.mark.parametrize("tag", ["00741002", "00404025", "00741204"])
def test_an_attribute_that_is_another_kind_of_thing(tag: str) -> None:
    given = document(workitem()) | {
        tag: {"vr": "SQ", "Value": [{}]} if tag == "00741204" else {"vr": "LO", "Value": ["A"]}
    }
    with pytest.raises(WorkitemError) as refused:
        new_workitem("1.2.3.4", given, NOW)
    assert (refused.value.problem, refused.value.tags) == (Problem.INVALID, (int(tag, 16),))


def test_a_change() -> None:
    old = created()
    given = document(progress(ProcedureStepProgress="50")) | {"00100020": old["00100020"]}  # may be repeated
    new = changed_workitem(old, given, "20290102000000+0000")
    assert new["00741002"]["Value"][0]["00741004"]["Value"] == [50]
    assert new["00404010"]["Value"] == ["20290102000000+0000"]
    assert changed_workitem(new, given, "20290103000000+0000") == new  # idempotent
    assert changed_workitem(old, {"00081195": {"vr": "UI"}}, NOW) == old


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"ProcedureStepState": "COMPLETED"}, Problem.NOT_ALLOWED),
        ({"TransactionUID": LOCK}, Problem.NOT_ALLOWED),
        ({"SOPInstanceUID": "1.2.3.5"}, Problem.NOT_ALLOWED),
        ({"PatientID": "PAT2"}, Problem.NOT_ALLOWED),
        ({"ProcedureStepLabel": ""}, Problem.NO_VALUE),
        ({"InputReadinessState": "PERHAPS"}, Problem.INVALID),
    ],
)
def test_what_a_change_must_not_say(attributes: dict[str, Any], problem: Problem) -> None:
    change = Dataset()
    for keyword, value in attributes.items():
        setattr(change, keyword, value)
    with pytest.raises(WorkitemError) as refused:
        changed_workitem(created(), document(change), NOW)
    assert refused.value.problem is problem


@pytest.mark.parametrize(
    "lacking",
    [
        "PerformedStationNameCodeSequence", "PerformedProcedureStepStartDateTime", "PerformedWorkitemCodeSequence",
        "PerformedProcedureStepEndDateTime", "OutputInformationSequence",
    ],
)  # fmt: skip
def test_what_a_completion_must_have(lacking: str) -> None:
    old = created()
    with pytest.raises(WorkitemError, match="final state needs: UnifiedProcedureStepPerformedProcedureSequence"):
        finished_workitem(old, C, NOW)
    almost = changed_workitem(old, document(results(**{lacking: None})), NOW)
    with pytest.raises(WorkitemError, match=lacking) as refused:
        finished_workitem(almost, C, NOW)
    assert refused.value.problem is Problem.NOT_READY
    done = finished_workitem(changed_workitem(old, document(results()), NOW), C, NOW)
    assert done["00741000"]["Value"] == ["COMPLETED"]


def test_when_and_why_it_was_canceled_is_filled_in() -> None:
    told = document(progress(ReasonForCancellation="Broken"))
    (item,) = finished_workitem(changed_workitem(created(), told, NOW), X, NOW)["00741002"]["Value"]
    assert item["00741238"]["Value"] == ["Broken"]
    assert item["00404052"]["Value"] == [NOW]
    assert item["0074100E"]["Value"][0]["00080100"]["Value"] == ["110513"]


def test_a_request_to_cancel_gives_reasons() -> None:
    request = Dataset()
    request.ReasonForCancellation, request.ContactURI = "Twice", "mailto:a@b"
    request.ProcedureStepDiscontinuationReasonCodeSequence = [code("110510", "Duplicate order")]
    (item,) = canceled_workitem(created(), document(request), NOW)["00741002"]["Value"]
    assert item["00741238"]["Value"] == ["Twice"]
    assert item["0074100E"]["Value"][0]["00080100"]["Value"] == ["110510"]
    assert item["00741008"]["Value"][0]["0074100A"]["Value"] == ["mailto:a@b"]


def test_what_subscribers_are_told() -> None:
    plain = created()
    (report,) = creation_events(plain)
    assert (report.kind, report.workitem_uid) == (EventType.STATE_REPORT, "1.2.3.4")
    assert set(report.document) == {"00741000", "00404041"}
    performer = Dataset()
    performer.HumanPerformerCodeSequence = [code("A", "Anna")]
    performer.HumanPerformerName, performer.HumanPerformerOrganization = "Anna", "Hospital"
    people = document(workitem(ScheduledHumanPerformersSequence=[performer]))["00404034"]
    changed = changed_workitem(plain, {"00404034": people, "00404041": {"vr": "CS", "Value": ["INCOMPLETE"]}}, NOW)
    report, assigned = change_events(plain, changed)
    assert report.document["00404041"]["Value"] == ["INCOMPLETE"]
    assert assigned.kind is EventType.ASSIGNED
    assert assigned.document["00404009"]["Value"][0]["00080100"]["Value"] == ["A"]
    assert assigned.document["00404036"]["Value"] == ["Hospital"]
    assert [each.kind for each in creation_events(changed)] == [EventType.STATE_REPORT, EventType.ASSIGNED]
    told = changed_workitem(changed, document(progress(ProcedureStepProgress="50")), NOW)
    assert [each.kind for each in change_events(changed, told)] == [EventType.PROGRESS_REPORT]
    assert change_events(told, told) == []
    asked = cancel_request(told, "ASKER", {"00741238": {"vr": "LT", "Value": ["Why"]}, "00100020": {"vr": "LO"}})
    assert {tag: each["Value"] for tag, each in asked.document.items()} == {"00741236": ["ASKER"], "00741238": ["Why"]}
    assert scp_status("RESTARTED").document["00741242"]["Value"] == ["RESTARTED"]
