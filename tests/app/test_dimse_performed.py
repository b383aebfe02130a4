"""Modality performed procedure steps: pynetdicom reports, the server keeps, and says what it cannot take."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_context

from dicomweb_server.dicom.data_set_json import data_set_json
from dicomweb_server.dimse import session
from dicomweb_server.dimse.contexts import PERFORMED_STEP, PERFORMED_STEP_RETRIEVE
from dicomweb_server.services.modalities import Service
from tests.app.dimse_harness import AE_TITLE, open_node
from tests.worklists import document, ending, item, report

Answer = tuple[Dataset, Dataset | None]


@contextmanager
def associated(port: int) -> Iterator[Any]:
    contexts = [build_context(PERFORMED_STEP), build_context(PERFORMED_STEP_RETRIEVE)]
    association = AE("SCANNER").associate("127.0.0.1", port, contexts, ae_title=AE_TITLE)
    assert association.is_established
    try:
        yield association
    finally:
        association.release()


async def told(port: int, *reports: Callable[[Any], Answer]) -> list[int]:
    """The statuses of several requests on one association."""

    def tell() -> list[int]:
        with associated(port) as association:
            return [each(association)[0].Status for each in reports]

    return await asyncio.to_thread(tell)


def created(dataset: Dataset, uid: str | None) -> Callable[[Any], Answer]:
    return lambda association: association.send_n_create(dataset, PERFORMED_STEP, uid)


def changed(dataset: Dataset, uid: str) -> Callable[[Any], Answer]:
    return lambda association: association.send_n_set(dataset, PERFORMED_STEP, uid)


async def test_a_step_from_beginning_to_end(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        scheduled, uid = item(), generate_uid()
        await node.services.worklist.schedule(document(scheduled))
        between = Dataset()
        between.PerformedProcedureStepDescription = "Kopf"
        statuses = await told(node.port, created(report(scheduled), uid), changed(between, uid), changed(ending(), uid))
        assert statuses == [0x0000] * 3
        step = await node.services.performed.step(uid)
        assert step.status == "COMPLETED"
        assert step.document["00400254"]["Value"] == ["Kopf"]
        assert step.document["00400340"]["Value"][0]["00181030"]["Value"] == ["Head"]
        assert step.document["00400253"]["Value"] == ["PPS1"]
        assert [(each.study_uid, each.scheduled_step_id) for each in step.references] == [
            (scheduled.StudyInstanceUID, "S1")
        ]
        assert [each.instance_uid for each in await node.services.performed.steps(10)] == [uid]


async def test_a_report_is_read_beside_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []

    def read(data: bytes, transfer_syntax_uid: str) -> dict[str, Any]:
        threads.append(threading.current_thread())
        return data_set_json(data, transfer_syntax_uid)

    monkeypatch.setattr(session, "data_set_json", read)
    async with open_node(tmp_path) as node:
        assert await told(node.port, created(report(item()), generate_uid())) == [0x0000]
    (thread,) = threads
    assert thread is not threading.main_thread()


async def test_what_survives_a_restart(tmp_path: Path) -> None:
    uid = generate_uid()
    async with open_node(tmp_path) as node:
        assert await told(node.port, created(report(), uid)) == [0x0000]
    async with open_node(tmp_path) as node:
        assert await told(node.port, changed(ending("DISCONTINUED"), uid)) == [0x0000]
        assert (await node.services.performed.step(uid)).status == "DISCONTINUED"


async def test_only_once_over(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        uid = generate_uid()

        def tell() -> list[Dataset]:
            with associated(node.port) as association:
                association.send_n_create(report(), PERFORMED_STEP, uid)
                return [association.send_n_set(ending(), PERFORMED_STEP, uid)[0] for _ in range(2)]

        first, second = await asyncio.to_thread(tell)
        assert first.Status == 0x0000
        assert (second.Status, second.ErrorID) == (0x0110, 0xA506)  # PS3.4 §F.7.2.2.2
        assert "may no longer be updated" in second.ErrorComment


async def test_what_is_refused(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        uid = generate_uid()
        bad_item = Dataset()
        bad_item.ScheduledProcedureStepID = "S1"
        unknown_state = Dataset()
        unknown_state.PerformedProcedureStepStatus = "PAUSED"
        fixed = Dataset()
        fixed.PerformedProcedureStepID = "OTHER"
        statuses = await told(
            node.port,
            created(report(PerformedProcedureStepStatus="COMPLETED"), uid),
            created(report(Modality=None), uid),
            created(report(ScheduledStepAttributesSequence=[]), uid),
            created(report(ScheduledStepAttributesSequence=[bad_item]), uid),
            changed(ending(), uid),
            created(report(), uid),
            created(report(), uid),
            changed(unknown_state, uid),
            changed(ending(PerformedProcedureStepEndDate=None), uid),
            changed(fixed, uid),
            created(report(), None),
        )
        assert statuses == [0x0106, 0x0120, 0x0120, 0x0120, 0x0112, 0x0000, 0x0111, 0x0106, 0x0120, 0x0107, 0x0000]
        step = await node.services.performed.step(uid)
        assert (step.status, step.document["00400253"]["Value"]) == ("IN PROGRESS", ["PPS1"])
        assert len(await node.services.performed.steps(10)) == 2


async def test_a_step_is_told(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        uid = generate_uid()

        def tell() -> list[Answer]:
            with associated(node.port) as association:
                association.send_n_create(report(), PERFORMED_STEP, uid)
                get = association.send_n_get
                some = [0x00400252, 0x00100010, 0x00400100]
                return [
                    get(some, PERFORMED_STEP_RETRIEVE, uid),
                    get(None, PERFORMED_STEP_RETRIEVE, uid),
                    get(some, PERFORMED_STEP_RETRIEVE, "1.2.3"),
                ]

        (status, found), (_, everything), (unknown, _) = await asyncio.to_thread(tell)
        assert (status.Status, unknown.Status) == (0x0001, 0x0112)  # one attribute is not there
        assert found is not None
        assert (found.PerformedProcedureStepStatus, found.PatientName, len(found)) == ("IN PROGRESS", "Doe^Jane", 2)
        assert everything is not None
        assert everything.PerformedStationAETitle == "SCANNER"
        assert everything.ScheduledStepAttributesSequence[0].StudyInstanceUID


async def test_two_at_once_end_it_once(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        uid = generate_uid()
        await told(node.port, created(report(), uid))
        statuses = await asyncio.gather(*(told(node.port, changed(ending(), uid)) for _ in range(4)))
        assert sorted(statuses) == [[0x0000], [0x0110], [0x0110], [0x0110]]


async def test_who_may_report(tmp_path: Path) -> None:
    def accepted(port: int) -> bool:
        association = AE("SCANNER").associate("127.0.0.1", port, [build_context(PERFORMED_STEP)], ae_title=AE_TITLE)
        is_accepted = bool(association.accepted_contexts)
        association.release() if association.is_established else association.abort()
        return is_accepted

    for allow, expected in ((frozenset({Service.MPPS}), True), (frozenset({Service.WORKLIST, Service.STORE}), False)):
        async with open_node(tmp_path / str(expected), unknown_allow=allow) as node:
            assert await asyncio.to_thread(accepted, node.port) is expected
