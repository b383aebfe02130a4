"""One line in the log for each failure, with AE titles and UIDs, and nothing of a patient."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import build_context

from conformance.patience import until
from conformance.server import free_port
from dicomweb_server.dimse.options import OnMismatch
from tests.app.dimse_harness import CT, complaints, healthy, open_node, store_command
from tests.app.dimse_peers import IMPATIENT, fill, identifier, move, receiver, sink, study
from tests.builders import bare_dataset, make_instance

SECRET: dict[str, Any] = {"PatientName": "Secret^Sarah", "PatientID": "SECRET-7"}


@pytest.fixture(autouse=True)
def listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def lines_with(caplog: pytest.LogCaptureFixture, *texts: str) -> list[str]:
    assert not [record for record in caplog.records if record.exc_info]
    assert "secret" not in caplog.text.lower() + "".join(complaints(caplog)).lower()
    return [line for line in complaints(caplog) if all(text in line for text in texts)]


async def test_a_move_to_an_unknown_destination(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_node(tmp_path, modalities=sink(free_port())) as node:
        (sent, *_) = await fill(node, *study(**SECRET))
        asked = identifier("STUDY", StudyInstanceUID=sent.StudyInstanceUID)
        ((last, _),) = await asyncio.to_thread(move, node.port, asked, destination="ELSEWHERE")
        assert last.Status == 0xA801
    (line,) = complaints(caplog)
    assert [line] == lines_with(
        caplog, "operation refused", "C-MOVE", "A801H", "'calling': 'MOVER'", "destination ELSEWHERE"
    )


class Rude(asyncio.Protocol):
    """Takes a connection and does nothing, or ends it when it is spoken to."""

    def __init__(self, reply: bytes | None) -> None:
        self._reply = reply

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self._reply is not None:
            self.transport.write(self._reply)
            self.transport.close()


@pytest.mark.parametrize("associations", [1, 3])
@pytest.mark.parametrize(
    ("reply", "end"),
    [
        ("nobody", "no connection: "),
        (None, "timeout: "),
        (b"", "connection lost: "),
        (b"\3\0\0\0\0\4\0\1\1\7", "rejected"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "protocol error: "),
    ],
    ids=["nobody", "silent", "closes", "rejects", "talks"],
)
async def test_a_move_to_a_dead_destination(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, reply: Any, end: str, associations: int
) -> None:
    port = free_port()
    loop = asyncio.get_running_loop()
    called: list[Rude] = []

    def taken() -> Rude:
        called.append(Rude(reply))
        return called[-1]

    listener = await loop.create_server(taken, "127.0.0.1", port) if reply != "nobody" else None
    modalities = sink(port, associations=associations)
    async with open_node(tmp_path, modalities=modalities, timeouts=IMPATIENT) as node:
        (sent, *_) = await fill(node, *study(4, **SECRET))
        asked = identifier("STUDY", StudyInstanceUID=sent.StudyInstanceUID)
        *_, (last, _) = await asyncio.to_thread(move, node.port, asked)
        assert last.Status == 0xA702
        assert await healthy(node)
        # A line is written when its connection has been closed.
        await until(lambda: len(complaints(caplog)) > associations)
    if listener is not None:
        listener.close()
        for each in called:
            each.transport.abort()
        await asyncio.sleep(0)
    assert len(complaints(caplog)) == associations + 1
    assert len(lines_with(caplog, "association requested", "'called': 'SINK'", end)) == associations
    assert len(lines_with(caplog, "operation refused", "C-MOVE", "A702H", "'calling': 'MOVER'")) == 1


async def test_a_destination_that_dies_on_the_way(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()

    def store(event: Any) -> int:
        if int(event.dataset.InstanceNumber) == 3:
            event.assoc.abort()
        return 0x0000

    async with open_node(tmp_path, modalities=sink(port), timeouts=IMPATIENT) as node:
        (sent, *_) = await fill(node, *study(6, **SECRET))
        asked = identifier("STUDY", StudyInstanceUID=sent.StudyInstanceUID)
        with receiver(port, [build_context(CT)], store):
            *_, (last, _) = await asyncio.to_thread(move, node.port, asked)
        assert last.Status == 0xB000
    assert len(complaints(caplog)) == 2
    assert len(lines_with(caplog, "association requested", "'called': 'SINK'", "aborted by the peer")) == 1
    assert len(lines_with(caplog, "operation refused", "C-MOVE", "B000H", "4 sub-operations failed")) == 1


@pytest.mark.parametrize("policy", list(OnMismatch))
async def test_a_command_whose_instance_is_not_that_of_the_data_set(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, policy: OnMismatch
) -> None:
    data = make_instance(**SECRET)
    async with open_node(tmp_path, on_mismatch=policy) as node:
        peer = await node.peer()
        await peer.associate()
        await peer.command(3, store_command("1.2.3.4"), bare_dataset(data))
        assert (await peer.response()).status == {OnMismatch.REFUSE: 0xA900, OnMismatch.WARN: 0xB007}[policy]
        await peer.release()
        assert await healthy(node)
    (line,) = complaints(caplog)
    assert [line] == lines_with(caplog, "operation refused", "C-STORE", "'sop_instance': '1.2.3.4'", "'calling': 'RAW'")


async def test_why_an_instance_was_refused_is_told_to_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = make_instance(**SECRET, SOPInstanceUID="1.2.3", SeriesInstanceUID="1.2.7777")
    async with open_node(tmp_path) as node:
        peer = await node.peer()
        await peer.associate()
        await peer.command(3, store_command("1.2.3"), bare_dataset(data).replace(b"1.2.7777", b"1.2.AAAA"))
        answer = await peer.response()
        assert str(answer.error_comment) == "SeriesInstanceUID (0020,000E) is ill-formed: expected at most..."
        await peer.release()
    whole = "SeriesInstanceUID (0020,000E) is ill-formed: expected at most 64 digits and dots"
    assert len(lines_with(caplog, "operation refused", "C-STORE", "A900H", f"'detail': '{whole}'")) == 1


async def test_what_is_no_uid_is_not_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_node(tmp_path) as node:
        peer = await node.peer()
        await peer.associate()
        await peer.command(3, store_command("Secret^Sarah"), bare_dataset(make_instance(**SECRET)))
        assert (await peer.response()).status == 0xA900
        await peer.release()
    assert len(lines_with(caplog, "operation refused", "C-STORE", "A900H", "'sop_instance': 'ill-formed'")) == 1
