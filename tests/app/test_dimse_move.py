"""C-MOVE: DCMTK and pynetdicom ask and receive; counters, statuses, lists, cancel, dead destinations."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid
from pynetdicom import build_context

from conformance.patience import SOON, until_listening
from conformance.server import free_port
from tests.app.dimse_harness import AE_TITLE, CT, QUICK, needs_dcmtk, open_node, tool
from tests.app.dimse_peers import (
    IMPATIENT,
    STUDY_MOVE,
    counters,
    fill,
    identifier,
    move,
    receiver,
    sink,
    study,
)
from tests.builders import bare_dataset, fake_jpeg, make_encapsulated, make_instance

PATIENT_MOVE = "1.2.840.10008.5.1.4.1.2.1.2"


@needs_dcmtk
async def test_movescu_to_storescp(tmp_path: Path) -> None:
    port = free_port()
    async with open_node(tmp_path / "store", modalities=sink(port)) as node:
        files = study(5, rows=300, columns=300)
        sent = await fill(node, *files)
        out = tmp_path / "out"
        await asyncio.to_thread(out.mkdir)
        storescp = await asyncio.create_subprocess_exec("storescp", "+B", "-od", str(out), "-aet", "SINK", str(port))
        await until_listening(port)
        try:
            place = f"StudyInstanceUID={sent[0].StudyInstanceUID}"
            said = await tool(
                "movescu", "-S", "-d", "-k", "QueryRetrieveLevel=STUDY", "-k", place,
                "-aec", AE_TITLE, "-aem", "SINK", "127.0.0.1", node.port,
            )  # fmt: skip
        finally:
            storescp.terminate()
            await storescp.wait()
        assert "Completed Suboperations       : 5" in said
        got = await asyncio.to_thread(lambda: sorted(file.read_bytes()[-100:] for file in out.iterdir()))
        assert got == sorted(data[-100:] for data in files)


async def test_move_counters_and_origin(tmp_path: Path) -> None:
    port, origins = free_port(), []

    def store(event: Any) -> int:
        origins.append((event.request.MoveOriginatorApplicationEntityTitle, event.request.MoveOriginatorMessageID))
        return 0x0000

    async with open_node(tmp_path, modalities=sink(port)) as node:
        sent = await fill(node, *study(4))
        with receiver(port, [build_context(CT)], store):
            asked = identifier("STUDY", StudyInstanceUID=sent[0].StudyInstanceUID)
            *pending, (last, failed) = await asyncio.to_thread(move, node.port, asked)
        assert [status.Status for status, _ in pending] == [0xFF00] * 4
        assert [counters(status) for status, _ in pending] == [(3 - n, n + 1, 0, 0) for n in range(4)]
        assert (last.Status, counters(last), failed) == (0x0000, (None, 4, 0, 0), None)
        assert origins == [("MOVER", 5)] * 4


async def test_who_waits_is_told_though_nothing_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb_server.dimse.progress._SILENCE", 0.1)
    port = free_port()

    def store(event: Any) -> int:
        time.sleep(1.5)
        return 0x0000

    async with open_node(tmp_path, modalities=sink(port)) as node:
        (stored, *_) = await fill(node, *study(2))
        with receiver(port, [build_context(CT)], store):
            asked = identifier("STUDY", StudyInstanceUID=stored.StudyInstanceUID)
            *pending, (last, _) = await asyncio.to_thread(move, node.port, asked)
    assert counters(last) == (None, 2, 0, 0)
    told = [counters(status) for status, _ in pending]
    assert told.count((2, 0, 0, 0)) >= 2
    assert told.count((1, 1, 0, 0)) >= 2
    assert told == sorted(told, reverse=True)


@pytest.mark.parametrize("associations", [1, 3])
async def test_move_with_failures_and_warnings(tmp_path: Path, associations: int) -> None:
    port = free_port()
    statuses = {1: 0xA700, 2: 0xB000}

    def store(event: Any) -> int:
        return statuses.get(int(event.dataset.InstanceNumber), 0x0000)

    async with open_node(tmp_path, modalities=sink(port, associations=associations)) as node:
        sent = await fill(node, *study(6))
        with receiver(port, [build_context(CT)], store):
            asked = identifier("STUDY", StudyInstanceUID=sent[0].StudyInstanceUID)
            *pending, (last, failed) = await asyncio.to_thread(move, node.port, asked)
        assert {sum(value or 0 for value in counters(status)) for status, _ in pending} == {6}
        assert (last.Status, counters(last)) == (0xB000, (None, 4, 1, 1))
        assert failed is not None
        assert failed.FailedSOPInstanceUIDList == sent[0].SOPInstanceUID


async def test_only_what_the_destination_does_not_take_fails(tmp_path: Path) -> None:
    port = free_port()
    uids: dict[str, Any] = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    jpeg = make_encapsulated([fake_jpeg()], transfer_syntax_uid=JPEGBaseline8Bit, **uids)
    native = make_instance(transfer_syntax_uid=ImplicitVRLittleEndian, **uids)
    got = []

    def store(event: Any) -> int:
        got.append((event.request.AffectedSOPInstanceUID, event.context.transfer_syntax))
        return 0x0000

    async with open_node(tmp_path, modalities=sink(port)) as node:
        refused, taken = await fill(node, jpeg, native)
        with receiver(port, [build_context(CT, [ExplicitVRLittleEndian])], store):
            asked = identifier("STUDY", StudyInstanceUID=uids["StudyInstanceUID"])
            *_, (last, failed) = await asyncio.to_thread(move, node.port, asked)
        assert got == [(taken.SOPInstanceUID, ExplicitVRLittleEndian)]
        assert (last.Status, counters(last)) == (0xB000, (None, 1, 1, 0))
        assert failed is not None
        assert failed.FailedSOPInstanceUIDList == refused.SOPInstanceUID


async def test_unknown_destination(tmp_path: Path) -> None:
    async with open_node(tmp_path, modalities=sink(free_port())) as node:
        sent = await fill(node, *study())
        asked = identifier("STUDY", StudyInstanceUID=sent[0].StudyInstanceUID)
        ((last, _),) = await asyncio.to_thread(move, node.port, asked, destination="ELSEWHERE")
        assert last.Status == 0xA801


class Silent(asyncio.Protocol):
    """Takes a connection and says nothing."""

    greeting = b""
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.greeting)


class Closing(Silent):
    """Closes it as soon as it is spoken to."""

    def data_received(self, data: bytes) -> None:
        self.transport.close()


class Talking(Silent):
    """Speaks something else."""

    greeting = b"HTTP/1.1 400 Bad Request\r\n\r\n"


@pytest.mark.parametrize("behaviour", [None, Silent, Closing, Talking])
async def test_dead_destinations(tmp_path: Path, behaviour: Any) -> None:
    port = free_port()
    accepted: list[Silent] = []

    def accept() -> Silent:
        accepted.append(behaviour())
        return accepted[-1]

    loop = asyncio.get_running_loop()
    listener = await loop.create_server(accept, "127.0.0.1", port) if behaviour else None
    async with open_node(tmp_path, modalities=sink(port), timeouts=IMPATIENT) as node:
        sent = await fill(node, *study(3))
        asked = identifier("STUDY", StudyInstanceUID=sent[0].StudyInstanceUID)
        async with asyncio.timeout(SOON):
            *_, (last, failed) = await asyncio.to_thread(move, node.port, asked)
        assert (last.Status, counters(last)) == (0xA702, (None, 0, 3, 0))
        assert failed is not None
        assert sorted(failed.FailedSOPInstanceUIDList) == sorted(each.SOPInstanceUID for each in sent)
    if listener is not None:
        listener.close()
        for each in accepted:
            each.transport.abort()
        await asyncio.sleep(0)


async def test_a_destination_that_dies_on_the_way(tmp_path: Path) -> None:
    port = free_port()

    def store(event: Any) -> int:
        if int(event.dataset.InstanceNumber) == 3:
            event.assoc.abort()
        return 0x0000

    async with open_node(tmp_path, modalities=sink(port), timeouts=IMPATIENT) as node:
        sent = await fill(node, *study(5))
        with receiver(port, [build_context(CT)], store):
            asked = identifier("STUDY", StudyInstanceUID=sent[0].StudyInstanceUID)
            *_, (last, failed) = await asyncio.to_thread(move, node.port, asked)
        assert last.Status == 0xB000
        _, completed, failures, _ = counters(last)
        assert (completed, failures) == (2, 3)
        assert failed is not None
        assert len(failed.FailedSOPInstanceUIDList) == 3


async def test_nothing_to_move_is_a_success(tmp_path: Path) -> None:
    async with open_node(tmp_path, modalities=sink(free_port())) as node:
        asked = identifier("STUDY", StudyInstanceUID="1.2.3")
        ((last, _),) = await asyncio.to_thread(move, node.port, asked)
        assert (last.Status, counters(last)) == (0x0000, (None, 0, 0, 0))


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        (STUDY_MOVE, identifier("STUDY", StudyInstanceUID="")),
        (STUDY_MOVE, identifier("PATIENT", PatientID="P1")),
        (STUDY_MOVE, identifier("SERIES", SeriesInstanceUID="1.2")),
        (PATIENT_MOVE, identifier("STUDY", StudyInstanceUID="1.2")),
    ],
)
async def test_identifiers_that_cannot_be_moved(tmp_path: Path, model: str, asked: Dataset) -> None:
    async with open_node(tmp_path, modalities=sink(free_port())) as node:
        ((last, _),) = await asyncio.to_thread(move, node.port, asked, model)
        assert last.Status == 0xA900


async def test_a_study_of_another_patient_is_not_moved(tmp_path: Path) -> None:
    async with open_node(tmp_path, modalities=sink(free_port())) as node:
        (sent, _) = await fill(node, *study(PatientID="P1"))
        asked = identifier("STUDY", PatientID="P2", StudyInstanceUID=sent.StudyInstanceUID)
        ((last, _),) = await asyncio.to_thread(move, node.port, asked, PATIENT_MOVE)
        assert (last.Status, counters(last)) == (0x0000, (None, 0, 0, 0))


async def test_cancel_stops_the_sub_operations(tmp_path: Path) -> None:
    port, got = free_port(), []

    def store(event: Any) -> int:
        time.sleep(0.2)
        got.append(event.request.AffectedSOPInstanceUID)
        return 0x0000

    async with open_node(tmp_path, modalities=sink(port)) as node:
        sent = await fill(node, *study(20))
        with receiver(port, [build_context(CT)], store):
            asked = identifier("STUDY", StudyInstanceUID=sent[0].StudyInstanceUID)
            answers = await asyncio.to_thread(move, node.port, asked, cancel_after=3)
            last = answers[-1][0]
            assert last.Status == 0xFE00
            remaining, completed, _, _ = counters(last)
            assert remaining is not None
            assert completed is not None
            assert remaining + completed == 20
            assert remaining > 5
            await asyncio.sleep(0.5)
            assert len(got) == completed


async def test_large_instances_are_streamed(tmp_path: Path) -> None:
    port, sizes = free_port(), []

    def store(event: Any) -> int:
        sizes.append(len(event.request.DataSet.getvalue()))
        return 0x0000

    data = make_instance(rows=2000, columns=2000)  # 8 MB
    async with open_node(tmp_path, modalities=sink(port), timeouts=QUICK) as node:
        (sent,) = await fill(node, data)
        with receiver(port, [build_context(CT)], store):
            asked = identifier("STUDY", StudyInstanceUID=sent.StudyInstanceUID)
            *_, (last, _) = await asyncio.to_thread(move, node.port, asked)
        assert last.Status == 0x0000
        assert sizes == [len(bare_dataset(data))]
