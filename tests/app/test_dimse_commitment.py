"""Storage commitment: asked by pynetdicom, verified by the bytes, reported on its association or on one of ours."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_context, build_role, evt

from conformance.commitment import COMMITMENT_INSTANCE, Report, Reports, request
from conformance.patience import SOON, until
from conformance.peer import listening
from conformance.server import free_port
from dicomweb_server.dimse import commitment_scp
from dicomweb_server.dimse.commitment import CommitmentRequest, read_request
from dicomweb_server.dimse.contexts import STORAGE_COMMITMENT, Service
from dicomweb_server.dimse.options import ApplicationEntity, Modality
from tests.app.dimse_harness import AE_TITLE, Node, open_node
from tests.app.dimse_peers import IMPATIENT, fill, study


def action(transaction: str, instances: Sequence[Dataset]) -> Dataset:
    return request(transaction, [(each.SOPClassUID, each.SOPInstanceUID) for each in instances])


def ask(
    port: int,
    dataset: Dataset,
    *,
    stay: float = SOON,
    action_type: int = 1,
    instance: str = COMMITMENT_INSTANCE,
    called: str = AE_TITLE,
) -> tuple[int, Report | None]:
    """The status of the N-ACTION, and what is told on the same association if the asker stays.

    Who does not stay takes no report, should one come before the release.
    """
    reports, told = Reports(), None
    contexts = [build_context(STORAGE_COMMITMENT)]
    handlers: list[Any] = list(reports.handlers) if stay else [(evt.EVT_N_EVENT_REPORT, lambda _: (0x0110, None))]
    association = AE("ASKER").associate("127.0.0.1", port, contexts, ae_title=called, evt_handlers=handlers)
    assert association.is_established
    status, _ = association.send_n_action(dataset, action_type, STORAGE_COMMITMENT, instance)
    if stay:
        told = reports.next(stay)
    association.release()
    return status.Status, told


@contextmanager
def listening_asker(port: int, callers: list[str] | None = None) -> Iterator[Reports]:
    """Takes reports on associations of the one who was asked; `callers`: as whom that calls."""

    def accepted(event: Any) -> None:
        if callers is not None:
            callers.append(event.assoc.requestor.ae_title)

    reports, ae = Reports(), AE("ASKER")
    ae.add_supported_context(STORAGE_COMMITMENT, scu_role=True, scp_role=True)
    with listening(ae, port, [*reports.handlers, (evt.EVT_ACCEPTED, accepted)]):
        yield reports


async def tried(node: Node) -> None:
    """Until a report that is owed could not be delivered."""
    async with asyncio.timeout(SOON):
        while not [owed for owed in await node.services.commitments.table.owed() if owed.attempts]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def nothing_owed(node: Node) -> None:
    async with asyncio.timeout(SOON):
        while await node.services.commitments.table.owed():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def uids(sequence: Any) -> set[str]:
    return {item.ReferencedSOPInstanceUID for item in sequence}


async def test_reported_on_the_same_association(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        stored = await fill(node, *study(3))
        transaction = generate_uid()
        status, told = await asyncio.to_thread(ask, node.port, action(transaction, stored))
        assert status == 0x0000
        assert told is not None
        event_type, report = told
        assert event_type == 1
        assert report.TransactionUID == transaction
        assert uids(report.ReferencedSOPSequence) == {each.SOPInstanceUID for each in stored}
        assert "FailedSOPSequence" not in report


async def test_a_request_is_read_beside_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []

    def read(data: bytes, transfer_syntax_uid: str) -> CommitmentRequest:
        threads.append(threading.current_thread())
        return read_request(data, transfer_syntax_uid)

    monkeypatch.setattr(commitment_scp, "read_request", read)
    async with open_node(tmp_path) as node:
        stored = await fill(node, *study())
        status, report = await asyncio.to_thread(ask, node.port, action("1.2.3.4", stored))
        assert status == 0
        assert report is not None
    (thread,) = threads
    assert thread is not threading.main_thread()


async def test_what_is_not_there_or_not_that_or_damaged(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        good, other, damaged = await fill(node, *(study(1)[0] for _ in range(3)))
        blobs = await asyncio.to_thread(lambda: list((tmp_path / "blobs").rglob("*.dcm")))
        for blob in blobs:
            content = await asyncio.to_thread(blob.read_bytes)
            if damaged.SOPInstanceUID.encode() in content:
                await asyncio.to_thread(blob.write_bytes, content[:-1] + bytes((content[-1] ^ 1,)))
        other.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
        unknown = Dataset()
        unknown.SOPClassUID, unknown.SOPInstanceUID = good.SOPClassUID, generate_uid()
        asked = action(generate_uid(), [good, other, damaged, unknown])
        _, told = await asyncio.to_thread(ask, node.port, asked)
        assert told is not None
        event_type, report = told
        assert event_type == 2
        assert uids(report.ReferencedSOPSequence) == {good.SOPInstanceUID}
        reasons = {item.ReferencedSOPInstanceUID: item.FailureReason for item in report.FailedSOPSequence}
        assert reasons == {
            other.SOPInstanceUID: 0x0119,
            damaged.SOPInstanceUID: 0x0110,
            unknown.SOPInstanceUID: 0x0112,
        }


async def test_reported_on_an_association_of_ours_when_theirs_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicomweb_server.dimse.reports.WAITS", (0.2,) * 100)
    port = free_port()
    modalities = {"asker": Modality("ASKER", "127.0.0.1", port)}
    async with open_node(tmp_path, modalities=modalities, timeouts=IMPATIENT) as node:
        stored = await fill(node, *study(2))
        status, _ = await asyncio.to_thread(ask, node.port, action("2.25.7", stored), stay=0)
        assert status == 0x0000
        await tried(node)  # and found nobody
        with listening_asker(port) as reports:
            event_type, report = await asyncio.to_thread(reports.next, SOON)
        assert (event_type, report.TransactionUID) == (1, "2.25.7")


async def test_what_is_not_delivered_survives_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb_server.dimse.reports.WAITS", (0.1, 0.1, 100))
    port = free_port()
    modalities = {"asker": Modality("ASKER", "127.0.0.1", port)}
    async with open_node(tmp_path, modalities=modalities, timeouts=IMPATIENT) as node:
        stored = await fill(node, *study(2))
        await asyncio.to_thread(ask, node.port, action("2.25.8", stored), stay=0)
        await tried(node)
    with listening_asker(port) as reports:
        async with open_node(tmp_path, modalities=modalities, timeouts=IMPATIENT) as node:
            event_type, report = await asyncio.to_thread(reports.next, SOON)
            assert (event_type, report.TransactionUID) == (1, "2.25.8")
            assert uids(report.ReferencedSOPSequence) == {each.SOPInstanceUID for each in stored}
            await nothing_owed(node)


async def test_a_report_that_nobody_takes_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("dicomweb_server.dimse.reports.WAITS", (0.05, 0.05, 0.05))
    modalities = {"asker": Modality("ASKER", "127.0.0.1", free_port())}
    async with open_node(tmp_path, modalities=modalities, timeouts=IMPATIENT) as node:
        stored = await fill(node, *study(1))
        status, _ = await asyncio.to_thread(ask, node.port, action("2.25.6", stored), stay=0)
        assert status == 0x0000
        await nothing_owed(node)
        await until(lambda: "storage commitment" in caplog.messages)
    (line,) = [vars(record) for record in caplog.records if record.getMessage() == "storage commitment"]
    assert (line["transaction"], line["delivered"], line["levelname"]) == ("2.25.6", False, "WARNING")
    tried = [record for record in caplog.records if record.getMessage() == "association requested"]
    assert len(tried) == 3


async def test_an_entity_reports_as_who_was_asked_also_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicomweb_server.dimse.reports.WAITS", (0.1, 100))
    port = free_port()
    options: dict[str, Any] = {
        "modalities": {"asker": Modality("ASKER", "127.0.0.1", port)},
        "entities": (ApplicationEntity("WARD"),),
        "timeouts": IMPATIENT,
    }
    callers: list[str] = []
    async with open_node(tmp_path, **options) as node:
        stored = await fill(node, *study(2))
        _, told = await asyncio.to_thread(ask, node.port, action("2.25.5", stored), called="WARD")
        assert told is not None
        assert told[1].RetrieveAETitle == "WARD"
        await asyncio.to_thread(ask, node.port, action("2.25.9", stored), stay=0, called="WARD")
        await tried(node)
    with listening_asker(port, callers) as reports:
        async with open_node(tmp_path, **options):
            _, report = await asyncio.to_thread(reports.next, SOON)
    assert (report.TransactionUID, report.RetrieveAETitle) == ("2.25.9", "WARD")
    assert callers == ["WARD"]


@pytest.mark.parametrize(
    ("change", "status"),
    [({"action_type": 2}, 0x0123), ({"instance": "1.2.3"}, 0x0112)],
)
async def test_other_actions_and_instances(tmp_path: Path, change: dict[str, Any], status: int) -> None:
    async with open_node(tmp_path) as node:
        stored = await fill(node, *study(1))
        asked = action("2.25.7", stored)
        answered, _ = await asyncio.to_thread(lambda: ask(node.port, asked, stay=0, **change))
        assert answered == status


async def test_a_request_without_references(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        status, _ = await asyncio.to_thread(lambda: ask(node.port, action("2.25.7", []), stay=0))
        assert status == 0x0115


async def test_who_may_ask(tmp_path: Path) -> None:
    def accepted(port: int) -> bool:
        roles: list[Any] = [build_role(STORAGE_COMMITMENT, scu_role=True)]
        association = AE("ASKER").associate("127.0.0.1", port, [build_context(STORAGE_COMMITMENT)], ext_neg=roles)
        is_accepted = bool(association.accepted_contexts)
        if association.is_established:
            association.release()
        return is_accepted

    for allowed, expected in (
        (frozenset({Service.COMMITMENT}), True),
        (frozenset({Service.ECHO, Service.STORE}), False),
    ):
        async with open_node(tmp_path / str(expected), unknown_allow=allowed) as node:
            assert await asyncio.to_thread(accepted, node.port) is expected
