"""PS3.4 annex CC: workitems (Unified Procedure Steps), pushed, pulled, watched; one performer at a time."""

import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt

from conformance.peer import listening
from conformance.procedure_steps import Address, modality
from conformance.requirement import requires
from conformance.workitems import (
    ALL_WORKITEMS,
    CHANGE_STATE,
    EVENT,
    FILTERED_WORKITEMS,
    PULL,
    PUSH,
    QUERY,
    REQUEST_CANCEL,
    SUBSCRIBE,
    SUSPEND,
    UNSUBSCRIBE,
    WATCH,
    progress,
    results,
    state_change,
    subscription,
    workitem,
)

SUCCESS, WITH_MODIFICATIONS, ALREADY_CANCELED, ALREADY_COMPLETED = 0x0000, 0xB300, 0xB304, 0xB306
DUPLICATE, MISSING = 0x0111, 0x0120
FINAL, WRONG_TRANSACTION, NOT_BY_ACTION, NOT_READY, UNKNOWN = 0xC300, 0xC301, 0xC303, 0xC304, 0xC307
UNKNOWN_RECEIVER, NOT_SCHEDULED, NOT_IN_PROGRESS, COMPLETED, NOT_APPROPRIATE = 0xC308, 0xC309, 0xC310, 0xC311, 0xC314


@contextmanager
def user(workitems: Address) -> Iterator[Any]:
    """An association of somebody who may do everything."""
    with modality(workitems, PUSH, WATCH, PULL, QUERY) as association:
        yield association


def create(association: Any, uid: str = "", **attributes: Any) -> tuple[str, int]:
    uid = uid or str(generate_uid())
    return uid, int(association.send_n_create(workitem(**attributes), PUSH, uid)[0].Status)


def created(association: Any, **attributes: Any) -> str:
    uid, status = create(association, **attributes)
    assert status == SUCCESS
    return uid


def act(association: Any, sop_class: str, number: int, uid: str, information: Dataset | None = None) -> int:
    return int(association.send_n_action(information, number, PUSH, uid, meta_uid=sop_class)[0].Status)


def change(association: Any, uid: str, state: str, lock: str) -> int:
    return act(association, PULL, CHANGE_STATE, uid, state_change(state, lock))


def told(association: Any, uid: str, dataset: Dataset, lock: str = "") -> int:
    """N-SET; its status."""
    if lock:
        dataset.TransactionUID = lock
    return int(association.send_n_set(dataset, PUSH, uid, meta_uid=PULL)[0].Status)


def claimed(association: Any) -> tuple[str, str]:
    """A workitem that is in progress, and its lock."""
    uid, lock = created(association), str(generate_uid())
    assert change(association, uid, "IN PROGRESS", lock) == SUCCESS
    return uid, lock


def ended(association: Any, state: str) -> tuple[str, str]:
    """A workitem in a final state."""
    uid, lock = claimed(association)
    assert told(association, uid, results(), lock) == SUCCESS
    assert change(association, uid, state, lock) == SUCCESS
    return uid, lock


def found(association: Any, uid: str, *tags: int) -> Dataset:
    status, dataset = association.send_n_get(list(tags), PUSH, uid, meta_uid=PULL)
    assert status.Status == SUCCESS
    assert dataset is not None
    return Dataset(dataset)


@requires("PS3.4 §CC.2.5.3")
def test_a_workitem_begins_scheduled_only(workitems: Address) -> None:
    with user(workitems) as association:
        assert found(association, created(association), 0x00741000).ProcedureStepState == "SCHEDULED"
        assert create(association, ProcedureStepState="IN PROGRESS")[1] == NOT_SCHEDULED


@requires("PS3.4 §CC.1.1")
def test_a_uid_is_used_once(workitems: Address) -> None:
    with user(workitems) as association:
        assert create(association, created(association))[1] == DUPLICATE


@requires("PS3.4 §CC.2.5.1")
@pytest.mark.parametrize(
    "keyword", ["ScheduledProcedureStepPriority", "ProcedureStepLabel", "InputReadinessState", "PatientName"]
)
def test_what_a_creation_must_have(workitems: Address, keyword: str) -> None:
    with user(workitems) as association:
        lacking: dict[str, Any] = {keyword: None}
        assert create(association, **lacking)[1] == MISSING


