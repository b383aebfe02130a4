"""PS3.4 annex J: storage commitment, asked for and reported."""

from queue import Empty
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from conformance.archive import Archive
from conformance.commitment import COMMITMENT, COMMITMENT_INSTANCE, Report, Reports, request
from conformance.procedure_steps import Address, modality
from conformance.requirement import requires

SUCCESS, NO_SUCH_INSTANCE_REASON, NO_SUCH_ACTION = 0x0000, 0x0112, 0x0123
ALL_COMMITTED, SOME_FAILED = 1, 2
CT = "1.2.840.10008.5.1.4.1.1.2"


def asked(dimse: Address, dataset: Dataset, *, action: int = 1) -> tuple[int, Report | None]:
    """The status of the N-ACTION, and what is reported on its association."""
    reports, report = Reports(), None
    with modality(dimse, COMMITMENT, handlers=reports.handlers) as association:
        if not association.accepted_contexts:
            pytest.skip("storage commitment is not offered to this node")
        status, _ = association.send_n_action(dataset, action, COMMITMENT, COMMITMENT_INSTANCE)
        if status.Status == SUCCESS:
            try:
                report = reports.next(20)
            except Empty:
                pytest.skip("it reports on an association of its own, to a modality that it knows")
    return int(status.Status), report


def reported(dimse: Address, *references: tuple[str, str]) -> Report:
    """What is reported on the association of a request, which must be accepted."""
    dataset = request(generate_uid(), references)
    status, report = asked(dimse, dataset)
    assert status == SUCCESS
    assert report is not None
    assert report[1].TransactionUID == dataset.TransactionUID
    return report


def uids(sequence: Any) -> set[str]:
    return {str(item.ReferencedSOPInstanceUID) for item in sequence}


@requires("PS3.4 §J.3.3")
def test_what_is_stored_is_committed(dimse: Address, archive: Archive) -> None:
    event, report = reported(dimse, *((CT, one.instance) for one in archive.ct))
    assert event == ALL_COMMITTED
    assert uids(report.ReferencedSOPSequence) == {one.instance for one in archive.ct}
    assert "FailedSOPSequence" not in report


@requires("PS3.4 §J.3.3.1.2")
def test_what_is_not_there_fails_with_its_reason(dimse: Address, archive: Archive) -> None:
    unknown = generate_uid()
    event, report = reported(dimse, (CT, archive.ct[0].instance), (CT, unknown))
    assert event == SOME_FAILED
    assert uids(report.ReferencedSOPSequence) == {archive.ct[0].instance}
    (failed,) = report.FailedSOPSequence
    assert (failed.ReferencedSOPInstanceUID, failed.FailureReason) == (unknown, NO_SUCH_INSTANCE_REASON)


@requires("PS3.3 §C.14.1.1")
def test_another_sop_class_is_a_conflict(dimse: Address, archive: Archive) -> None:
    event, report = reported(dimse, ("1.2.840.10008.5.1.4.1.1.4", archive.ct[0].instance))
    assert event == SOME_FAILED
    (failed,) = report.FailedSOPSequence
    assert failed.FailureReason == 0x0119


@requires("PS3.7 §10.1.4.1.10")
def test_other_actions_there_are_not(dimse: Address, archive: Archive) -> None:
    status, _ = asked(dimse, request(generate_uid(), [(CT, archive.ct[0].instance)]), action=2)
    assert status == NO_SUCH_ACTION


@requires("PS3.4 §J.3.2.1.1")
def test_a_request_without_instances_is_refused(dimse: Address) -> None:
    status, _ = asked(dimse, request(generate_uid(), []))
    assert status not in (SUCCESS, 0xFF00)
