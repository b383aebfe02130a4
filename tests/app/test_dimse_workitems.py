"""Workitems by DIMSE, as pynetdicom schedules, performs and watches them."""

import asyncio
import queue
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, evt

from conformance.peer import listening
from conformance.server import free_port
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
from dicomweb_server.dimse.contexts import Service
from dicomweb_server.dimse.options import Modality
from tests.app.dimse_harness import AE_TITLE, Node, open_node
from tests.worklists import document

LOCK = "1.2.3"


@contextmanager
def associated(port: int, *classes: str, ae_title: str = "PERFORMER") -> Iterator[Any]:
    contexts = [build_context(uid) for uid in classes or (PUSH, WATCH, PULL, QUERY)]
    association = AE(ae_title).associate("127.0.0.1", port, contexts, ae_title=AE_TITLE)
    assert association.is_established
    try:
        yield association
    finally:
        association.release()


def create(association: Any, uid: str, **attributes: object) -> Dataset:
    status: Dataset = association.send_n_create(workitem(**attributes), PUSH, uid)[0]
    return status


def act(association: Any, sop_class: str, number: int, uid: str, information: Dataset | None = None) -> int:
    status, _ = association.send_n_action(information, number, PUSH, uid, meta_uid=sop_class)
    return int(status.Status)


class Watcher:
    """Takes event reports."""

    def __init__(self) -> None:
        self.port = free_port()
        self._reports: queue.Queue[tuple[str, int, Dataset]] = queue.Queue()

    @contextmanager
    def listens(self) -> Iterator[None]:
        ae = AE("WATCHER")
        ae.add_supported_context(EVENT, scu_role=True, scp_role=True)
        with listening(ae, self.port, [(evt.EVT_N_EVENT_REPORT, self.take)]):
            yield

    def take(self, event: Any) -> tuple[int, None]:
        request = event.request
        self._reports.put((str(request.AffectedSOPInstanceUID), int(event.event_type), event.event_information))
        return 0, None

    async def next(self) -> tuple[str, int, str]:
        """Of which workitem, event type, state."""
        uid, kind, told = await asyncio.to_thread(self._reports.get, True, 10)
        return uid, kind, str(told.get("ProcedureStepState", told.get("SCPStatus", "")))


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[tuple[Node, Watcher]]:
    watcher = Watcher()
    modalities = {"watcher": Modality("WATCHER", "127.0.0.1", watcher.port)}
    with watcher.listens():
        async with open_node(folder, modalities=modalities) as node:
            yield node, watcher