@requires("PS3.4 §CC.2.5.4")
def test_who_gets_a_label_from_the_server_is_told(workitems: Address) -> None:
    with user(workitems) as association:
        uid, status = create(association, WorklistLabel="")
        assert status == WITH_MODIFICATIONS
        assert found(association, uid, 0x00741202).WorklistLabel != ""


@requires("PS3.4 §CC.2.5.1.3")
def test_the_server_says_of_which_class_and_how_old_it_is(workitems: Address) -> None:
    with user(workitems) as association:
        dataset = found(association, created(association), 0x00080016, 0x00404010)
        assert dataset.SOPClassUID == PUSH
        assert dataset.ScheduledProcedureStepModificationDateTime


@requires("PS3.4 §CC.2.1.2")
def test_who_claims_it_has_it(workitems: Address) -> None:
    with user(workitems) as association:
        uid, lock = claimed(association)
        assert told(association, uid, progress(ProcedureStepProgress="10"), lock) == SUCCESS
        assert told(association, uid, progress(ProcedureStepProgress="20"), str(generate_uid())) == WRONG_TRANSACTION
        assert told(association, uid, progress(ProcedureStepProgress="20")) == WRONG_TRANSACTION
        item = found(association, uid, 0x00741002).ProcedureStepProgressInformationSequence[0]
        assert item.ProcedureStepProgress == 10


@requires("PS3.4 §CC.2.1.2")
@pytest.mark.parametrize(
    ("wanted", "status"),
    [("IN PROGRESS", 0xC302), ("SCHEDULED", NOT_BY_ACTION), ("COMPLETED", NOT_READY)],
)
def test_what_a_performer_may_not(workitems: Address, wanted: str, status: int) -> None:
    with user(workitems) as association:
        uid, lock = claimed(association)
        assert change(association, uid, wanted, lock) == status


@requires("PS3.4 §CC.1.1")
@pytest.mark.parametrize("wanted", ["IN PROGRESS", "COMPLETED", "CANCELED"])
def test_others_may_not_change_the_state(workitems: Address, wanted: str) -> None:
    with user(workitems) as association:
        uid, _ = claimed(association)
        assert change(association, uid, wanted, str(generate_uid())) == WRONG_TRANSACTION


@requires("PS3.4 §CC.1.1")
@pytest.mark.parametrize("wanted", ["COMPLETED", "CANCELED"])
def test_nothing_ends_that_was_not_begun(workitems: Address, wanted: str) -> None:
    with user(workitems) as association:
        assert change(association, created(association), wanted, str(generate_uid())) == NOT_IN_PROGRESS


@requires("PS3.4 §CC.1.1")
@pytest.mark.parametrize(
    ("state", "again", "other"),
    [("COMPLETED", ALREADY_COMPLETED, "CANCELED"), ("CANCELED", ALREADY_CANCELED, "COMPLETED")],
)
def test_what_has_ended_is_not_changed(workitems: Address, state: str, again: int, other: str) -> None:
    with user(workitems) as association:
        uid, lock = ended(association, state)
        assert change(association, uid, state, lock) == again
        assert change(association, uid, other, lock) == FINAL
        assert change(association, uid, "IN PROGRESS", lock) == FINAL
        assert told(association, uid, progress(ProcedureStepProgress="10"), lock) == FINAL


@requires("PS3.4 §CC.2.5.1.3.2")
def test_what_was_begun_may_be_canceled_without_a_word(workitems: Address) -> None:
    with user(workitems) as association:
        uid, lock = claimed(association)
        assert change(association, uid, "CANCELED", lock) == SUCCESS
        (item,) = found(association, uid, 0x00741002).ProcedureStepProgressInformationSequence
        assert item.ProcedureStepCancellationDateTime
        assert item.ProcedureStepDiscontinuationReasonCodeSequence


@requires("PS3.4 §CC.2.6.2")
def test_a_scheduled_workitem_has_no_lock(workitems: Address) -> None:
    with user(workitems) as association:
        uid = created(association)
        assert told(association, uid, progress(ProcedureStepProgress="10"), str(generate_uid())) == NOT_IN_PROGRESS


