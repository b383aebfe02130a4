"""Peers that misbehave: the standard's abort or status, a bounded cost, one line in the log, others unharmed."""

import asyncio
import logging
import tracemalloc
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from conformance.patience import until
from dicomweb_server.dimse.items import APPLICATION_CONTEXT, ProposedContext, UserInformation, item
from dicomweb_server.dimse.message import Command, CommandField, encode
from dicomweb_server.dimse.pdu import HEADER, RELEASE_REPLY, AssociateRequest, PduType, encode_request
from tests.app.dimse_harness import (
    AE_TITLE,
    CT,
    EXPLICIT,
    QUICK,
    VERIFICATION,
    complaints,
    healthy,
    open_node,
    pdv,
    store_command,
)
from tests.builders import bare_dataset, make_instance

ABORT_BY_USER = (PduType.ABORT, b"\0\0\0\0")


def abort_by_provider(reason: int) -> tuple[int, bytes]:
    return PduType.ABORT, bytes((0, 0, 2, reason))


STORE = encode(store_command("1.2.3"))
REQUEST = encode_request(
    AssociateRequest(
        AE_TITLE, "RAW", (ProposedContext(1, VERIFICATION, ("1.2.840.10008.1.2",)),), UserInformation(16384, "1.2.3")
    )
)