async def test_scheduled_claimed_and_completed(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:

        def perform() -> list[int]:
            with associated(node.port) as association:
                change = progress(ProcedureStepProgress="50")
                change.TransactionUID = LOCK
                ends = results()
                ends.TransactionUID = LOCK
                return [
                    create(association, "1.1").Status,
                    act(association, PULL, CHANGE_STATE, "1.1", state_change("IN PROGRESS", LOCK)),
                    act(association, PULL, CHANGE_STATE, "1.1", state_change("IN PROGRESS", "1.2.4")),
                    association.send_n_set(change, PUSH, "1.1", meta_uid=PULL)[0].Status,
                    association.send_n_set(results(), PUSH, "1.1", meta_uid=PULL)[0].Status,
                    act(association, PULL, CHANGE_STATE, "1.1", state_change("COMPLETED", LOCK)),
                    association.send_n_set(ends, PUSH, "1.1", meta_uid=PULL)[0].Status,
                    act(association, PULL, CHANGE_STATE, "1.1", state_change("COMPLETED", LOCK)),
                    act(association, PULL, CHANGE_STATE, "1.1", state_change("COMPLETED", LOCK)),
                    act(association, PUSH, REQUEST_CANCEL, "1.1"),
                ]

        statuses = await asyncio.to_thread(perform)
        expected = [0, 0, 0xC301, 0, 0xC301, 0xC304, 0, 0, 0xB306, 0xC311]
        assert statuses == expected
        assert (await node.services.workitems.retrieve("1.1")).state.value == "COMPLETED"


async def test_the_status_names_what_is_wrong(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:

        def ask() -> tuple[Dataset, Dataset, Dataset]:
            with associated(node.port) as association:
                missing = create(association, "1.1", ProcedureStepLabel=None)
                modified = create(association, "1.1", WorklistLabel="")
                return missing, modified, create(association, "1.1")

        missing, modified, again = await asyncio.to_thread(ask)
        assert [each.Status for each in (missing, modified, again)] == [0x0120, 0xB300, 0x0111]
        assert missing.ErrorComment == "missing attribute: ProcedureStepLabel"
        assert modified.ErrorComment == "the workitem was created with modifications"


async def test_what_is_told_never_has_the_lock(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        await node.services.workitems.create(document(workitem(PatientName="Müller^Jörg")), "1.1")
        await node.services.workitems.change_state("1.1", "IN PROGRESS", LOCK)

        def ask() -> list[tuple[int, Dataset]]:
            found = []
            with associated(node.port) as association:
                for sop_class, tags in (
                    (PUSH, [0x00100010, 0x00741000]),
                    (WATCH, []),
                    (PULL, [0x00081195, 0x00741000]),
                ):
                    status, told = association.send_n_get(tags, PUSH, "1.1", meta_uid=sop_class)
                    found.append((int(status.Status), told))
            return found

        some, everything, lock = await asyncio.to_thread(ask)
        assert (some[0], str(some[1].PatientName)) == (0, "Müller^Jörg")
        assert "WorklistLabel" in everything[1]
        assert "TransactionUID" not in everything[1]
        assert lock[0] == 0x0001
        assert "TransactionUID" not in lock[1]


async def test_a_search(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        for number, label in enumerate(("AI", "Print", "AI")):
            await node.services.workitems.create(document(workitem(WorklistLabel=label)), f"1.{number}")
        await node.services.workitems.change_state("1.2", "IN PROGRESS", LOCK)

        def search(sop_class: str) -> list[list[str]]:
            asked = Dataset()
            asked.SOPClassUID, asked.SOPInstanceUID, asked.TransactionUID = "", "", ""
            asked.WorklistLabel, asked.ProcedureStepState, asked.ScheduledStationNameCodeSequence = (
                "A*",
                "SCHEDULED",
                [],
            )
            with associated(node.port, sop_class) as association:
                answers = [item for _, item in association.send_c_find(asked, sop_class) if item is not None]
            return [[item.SOPClassUID, item.SOPInstanceUID, item.TransactionUID or ""] for item in answers]

        for sop_class in (PULL, WATCH, QUERY):
            assert await asyncio.to_thread(search, sop_class) == [[PUSH, "1.0", ""]]


async def test_each_class_offers_what_it_shall(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        await node.services.workitems.create(document(workitem()), "1.1")

        def ask() -> list[int]:
            with associated(node.port) as association:
                return [
                    act(association, PUSH, CHANGE_STATE, "1.1", state_change("IN PROGRESS", LOCK)),
                    act(association, PULL, REQUEST_CANCEL, "1.1"),
                    act(association, PUSH, SUBSCRIBE, "1.1", subscription("WATCHER")),
                    act(association, WATCH, 6, "1.1"),
                    association.send_n_set(results(), PUSH, "1.1", meta_uid=WATCH)[0].Status,
                    association.send_n_get([], PUSH, "1.1", meta_uid=QUERY)[0].Status,
                    association.send_n_get([], QUERY, "1.1")[0].Status,
                ]

        assert await asyncio.to_thread(ask) == [0x0123] * 4 + [0x0211] * 3


async def test_a_subscriber_is_told_on_an_association_of_ours(tmp_path: Path) -> None:
    async with watched(tmp_path) as (node, watcher):

        def watch() -> list[int]:
            with associated(node.port) as association:
                return [
                    create(association, "1.1").Status,
                    act(association, WATCH, SUBSCRIBE, "1.1", subscription("WATCHER")),
                    act(association, PULL, CHANGE_STATE, "1.1", state_change("IN PROGRESS", LOCK)),
                    act(association, WATCH, REQUEST_CANCEL, "1.1"),
                    act(association, WATCH, UNSUBSCRIBE, "1.1", subscription("WATCHER", None)),
                    act(association, WATCH, REQUEST_CANCEL, "1.1"),
                ]

        assert await asyncio.to_thread(watch) == [0, 0, 0, 0, 0, 0xC312]
        assert await watcher.next() == ("1.1", 1, "SCHEDULED")
        assert await watcher.next() == ("1.1", 1, "IN PROGRESS")
        assert await watcher.next() == ("1.1", 2, "")


async def test_global_and_filtered_subscriptions(tmp_path: Path) -> None:
    async with watched(tmp_path) as (node, watcher):

        def ask(*requests: tuple[int, str, Dataset]) -> list[int]:
            with associated(node.port, WATCH) as association:
                return [act(association, WATCH, number, uid, told) for number, uid, told in requests]

        only_ai = subscription("WATCHER", "TRUE", WorklistLabel="AI")
        assert await asyncio.to_thread(ask, (SUBSCRIBE, FILTERED_WORKITEMS, only_ai)) == [0]
        for number, label in enumerate(("Print", "AI")):
            await node.services.workitems.create(document(workitem(WorklistLabel=label)), f"1.{number}")
        assert await watcher.next() == ("1.1", 1, "SCHEDULED")
        requests = (
            (SUBSCRIBE, ALL_WORKITEMS, subscription("WATCHER", "TRUE")),
            (SUSPEND, "1.1", subscription("WATCHER", None)),
            (SUSPEND, ALL_WORKITEMS, subscription("WATCHER", None)),
            (SUBSCRIBE, ALL_WORKITEMS, subscription("NOBODY")),
            (SUBSCRIBE, "1.7", subscription("WATCHER")),
            (SUBSCRIBE, "1.1", subscription("WATCHER", None)),
            (SUBSCRIBE, "1.1", subscription("WATCHER", "PERHAPS")),
            (SUBSCRIBE, "1.1", subscription("")),
        )
        statuses = await asyncio.to_thread(ask, *requests)
        assert statuses == [0, 0xC314, 0, 0xC308, 0xC307, 0x0120, 0x0106, 0x0120]
        assert await watcher.next() == ("1.0", 1, "SCHEDULED")


async def test_who_is_subscribed_is_told_of_a_start(tmp_path: Path) -> None:
    async with watched(tmp_path) as (node, _):
        with_lock = subscription("WATCHER", "TRUE")

        def subscribe() -> int:
            with associated(node.port, WATCH) as association:
                return act(association, WATCH, SUBSCRIBE, ALL_WORKITEMS, with_lock)

        assert await asyncio.to_thread(subscribe) == 0
    async with watched(tmp_path) as (_, watcher):
        assert await watcher.next() == (ALL_WORKITEMS, 4, "RESTARTED")


async def test_a_subscriber_is_told_on_an_association_of_its_own(tmp_path: Path) -> None:
    watcher = Watcher()
    async with open_node(tmp_path) as node:
        await node.services.workitems.create(document(workitem()), "1.1")
        contexts = [build_context(uid) for uid in (EVENT, WATCH)]

        def associate() -> Any:
            handlers: list[Any] = [(evt.EVT_N_EVENT_REPORT, watcher.take)]
            return AE("GUEST").associate("127.0.0.1", node.port, contexts, ae_title=AE_TITLE, evt_handlers=handlers)

        association = await asyncio.to_thread(associate)
        assert association.is_established
        status = await asyncio.to_thread(act, association, WATCH, SUBSCRIBE, ALL_WORKITEMS, subscription("GUEST"))
        assert status == 0
        await node.services.workitems.create(document(workitem()), "1.2")
        assert await watcher.next() == ("1.2", 1, "SCHEDULED")
        await asyncio.to_thread(association.release)


async def test_reports_that_nobody_takes_are_dropped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    modalities = {"away": Modality("AWAY", "127.0.0.1", free_port())}
    async with open_node(tmp_path, modalities=modalities) as node:
        await node.services.workitems.create(document(workitem()), "1.1")

        def subscribe() -> int:
            with associated(node.port, WATCH) as association:
                return act(association, WATCH, SUBSCRIBE, "1.1", subscription("AWAY"))

        for _ in range(2):  # the second one is tried anew
            assert await asyncio.to_thread(subscribe) == 0
            async with asyncio.timeout(10):
                while "event reports were dropped" not in caplog.text:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            caplog.clear()


@pytest.mark.parametrize(
    ("allow", "workitems", "expected"),
    [({Service.UPS}, True, True), ({Service.UPS}, False, False), (set(Service) - {Service.UPS}, True, False)],
)
async def test_who_may(tmp_path: Path, allow: set[Service], workitems: bool, expected: bool) -> None:
    def accepted(port: int) -> bool:
        contexts = [build_context(PUSH), build_context("1.2.840.10008.1.1")]
        association = AE("PERFORMER").associate("127.0.0.1", port, contexts, ae_title=AE_TITLE)
        classes = [context.abstract_syntax for context in association.accepted_contexts]
        association.release() if association.is_established else association.abort()
        return PUSH in classes

    async with open_node(tmp_path, unknown_allow=frozenset(allow), workitems=workitems) as node:
        assert await asyncio.to_thread(accepted, node.port) is expected
