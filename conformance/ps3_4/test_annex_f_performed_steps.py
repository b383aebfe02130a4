"""PS3.4 annex F: modality performed procedure steps, begun once, over once."""

from collections.abc import Callable
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import evt

from conformance.procedure_steps import (
    PERFORMED_STEP,
    PERFORMED_STEP_RETRIEVE,
    Address,
    ending,
    find_steps,
    modality,
    report,
    worklist_keys,
)
from conformance.requirement import requires

SUCCESS, INVALID_VALUE, DUPLICATE, NO_SUCH_INSTANCE, MISSING = 0x0000, 0x0106, 0x0111, 0x0112, 0x0120
PROCESSING_FAILURE, NO_LONGER_UPDATED, NOT_SUPPORTED = 0x0110, 0xA506, 0x0001


def begun(association: Any, dataset: Dataset | None = None, uid: str = "") -> str:
    """A step that is in progress; its UID."""
    uid = uid or generate_uid()
    status, _ = association.send_n_create(dataset or report(), PERFORMED_STEP, uid)
    assert status.Status == SUCCESS
    return uid


@requires("PS3.4 §F.7.2.1")
def test_a_step_begins(performed: Address) -> None:
    with modality(performed, PERFORMED_STEP) as association:
        begun(association)


@requires("PS3.7 §10.1.5.1.3")
def test_the_server_makes_a_uid_where_the_modality_gives_none(performed: Address) -> None:
    received: list[Dataset] = []
    handlers = [(evt.EVT_DIMSE_RECV, lambda event: received.append(event.message.command_set))]
    with modality(performed, PERFORMED_STEP, handlers=handlers) as association:
        status, _ = association.send_n_create(report(), PERFORMED_STEP, None)
        assert status.Status == SUCCESS
    assert [bool(command.get("AffectedSOPInstanceUID")) for command in received] == [True]


@requires("PS3.4 §F.7.2.1.1")
@pytest.mark.parametrize("status", ["COMPLETED", "DISCONTINUED", "PAUSED"])
def test_a_step_begins_in_progress_only(performed: Address, status: str) -> None:
    with modality(performed, PERFORMED_STEP) as association:
        answer, _ = association.send_n_create(
            report(PerformedProcedureStepStatus=status), PERFORMED_STEP, generate_uid()
        )
        assert answer.Status == INVALID_VALUE


@requires("PS3.4 §F.7.2.1.1")
@pytest.mark.parametrize("keyword", ["PerformedProcedureStepStatus", "ScheduledStepAttributesSequence", "Modality"])
def test_what_a_step_must_have(performed: Address, keyword: str) -> None:
    with modality(performed, PERFORMED_STEP) as association:
        answer, _ = association.send_n_create(report("", **{keyword: None}), PERFORMED_STEP, generate_uid())
        assert answer.Status == MISSING


@requires("PS3.7 §10.1.5.1.6")
def test_a_uid_is_used_once(performed: Address) -> None:
    with modality(performed, PERFORMED_STEP) as association:
        uid = begun(association)
        answer, _ = association.send_n_create(report(), PERFORMED_STEP, uid)
        assert answer.Status == DUPLICATE


@requires("PS3.4 §F.7.2.2")
@pytest.mark.parametrize("status", ["COMPLETED", "DISCONTINUED"])
def test_a_step_is_over_once(performed: Address, status: str) -> None:
    with modality(performed, PERFORMED_STEP) as association:
        uid = begun(association)
        first, _ = association.send_n_set(ending(status), PERFORMED_STEP, uid)
        assert first.Status == SUCCESS
        second, _ = association.send_n_set(ending(status), PERFORMED_STEP, uid)
        assert (second.Status, second.get("ErrorID")) == (PROCESSING_FAILURE, NO_LONGER_UPDATED)


@requires("PS3.4 §F.7.2.2")
def test_a_step_is_changed_while_it_is_in_progress(performed: Address) -> None:
    with modality(performed, PERFORMED_STEP) as association:
        uid = begun(association)
        for description in ("one", "two"):
            dataset = Dataset()
            dataset.PerformedProcedureStepDescription = description
            answer, _ = association.send_n_set(dataset, PERFORMED_STEP, uid)
            assert answer.Status == SUCCESS


@requires("PS3.7 §10.1.3.1.6")
def test_a_step_that_is_not_known(performed: Address) -> None:
    with modality(performed, PERFORMED_STEP) as association:
        answer, _ = association.send_n_set(ending(), PERFORMED_STEP, generate_uid())
        assert answer.Status == NO_SUCH_INSTANCE


@requires("PS3.4 §F.8.2.1", "O")
def test_a_step_is_told(performed: Address) -> None:
    with modality(performed, PERFORMED_STEP, PERFORMED_STEP_RETRIEVE) as association:
        uid = begun(association)
        tags = [0x00400252, 0x00400253]
        answer, found = association.send_n_get(tags, PERFORMED_STEP_RETRIEVE, uid)
        assert answer.Status == SUCCESS
        assert (found.PerformedProcedureStepStatus, found.PerformedProcedureStepID) == ("IN PROGRESS", "PPS")


@requires("PS3.4 §F.8.2.1", "O")
def test_what_a_step_does_not_have_is_a_warning(performed: Address) -> None:
    with modality(performed, PERFORMED_STEP, PERFORMED_STEP_RETRIEVE) as association:
        uid = begun(association)
        status = [0x00400252]
        answer, found = association.send_n_get([*status, 0x00400100], PERFORMED_STEP_RETRIEVE, uid)
        assert (answer.Status, list(found.keys())) == (NOT_SUPPORTED, status)
        answer, _ = association.send_n_get(status, PERFORMED_STEP_RETRIEVE, generate_uid())
        assert answer.Status == NO_SUCH_INSTANCE


@requires("PS3.3 §C.4.10", "B")
def test_the_worklist_says_what_became_of_a_step(performed: Address, worklist: Address) -> None:
    def step(asked: Callable[[], Dataset]) -> list[str]:
        return [
            str(item.ScheduledProcedureStepSequence[0].ScheduledProcedureStepStatus)
            for _, item in find_steps(worklist, asked())
            if item is not None
        ]

    def by_number() -> Dataset:
        return worklist_keys({"ScheduledProcedureStepStatus": ""}, AccessionNumber="ACC4")

    def by_status() -> Dataset:
        return worklist_keys({"ScheduledProcedureStepStatus": "COMPLETED"}, AccessionNumber="ACC4")

    with modality(performed, PERFORMED_STEP) as association:
        uid = begun(association, report("4"))
        assert step(by_number) == ["STARTED"]
        association.send_n_set(ending(), PERFORMED_STEP, uid)
        assert step(by_number) == []
        assert step(by_status) == ["COMPLETED"]