@requires("PS3.4 §CC.2.6.2")
@pytest.mark.parametrize(("keyword", "value"), [("ProcedureStepState", "COMPLETED"), ("PatientID", "OTHER")])
def test_what_only_a_creation_says_is_not_changed(workitems: Address, keyword: str, value: str) -> None:
    with user(workitems) as association:
        uid, dataset = created(association), Dataset()
        setattr(dataset, keyword, value)
        assert told(association, uid, dataset) != SUCCESS
        assert found(association, uid, 0x00741000, 0x00100020).get(keyword) != value


@requires("PS3.4 §CC.2.7.3")
def test_the_lock_is_not_told(workitems: Address) -> None:
    with user(workitems) as association:
        uid, _ = claimed(association)
        assert "TransactionUID" not in found(association, uid)


@requires("PS3.4 §CC.2.2.3")
def test_a_request_cancels_what_nobody_has_begun(workitems: Address) -> None:
    with user(workitems) as association:
        uid, request = created(association), Dataset()
        request.ReasonForCancellation = "Ordered twice"
        assert act(association, PUSH, REQUEST_CANCEL, uid, request) == SUCCESS
        dataset = found(association, uid, 0x00741000, 0x00741002)
        assert dataset.ProcedureStepState == "CANCELED"
        assert dataset.ProcedureStepProgressInformationSequence[0].ReasonForCancellation == "Ordered twice"
        assert act(association, WATCH, REQUEST_CANCEL, uid) == ALREADY_CANCELED


@requires("PS3.4 §CC.2.2.4")
def test_what_is_completed_is_not_canceled(workitems: Address) -> None:
    with user(workitems) as association:
        assert act(association, PUSH, REQUEST_CANCEL, ended(association, "COMPLETED")[0]) == COMPLETED


@requires("PS3.4 §CC.1.1")
def test_what_is_not_there(workitems: Address) -> None:
    with user(workitems) as association:
        uid = str(generate_uid())
        assert change(association, uid, "IN PROGRESS", str(generate_uid())) == UNKNOWN
        assert act(association, PUSH, REQUEST_CANCEL, uid) == UNKNOWN
        assert told(association, uid, progress(ProcedureStepProgress="10")) == UNKNOWN
        assert association.send_n_get([0x00741000], PUSH, uid, meta_uid=WATCH)[0].Status == UNKNOWN
        assert act(association, WATCH, UNSUBSCRIBE, uid, subscription("SINK", None)) == UNKNOWN


@requires("PS3.4 §CC.2.8.3")
@pytest.mark.parametrize("sop_class", [PULL, WATCH, QUERY])
def test_a_search(workitems: Address, sop_class: str) -> None:
    label = str(generate_uid())[-16:]
    with user(workitems) as association:
        wanted = created(association, WorklistLabel=label)
        done = created(association, WorklistLabel=label)
        assert act(association, PUSH, REQUEST_CANCEL, done) == SUCCESS
        asked = Dataset()
        asked.WorklistLabel, asked.ProcedureStepState = label, "SCHEDULED"
        asked.SOPClassUID, asked.SOPInstanceUID = "", ""
        answers = [item for _, item in association.send_c_find(asked, sop_class) if item is not None]
    assert [(each.SOPClassUID, each.SOPInstanceUID) for each in answers] == [(PUSH, wanted)]
    assert [each.WorklistLabel for each in answers] == [label]


@requires("PS3.4 §CC.1.1", "B")
def test_of_several_who_claim_one_wins(workitems: Address) -> None:
    def claim(uid: str) -> int:
        with user(workitems) as association:
            return change(association, uid, "IN PROGRESS", str(generate_uid()))

    with user(workitems) as association:
        uids = [created(association) for _ in range(10)]
    with ThreadPoolExecutor(4) as several:
        for uid in uids:
            assert sorted(several.map(claim, [uid] * 4)) == [SUCCESS, *[WRONG_TRANSACTION] * 3]