@pytest.fixture(autouse=True)
def listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\nHost: archive.example\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0\0\0\0",
        bytes(range(8, 256)) * 1000,
        b"\n",
    ],
    ids=["http", "tls", "ssh", "zeros", "noise", "newline"],
)
async def test_other_protocols_on_the_port(tmp_path: Path, first: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with open_node(tmp_path) as node:
        peer = await node.peer()
        await peer.send(first)
        assert await peer.pdu() == ABORT_BY_USER
        assert await peer.closed() == b""
        await peer.close()
        assert await healthy(node)
    (line,) = complaints(caplog)
    assert "without association" in line


async def test_a_declared_pdu_of_4_gb(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_node(tmp_path) as node:
        peer = await node.peer()
        tracemalloc.start()
        await peer.send(HEADER.pack(PduType.ASSOCIATE_RQ, 2**32 - 1))
        assert await peer.pdu() == ABORT_BY_USER
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        tracemalloc.stop()
        await peer.close()
        established = await node.peer()
        await established.associate()
        await established.send(HEADER.pack(PduType.P_DATA, 2**32 - 1))
        assert await established.pdu() == abort_by_provider(6)
        await established.close()
        assert await healthy(node)
    assert len(complaints(caplog)) == 2


async def test_everything_in_pieces_of_one_byte(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        peer = await node.peer()
        for value in REQUEST:
            await peer.send(bytes((value,)))
        assert (await peer.pdu())[0] == PduType.ASSOCIATE_AC
        command = Command(field=CommandField.C_ECHO_RQ, affected_sop_class_uid=VERIFICATION, message_id=1)
        content = encode(command)
        for number, value in enumerate(content):
            await peer.send(pdv(1, 3 if number == len(content) - 1 else 1, bytes((value,))))
        assert (await peer.response()).status == 0
        await peer.release()


@pytest.mark.parametrize(
    "beginning",
    [b"", b"\1", b"\1\0\0", HEADER.pack(PduType.ASSOCIATE_RQ, 300), REQUEST[:-1]],
    ids=["silence", "one byte", "three bytes", "a header", "all but one byte"],
)
async def test_an_association_request_that_never_is_whole(
    tmp_path: Path, beginning: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_node(tmp_path, timeouts=QUICK) as node:
        peer = await node.peer()
        await peer.send(beginning)
        started = asyncio.get_running_loop().time()
        assert await peer.closed() == b""
        assert asyncio.get_running_loop().time() - started > 0.8
        await peer.close()
        assert await healthy(node)
    assert len(complaints(caplog)) == 1


async def test_a_byte_now_and_then_does_not_keep_a_connection(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_node(tmp_path, timeouts=QUICK) as node:
        peer = await node.peer()
        with pytest.raises(ConnectionError):  # noqa: PT012
            for value in REQUEST:
                await peer.send(bytes((value,)))
                await asyncio.sleep(0.1)
        peer.vanish()
        assert await healthy(node)
    assert len(complaints(caplog)) == 1


async def test_a_pdu_that_never_is_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_node(tmp_path, timeouts=QUICK) as node:
        peer = await node.peer()
        await peer.associate()
        await peer.send(HEADER.pack(PduType.P_DATA, 1000) + b"12345")
        aborted = asyncio.create_task(peer.pdu())
        while not aborted.done():  # bytes of it do not count as progress for ever
            await peer.send(b"x")
            await asyncio.sleep(0.1)
        assert await aborted == ABORT_BY_USER
        await peer.close()
    (line,) = complaints(caplog)
    assert "waited for the rest of a PDU" in line


@pytest.mark.parametrize("whole", [STORE, STORE[:20]], ids=["after the command", "within the command"])
async def test_a_message_that_never_is_whole(tmp_path: Path, whole: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with open_node(tmp_path, timeouts=QUICK) as node:
        peer = await node.peer()
        await peer.associate()
        await peer.send(pdv(3, 3 if whole == STORE else 1, whole))
        assert await peer.pdu() == ABORT_BY_USER
        await peer.close()
    assert len([line for line in complaints(caplog) if "waited for the rest of a message" in line]) == 1


@pytest.mark.parametrize(
    ("beginning", "nothing", "awaited"),
    [
        (pdv(3, 3, STORE), (pdv(3, 0, b""),), "the rest of a message"),
        (pdv(3, 3, STORE), (pdv(3, 0, b"")[:7], pdv(3, 0, b"")[7:]), "the rest of a message"),
        (pdv(3, 1, STORE[:20]), (pdv(3, 1, b""),), "the rest of a message"),
        (b"", (pdv(3, 1, b""),), "a message"),
    ],
    ids=["data set", "in halves", "command", "no command"],
)
async def test_a_peer_that_goes_on_with_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, beginning: bytes, nothing: tuple[bytes, ...], awaited: str
) -> None:
    async with open_node(tmp_path, timeouts=QUICK) as node:
        peer = await node.peer()
        await peer.associate()
        await peer.send(beginning)
        with pytest.raises(ConnectionError):  # noqa: PT012
            async with asyncio.timeout(4):
                while True:
                    for each in nothing:
                        await peer.send(each)
                        await asyncio.sleep(0.02)
        peer.vanish()
        assert await healthy(node)
    (line,) = complaints(caplog)
    assert f"waited for {awaited}" in line


async def test_an_association_that_never_releases(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_node(tmp_path, timeouts=QUICK) as node:
        peer = await node.peer()
        await peer.associate()
        assert await peer.echo() == 0
        assert await peer.pdu() == ABORT_BY_USER
        await peer.close()
        assert await healthy(node)
    (line,) = complaints(caplog)
    assert "waited for a message" in line


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (pdv(0, 3, STORE), 6),
        (pdv(255, 3, STORE), 6),
        (pdv(3, 2, b"data before a command"), 5),
        (pdv(3, 0xFF, STORE), 6),
        (pdv(3, 3, b"no command set"), 6),
        (pdv(3, 3, encode(Command(field=1, message_id=1))), 6),  # no mandatory elements
        (pdv(3, 3, STORE, length=2**32 - 1), 6),
        (pdv(3, 3, STORE, length=1), 6),
        (pdv(3, 3, STORE) + pdv(3, 3, STORE), 5),
        (pdv(3, 3, STORE) + pdv(1, 2, b"elsewhere"), 5),
        (pdv(3, 3, STORE) + pdv(3, 2, b"whole") + pdv(3, 2, b"and more"), 5),
        (pdv(3, 3, STORE, length=len(STORE) + 200), 6),
        (HEADER.pack(PduType.P_DATA, 0), 6),
        (HEADER.pack(9, 0), 1),
        (REQUEST, 2),
        (RELEASE_REPLY, 2),
        (HEADER.pack(PduType.ASSOCIATE_RJ, 4) + b"\0\1\1\1", 2),
    ],
)
async def test_what_cannot_come_in_an_association(
    tmp_path: Path, data: bytes, reason: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_node(tmp_path) as node:
        peer = await node.peer()
        await peer.associate()
        await peer.send(data)
        assert await peer.pdu() == abort_by_provider(reason)
        assert await peer.closed() == b""
        await peer.close()
        assert await healthy(node)
    assert len([line for line in complaints(caplog) if "protocol error" in line]) == 1


@pytest.mark.parametrize("context_id", [0, 2, 254])
async def test_wrong_context_identifiers(tmp_path: Path, context_id: int, caplog: pytest.LogCaptureFixture) -> None:
    async with open_node(tmp_path) as node:
        peer = await node.peer()
        context = item(0x20, bytes((context_id, 0, 0, 0)) + item(0x30, CT.encode()) + item(0x40, EXPLICIT.encode()))
        body = REQUEST[6:74] + context
        await peer.send(HEADER.pack(PduType.ASSOCIATE_RQ, len(body)) + body)
        assert await peer.pdu() == ABORT_BY_USER
        await peer.close()
        assert await healthy(node)
    assert len(complaints(caplog)) == 1


async def test_a_request_with_thousands_of_items(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        peer = await node.peer()
        body = REQUEST[6:74] + item(0x10, APPLICATION_CONTEXT.encode()) + 20_000 * item(0x30, b"1.2.3")
        await peer.send(HEADER.pack(PduType.ASSOCIATE_RQ, len(body)) + body)
        assert (await peer.pdu())[0] == PduType.ASSOCIATE_AC  # with no contexts; unknown items are passed over
        await peer.close()


async def test_a_data_set_larger_than_allowed(tmp_path: Path) -> None:
    async with open_node(tmp_path, largest_instance=100_000) as node:
        peer = await node.peer()
        await peer.associate()
        await peer.send(pdv(3, 3, STORE))
        with pytest.raises(ConnectionError):  # noqa: PT012
            for _ in range(1000):
                await peer.send(pdv(3, 0, bytes(10_000)))
                await asyncio.sleep(0.002)
        peer.vanish()
        assert await healthy(node)
        assert await node.instances() == 1


async def test_what_the_peer_reads_when_its_data_set_is_too_large(tmp_path: Path) -> None:
    async with open_node(tmp_path, largest_instance=100_000) as node:
        peer = await node.peer()
        await peer.associate()
        await peer.send(pdv(3, 3, STORE) + 11 * pdv(3, 0, bytes(10_000)))
        assert (await peer.response()).status == 0xA700
        assert await peer.pdu() == ABORT_BY_USER
        await peer.close()


async def test_what_is_refused_is_answered_when_all_of_it_has_come(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        peer = await node.peer()
        await peer.associate()
        await peer.send(pdv(3, 3, encode(store_command("no UID"))) + 100 * pdv(3, 0, bytes(10_000)))
        with pytest.raises(TimeoutError):
            await peer.pdu(0.5)
        await peer.send(pdv(3, 2, bytes(10_000)))
        assert (await peer.response()).status == 0xA900
        await peer.close()
        assert await healthy(node)


@pytest.mark.parametrize("size", [0, 100, 300_000, 3_000_000])
async def test_a_peer_that_vanishes_within_a_data_set(
    tmp_path: Path, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_node(tmp_path) as node:
        peer = await node.peer()
        await peer.associate()
        await peer.send(pdv(3, 3, STORE))
        for _ in range(0, size, 100_000):
            await peer.send(pdv(3, 0, bytes(min(size, 100_000))))
        await asyncio.sleep(0.05)
        peer.vanish()
        assert await healthy(node)
        assert await node.instances() == 1
        await until(lambda: node.server.associations == 0 and not list((tmp_path / "spool").iterdir()))
    (line,) = complaints(caplog)
    expected = "connection lost", "'C-STORE lost': 1", "'calling': 'RAW'", "'called': '", "'sop_instance': '1.2.3'"
    assert [text for text in expected if text not in line] == []


async def test_a_peer_that_takes_no_answers(tmp_path: Path) -> None:
    """Requests without end whose answers nobody reads: reading stops, and the association is cut."""
    async with open_node(tmp_path, timeouts=QUICK) as node:
        peer = await node.peer()
        await peer.associate()
        command = encode(Command(field=CommandField.C_ECHO_RQ, affected_sop_class_uid=VERIFICATION, message_id=1))
        with pytest.raises(ConnectionError):  # noqa: PT012
            async with asyncio.timeout(60):
                while True:
                    await peer.send(1000 * pdv(1, 3, command))
        peer.vanish()
        assert await healthy(node)


async def test_stopping_waits_for_what_is_under_way(tmp_path: Path) -> None:
    data = make_instance()
    async with open_node(tmp_path) as node:
        port = node.port
        idle, busy = await node.peer(), await node.peer()
        await idle.associate()
        await busy.associate()
        await busy.send(pdv(3, 3, encode(store_command(dcmread(BytesIO(data)).SOPInstanceUID))))
        await busy.send(pdv(3, 0, bare_dataset(data)[:200]))
        await asyncio.sleep(0.05)
        stopping = asyncio.create_task(node.server.stop())
        assert await idle.pdu() == ABORT_BY_USER
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)
        await busy.send(pdv(3, 2, bare_dataset(data)[200:]))
        await stopping
        assert await node.instances() == 1
        await idle.close()
        await busy.close()


async def test_an_idle_association_gives_memory_back_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicomweb_server.dimse.patience._REST", 0.2)
    shrunk: list[object] = []
    monkeypatch.setattr("dicomweb_server.dimse.framing.Framer.shrink", lambda framer: shrunk.append(framer))
    async with open_node(tmp_path, timeouts=QUICK) as node:
        peer = await node.peer()
        await peer.associate()
        assert await peer.echo() == 0
        await until(lambda: shrunk)
        assert len(shrunk) == 1
        assert await peer.echo() == 0
        assert await peer.pdu() == ABORT_BY_USER
        await peer.close()
