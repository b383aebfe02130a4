"""Responses that another thread sends: whole, at most once, in order with what the loop sends, of what is stored."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from dicomweb_server.dimse.advance import Advance
from dicomweb_server.dimse.connection import Connection
from dicomweb_server.dimse.contexts import Service
from dicomweb_server.dimse.fragmenting import command_pdus
from dicomweb_server.dimse.options import DimseOptions
from dicomweb_server.dimse.pdu import PduType
from dicomweb_server.dimse.scp import DimseServer
from dicomweb_server.storage.store import Store
from dicomweb_server.storage.threads import Threads
from tests.app.dimse_harness import AE_TITLE, Node, Peer, open_node, store_command
from tests.app.services import services_on
from tests.builders import bare_dataset, make_instance

PDUS = command_pdus(3, b"command", 100)
OTHERS = command_pdus(3, b"another", 100)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with open_node(tmp_path) as opened:
        yield opened


@asynccontextmanager
async def associated(node: Node) -> AsyncIterator[tuple[Peer, Connection]]:
    peer = await node.peer()
    assert (await peer.associate())[0] == PduType.ASSOCIATE_AC
    [connection] = node.server._sessions
    yield peer, connection
    await peer.close()


def advance_of(connection: Connection) -> Advance:
    made = connection.in_advance(PDUS)
    assert made is not None
    return made


@contextmanager
def full_after(count: int, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The system has room for so many bytes."""
    assert connection._tcp._outlet is not None
    real = connection._tcp._outlet.socket

    class Full:
        def send(self, data: bytes) -> int:
            if not count:
                raise BlockingIOError
            return real.send(data[:count])

    with monkeypatch.context() as patch:
        patch.setattr(connection._tcp._outlet, "socket", Full())
        yield


async def test_what_a_thread_has_sent_is_not_sent_again(node: Node) -> None:
    async with associated(node) as (peer, connection):
        before = connection.bytes_sent
        for _ in range(2):
            made = advance_of(connection)
            await asyncio.to_thread(made.send)
            assert await peer.pdu() == (PduType.P_DATA, PDUS[6:])
            for _ in range(2):
                connection.settle()
            assert made.sent == len(PDUS)
        assert connection.bytes_sent == before + 2 * len(PDUS)


async def test_what_the_loop_has_withdrawn_no_thread_sends(node: Node) -> None:
    async with associated(node) as (peer, connection):
        made = advance_of(connection)
        connection.write(OTHERS)
        await asyncio.to_thread(made.send)
        connection.settle()
        assert made.sent == 0
        connection.write(OTHERS)
        assert [await peer.pdu() for _ in range(2)] == 2 * [(PduType.P_DATA, OTHERS[6:])]


@pytest.mark.parametrize("end", ["write", "abort"])
async def test_what_the_system_took_in_part_is_ended_first(
    node: Node, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    async with associated(node) as (peer, connection):
        made = advance_of(connection)
        with full_after(5, connection, monkeypatch):
            await asyncio.to_thread(made.send)
        if end == "write":
            connection.write(OTHERS)
        else:
            connection.abort("enough")
        assert await peer.pdu() == (PduType.P_DATA, PDUS[6:])
        assert await peer.pdu() == ((PduType.P_DATA, OTHERS[6:]) if end == "write" else (PduType.ABORT, bytes(4)))


async def test_nothing_is_sent_after_the_end(node: Node) -> None:
    async with associated(node) as (peer, connection):
        made = advance_of(connection)
        connection.cut("enough")
        await connection.closed
        await asyncio.to_thread(made.send)
        connection.settle()
        assert made.sent == 0
        assert connection.in_advance(PDUS) is None
        assert await peer.closed() == b""


async def test_where_there_is_no_room_the_loop_sends(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    async with associated(node) as (_, connection):
        made = advance_of(connection)
        with full_after(0, connection, monkeypatch):
            await asyncio.to_thread(made.send)
        connection.settle()
        assert made.sent == 0


class Transport(asyncio.Transport):
    """One over TLS, or with more to send."""

    def __init__(self, context: object, unsent: int) -> None:
        super().__init__({"sslcontext": context})
        self._unsent = unsent

    def get_write_buffer_size(self) -> int:
        return self._unsent


@pytest.mark.parametrize(("context", "unsent"), [("TLS", 0), (None, 1)])
async def test_over_tls_or_behind_other_bytes_only_the_loop_sends(
    node: Node, monkeypatch: pytest.MonkeyPatch, context: object, unsent: int
) -> None:
    async with associated(node) as (_, connection):
        monkeypatch.setattr(connection._tcp, "_transport", Transport(context, unsent))
        assert connection.in_advance(PDUS) is None


async def test_a_c_store_is_answered_by_the_thread_that_made_it_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by: list[str] = []

    def send(advance: Advance, send: Callable[[Advance], None] = Advance.send) -> None:
        by.append(threading.current_thread().name)  # before it: the answer is there at once
        send(advance)

    monkeypatch.setattr(Advance, "send", send)
    store, workers = Store(tmp_path), Threads(1, "worker")
    services = services_on(store, workers)
    allow = frozenset(Service)
    server = DimseServer(services, replace(DimseOptions(ae_title=AE_TITLE, port=0), unknown_allow=allow))
    await server.start()
    node = Node(server, services, store)
    try:
        async with associated(node) as (peer, connection):
            for number in range(1, 4):
                uid = f"1.2.3.{number}"
                dataset = bare_dataset(make_instance(SOPInstanceUID=uid))
                await peer.command(3, store_command(uid, message_id=number), dataset)
                answer = await peer.response()
                assert (answer.status, answer.message_id_responded_to) == (0, number)
            assert by == ["journal-writer"] * 3
            assert await node.instances() == 3
            await peer.command(3, store_command(uid, message_id=4), dataset)  # known, so not promised
            assert (await peer.response()).status == 0
            assert len(by) == 3
            [session] = node.server._sessions.values()
            assert session.outcomes == {"C-STORE success": 4}
            assert connection.ending is None
    finally:
        await server.stop()
        await services.ingest.close()
        workers.close()
        await store.close()