class Sink:
    """The modality SINK, which is told of events."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reports: queue.Queue[tuple[str, int, Dataset]] = queue.Queue()

    @contextmanager
    def listens(self) -> Iterator[None]:
        ae = AE("SINK")
        ae.add_supported_context(EVENT, scu_role=True, scp_role=True)
        with listening(ae, self._port, [(evt.EVT_N_EVENT_REPORT, self._take)]):
            yield

    def _take(self, event: Any) -> tuple[int, None]:
        uid = str(event.request.AffectedSOPInstanceUID)
        self._reports.put((uid, int(event.event_type), event.event_information))
        return 0, None

    def next(self, uid: str, kind: int) -> Dataset:
        """The next report of this type about this workitem."""
        while True:
            of, number, dataset = self._reports.get(timeout=20)
            if (of, number) == (uid, kind):
                return dataset


@pytest.fixture
def watcher(sink: int) -> Iterator[Sink]:
    told = Sink(sink)
    with told.listens():
        yield told


@requires("PS3.4 §CC.2.4.3")
def test_who_has_subscribed_is_told_of_the_state(workitems: Address, watcher: Sink) -> None:
    with user(workitems) as association:
        uid, lock = created(association), str(generate_uid())
        assert act(association, WATCH, SUBSCRIBE, uid, subscription("SINK")) == SUCCESS
        first = watcher.next(uid, 1)
        assert (first.ProcedureStepState, first.InputReadinessState) == ("SCHEDULED", "READY")
        change(association, uid, "IN PROGRESS", lock)
        assert watcher.next(uid, 1).ProcedureStepState == "IN PROGRESS"
        assert act(association, WATCH, UNSUBSCRIBE, uid, subscription("SINK", None)) == SUCCESS


@requires("PS3.4 §CC.2.4.3")
def test_who_has_subscribed_is_told_how_far_it_is_and_who_wants_it_canceled(workitems: Address, watcher: Sink) -> None:
    with user(workitems) as association:
        uid, lock = claimed(association)
        assert act(association, WATCH, SUBSCRIBE, uid, subscription("SINK")) == SUCCESS
        told(association, uid, progress(ProcedureStepProgress="10"), lock)
        (item,) = watcher.next(uid, 3).ProcedureStepProgressInformationSequence
        assert item.ProcedureStepProgress == 10
        request = Dataset()
        request.ReasonForCancellation = "Ordered twice"
        assert act(association, WATCH, REQUEST_CANCEL, uid, request) == SUCCESS
        asked = watcher.next(uid, 2)
        assert (asked.RequestingAE, asked.ReasonForCancellation) == ("CONFORMANCE", "Ordered twice")
        assert found(association, uid, 0x00741000).ProcedureStepState == "IN PROGRESS"


@requires("PS3.4 §CC.2.3")
def test_a_global_subscription(workitems: Address, watcher: Sink) -> None:
    with user(workitems) as association:
        assert act(association, WATCH, SUBSCRIBE, ALL_WORKITEMS, subscription("SINK")) == SUCCESS
        uid = created(association)
        assert watcher.next(uid, 1).ProcedureStepState == "SCHEDULED"
        assert act(association, WATCH, SUSPEND, ALL_WORKITEMS, subscription("SINK", None)) == SUCCESS
        assert act(association, WATCH, REQUEST_CANCEL, uid) == SUCCESS  # still told about those before
        assert watcher.next(uid, 1).ProcedureStepState == "IN PROGRESS"
        assert watcher.next(uid, 1).ProcedureStepState == "CANCELED"
        assert act(association, WATCH, UNSUBSCRIBE, ALL_WORKITEMS, subscription("SINK", None)) == SUCCESS


@requires("PS3.4 §CC.2.3.3.1", "O")
def test_a_filtered_subscription(workitems: Address, watcher: Sink) -> None:
    label = str(generate_uid())[-16:]
    with user(workitems) as association:
        before = created(association, WorklistLabel=label)
        keys = subscription("SINK", "TRUE", WorklistLabel=label)
        assert act(association, WATCH, SUBSCRIBE, FILTERED_WORKITEMS, keys) == SUCCESS
        assert watcher.next(before, 1).ProcedureStepState == "SCHEDULED"
        assert watcher.next(created(association, WorklistLabel=label), 1).ProcedureStepState == "SCHEDULED"
        assert act(association, WATCH, UNSUBSCRIBE, ALL_WORKITEMS, subscription("SINK", None)) == SUCCESS


@requires("PS3.4 §CC.2.3.4")
def test_what_cannot_be_subscribed(workitems: Address) -> None:
    with user(workitems) as association:
        uid = created(association)
        assert act(association, WATCH, SUBSCRIBE, uid, subscription("NOBODY")) == UNKNOWN_RECEIVER
        assert act(association, WATCH, SUSPEND, uid, subscription("SINK", None)) == NOT_APPROPRIATE
