"""PS3.4 annex J: storage commitment, asked for and reported."""

from queue import Empty, Queue
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from conformance.archive import Archive
from conformance.procedure_steps import COMMITMENT, COMMITMENT_INSTANCE, Address, modality
from conformance.requirement import requires

SUCCESS, NO_SUCH_INSTANCE_REASON, NO_SUCH_ACTION = 0x0000, 0x0112, 0x0123
ALL_COMMITTED, SOME_FAILED = 1, 2


class Told:
    """Takes the reports, each of which counts once it is answered: an association is not to be released before."""

    def __init__(self) -> None:
        self.reports: Queue[tuple[int, Dataset]] = Queue()
        self.unanswered: list[tuple[int, Dataset]] = []

    def __call__(self, event: Any) -> tuple[int, None]:
        self.unanswered.append((event.event_type, event.event_information))
        return SUCCESS, None

    def sent(self, event: Any) -> None:
        if self.unanswered:
            self.reports.put(self.unanswered.pop())

    def next(self) -> tuple[int, Dataset]:
        try:
            return self.reports.get(timeout=10)
        except Empty:
            pytest.skip("it reports on an association of its own, to a modality that it knows")


def request(*references: tuple[str, str]) -> Dataset:
    dataset = Dataset()
    dataset.TransactionUID = generate_uid()
    dataset.ReferencedSOPSequence = []
    for sop_class, instance in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
        dataset.ReferencedSOPSequence.append(item)
    return dataset


def asked(
    dimse: Address, dataset: Dataset, *, action: int = 1, instance: str = COMMITMENT_INSTANCE
) -> tuple[int, Told]:
    """The status of the N-ACTION, and what was told on its association."""
    told = Told()
    with modality(dimse, COMMITMENT, told=told, sent=told.sent) as association:
        if not association.accepted_contexts:
            pytest.skip("storage commitment is not offered to this node")
        status, _ = association.send_n_action(dataset, action, COMMITMENT, instance)
        if status.Status == SUCCESS:
            told.reports.put(told.next())
    return int(status.Status), told


def uids(sequence: Any) -> set[str]:
    return {str(item.ReferencedSOPInstanceUID) for item in sequence}


CT = "1.2.840.10008.5.1.4.1.1.2"


@requires("PS3.4 §J.3.3")
def test_what_is_stored_is_committed(dimse: Address, archive: Archive) -> None:
    dataset = request(*((CT, one.instance) for one in archive.ct))
    status, told = asked(dimse, dataset)
    assert status == SUCCESS
    event, report = told.next()
    assert (event, report.TransactionUID) == (ALL_COMMITTED, dataset.TransactionUID)
    assert uids(report.ReferencedSOPSequence) == {one.instance for one in archive.ct}
    assert "FailedSOPSequence" not in report


@requires("PS3.4 §J.3.3.1.2")
def test_what_is_not_there_fails_with_its_reason(dimse: Address, archive: Archive) -> None:
    unknown = generate_uid()
    _, told = asked(dimse, request((CT, archive.ct[0].instance), (CT, unknown)))
    event, report = told.next()
    assert event == SOME_FAILED
    assert uids(report.ReferencedSOPSequence) == {archive.ct[0].instance}
    (failed,) = report.FailedSOPSequence
    assert (failed.ReferencedSOPInstanceUID, failed.FailureReason) == (unknown, NO_SUCH_INSTANCE_REASON)


@requires("PS3.3 §C.14.1.1")
def test_another_sop_class_is_a_conflict(dimse: Address, archive: Archive) -> None:
    _, told = asked(dimse, request(("1.2.840.10008.5.1.4.1.1.4", archive.ct[0].instance)))
    event, report = told.next()
    assert event == SOME_FAILED
    (failed,) = report.FailedSOPSequence
    assert failed.FailureReason == 0x0119


@requires("PS3.7 §10.1.4.1.10")
def test_other_actions_there_are_not(dimse: Address, archive: Archive) -> None:
    status, _ = asked(dimse, request((CT, archive.ct[0].instance)), action=2)
    assert status == NO_SUCH_ACTION


@requires("PS3.4 §J.3.2.1.1")
def test_a_request_without_instances_is_refused(dimse: Address) -> None:
    status, _ = asked(dimse, request())
    assert status not in (SUCCESS, 0xFF00)
