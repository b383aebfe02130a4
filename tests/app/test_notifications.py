"""Notification connections (PS3.18 §8.10): WebSockets against the whole server, by a client that is not ours."""

import asyncio
import contextlib
import gc
import json
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from conformance.patience import SOON, wait_until
from conformance.workitems import ALL_WORKITEMS, state_change, workitem
from dicomweb_server.app import Application, create_app
from dicomweb_server.server import process
from dicomweb_server.server.connection import ConnectionLimits, Gate
from dicomweb_server.server.process import DeadlineServer, ProcessOptions, listen, make_server
from dicomweb_server.services.workitem_channels import WEB, WorkitemChannels
from dicomweb_server.services.workitem_events import EventQueue, EventType, Subscriber, WorkitemEvent
from dicomweb_server.settings import Settings
from dicomweb_server.settings.passwords import hash_password

HANDSHAKE = (
    b"GET /dicom-web/subscribers/WATCHER HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
QUICK = ConnectionLimits(header_timeout=0.6, write_timeout=0.6)
ADMITTED = b64encode(b"alice:secret").decode()


@dataclass
class Running:
    """The whole server in a thread."""

    app: Application
    server: DeadlineServer
    gate: Gate
    port: int

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/dicom-web/subscribers/"

    def open(self, ae_title: str = "WATCHER", **options: Any) -> ClientConnection:
        opened: ClientConnection = connect(self.url + ae_title, open_timeout=SOON, proxy=None, **options)
        return opened

    def ask(self, method: str, path: str, document: Any = None) -> httpx.Response:
        body = None if document is None else json.dumps(document.to_json_dict()).encode()
        headers = {} if body is None else {"content-type": "application/dicom+json"}
        url = f"http://127.0.0.1:{self.port}/dicom-web/workitems{path}"
        return httpx.request(method, url, content=body, headers=headers, trust_env=False, timeout=SOON)

    def subscribe(self, ae_title: str = "WATCHER") -> None:
        assert self.ask("POST", f"/{ALL_WORKITEMS}/subscribers/{ae_title}").status_code == 201

    def create(self, uid: str) -> None:
        assert self.ask("POST", f"?{uid}", workitem()).status_code == 201

    def exchange(self, request: bytes) -> bytes:
        """Send bytes and read until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), SOON) as client:
            client.sendall(request)
            found = b""
            with contextlib.suppress(ConnectionError):
                while piece := client.recv(65536):
                    found += piece
            return found

    @property
    def channels(self) -> WorkitemChannels:
        return self.app.holder.services().workitem_channels


@contextlib.contextmanager
def running(folder: Path, limits: ConnectionLimits = ConnectionLimits(), **options: Any) -> Iterator[Running]:  # noqa: B008
    app = create_app(Settings(data=folder / "data", dimse=False, sync="off", **options))
    listener, gate, started = listen("127.0.0.1", 0), Gate(limits), threading.Event()
    thresholds = gc.get_threshold()
    server = make_server(app, ProcessOptions(["127.0.0.1"], 0, gate, stop_timeout=5), started.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert started.wait(120)
        yield Running(app, server, gate, listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(20)
        # What is frozen stays so, or each further collection would look through all that describes the tests.
        gc.set_threshold(*thresholds)
        assert not thread.is_alive()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for tests that leave nothing in it."""
    with running(tmp_path_factory.mktemp("server")) as made:
        yield made


def told(channel: ClientConnection) -> tuple[str, str]:
    """UID and state of the next event."""
    report = json.loads(channel.recv(SOON))
    return report["00001000"]["Value"][0], report["00741000"]["Value"][0]


def test_who_is_connected_is_told(server: Running) -> None:
    server.subscribe()
    with server.open() as first, server.open() as second, server.open("STRANGER") as stranger:
        server.create("1.1")
        assert server.ask("PUT", "/1.1/state", state_change("IN PROGRESS", "1.2.3")).status_code == 200
        for channel in (first, second):
            assert [told(channel), told(channel)] == [("1.1", "SCHEDULED"), ("1.1", "IN PROGRESS")]
        with pytest.raises(TimeoutError):
            stranger.recv(0.1)
        assert first.ping().wait(SOON)
        first.send("what a client says has no meaning")
        server.create("1.2")
        assert told(first) == ("1.2", "SCHEDULED")
        assert server.gate.gauges()["connections_open"] >= 3
    wait_until(lambda: server.channels.count == 0)
    wait_until(lambda: server.gate.gauges()["connections_open"] == 0)


def test_what_happened_meanwhile_is_told_later(server: Running) -> None:
    server.subscribe()
    server.create("1.1")
    with server.open() as channel:
        assert told(channel) == ("1.1", "SCHEDULED")
    wait_until(lambda: server.channels.count == 0)
    server.create("1.2")
    with server.open() as channel:
        assert told(channel) == ("1.2", "SCHEDULED")


def test_after_a_start_subscribers_are_told_of_it(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        server.subscribe()
    with running(tmp_path) as server, server.open() as channel:
        assert json.loads(channel.recv(SOON))["00741242"]["Value"] == ["RESTARTED"]


def test_a_stop_closes_the_connection(tmp_path: Path) -> None:
    with running(tmp_path) as server, server.open() as channel:
        server.server.should_exit = True
        with pytest.raises(ConnectionClosed) as closed:
            channel.recv(SOON)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012


@pytest.mark.parametrize(
    ("path", "status"),
    [("W%C3%84CHTER", 400), ("ABCDEFGHIJKLMNOPQ", 400), ("%20", 400), ("A/B", 404), ("../studies", 404)],
)
def test_handshakes_that_lead_nowhere(shared: Running, path: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        shared.open(path)
    response = refused.value.response
    assert response.status_code == status
    assert json.loads(response.body)["status"] == status
    assert response.headers["x-content-type-options"] == "nosniff"


def test_switched_off(tmp_path: Path) -> None:
    with running(tmp_path, workitems=False) as server, pytest.raises(InvalidStatus) as refused:
        server.open()
    assert refused.value.response.status_code == 501


def test_only_users_may(tmp_path: Path) -> None:
    with running(tmp_path, users={"alice": hash_password("secret")}) as server:
        for headers in ({}, {"Authorization": "Basic " + b64encode(b"alice:wrong").decode()}):
            with pytest.raises(InvalidStatus) as refused:
                server.open(additional_headers=headers)
            assert refused.value.response.status_code == 401
            assert "Basic" in refused.value.response.headers["www-authenticate"]
        with server.open(additional_headers={"Authorization": f"Basic {ADMITTED}"}) as channel:
            assert channel.ping().wait(SOON)


def test_pages_of_other_sites_may_not(tmp_path: Path) -> None:
    with running(tmp_path, cors_origins=("https://viewer.example",)) as server:
        for origin in ("https://evil.example", "null", f"http://127.0.0.1:{server.port}1"):
            with pytest.raises(InvalidStatus) as refused:
                server.open(origin=origin)
            assert refused.value.response.status_code == 403
        for origin in (f"http://127.0.0.1:{server.port}", "https://viewer.example"):
            with server.open(origin=origin) as channel:
                assert channel.ping().wait(SOON)


def test_connections_are_limited(server: Running) -> None:
    server.channels._most_open = 1
    with server.open():
        with pytest.raises(InvalidStatus) as refused:
            server.open()
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["retry-after"]


@pytest.mark.parametrize(
    "request_",
    [
        HANDSHAKE.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\nabc"),
        HANDSHAKE.replace(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b""),
        HANDSHAKE.replace(b"Version: 13", b"Version: 7"),
        HANDSHAKE.replace(b"Key: dGhlIHNhbXBsZSBub25jZQ==", b"Key: short"),
        b"GET /dicom-web/studies?limit=1 HTTP/1.1\r\nHost: localhost\r\n\r\n" + HANDSHAKE,
    ],
    ids=["POST", "no key", "version", "short key", "pipelined"],
)
def test_handshakes_that_are_none(shared: Running, request_: bytes, caplog: pytest.LogCaptureFixture) -> None:
    answer = shared.exchange(request_).rpartition(b"HTTP/1.1 ")[2]
    assert answer[:3] in (b"400", b"426")
    assert not [one for one in caplog.records if one.levelname == "ERROR"]
    assert shared.ask("GET", "?limit=1").status_code == 200


def test_a_handshake_in_pieces(shared: Running) -> None:
    with socket.create_connection(("127.0.0.1", shared.port), SOON) as client:
        for start in range(0, len(HANDSHAKE), 40):
            client.sendall(HANDSHAKE[start : start + 40])
            time.sleep(0.01)
        assert client.recv(12) == b"HTTP/1.1 101"


@pytest.mark.parametrize(
    "sent",
    [
        b"\xff" * 10,
        b"\x81\x05hello",
        b"\x89\xfe\x01\x00" + b"\0" * 260,
        b"\x81\xff" + b"\0\0\0\0\0\x10\0\0" + b"\0" * 4,
    ],
    ids=["no frame", "not masked", "long ping", "long message"],
)
def test_frames_that_are_none_end_the_connection(
    shared: Running, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert _after_handshake(shared, sent)[:1] == b"\x88"  # a Close frame
    wait_until(lambda: shared.channels.count == 0)
    assert not [one for one in caplog.records if one.levelname == "ERROR"]


def _after_handshake(server: Running, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), SOON) as client:
        client.sendall(HANDSHAKE)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        client.sendall(sent)
        found = b""
        with contextlib.suppress(ConnectionError):
            while piece := client.recv(65536):
                found += piece
        return found


def test_who_answers_no_ping_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_PING_SECONDS", 0.2)
    with running(tmp_path) as server, server.open("ALIVE") as alive:
        found = _after_handshake(server, b"")
        assert (found[:1], found[6:7]) == (b"\x89", b"\x88")  # a Ping with four bytes, a Close
        assert alive.ping().wait(SOON)
        wait_until(lambda: server.channels.count == 1)


def test_a_header_that_is_no_handshake_for_long_is_cut(tmp_path: Path) -> None:
    with running(tmp_path, QUICK) as server:
        began = time.monotonic()
        server.exchange(HANDSHAKE.replace(b"Host", b"X-Long: " + b"x" * 9000 + b"\r\nHost"))
        assert time.monotonic() - began < SOON
        wait_until(lambda: server.gate.gauges()["connections_open"] == 0)


def test_who_does_not_read_is_cut_off(tmp_path: Path) -> None:
    with running(tmp_path, replace(QUICK, header_timeout=10)) as server:
        with socket.create_connection(("127.0.0.1", server.port), SOON) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(HANDSHAKE)
            wait_until(lambda: server.channels.count == 1)
            _flood(server, "WATCHER", 400)
            wait_until(lambda: server.channels.count == 0)
            wait_until(lambda: server.gate.gauges()["connections_open"] == 0)
        assert server.channels._room.free > 0


def _flood(server: Running, ae_title: str, count: int) -> None:
    """Events of 100 kB each, put by the loop of the server."""
    loop: asyncio.AbstractEventLoop = next(iter(server.server.server_state.connections)).loop
    events: EventQueue = server.app.holder.services().workitems.events
    text = {"00741238": {"vr": "LT", "Value": ["x" * 100_000]}}
    made = [WorkitemEvent(EventType.STATE_REPORT, f"1.{number}", text) for number in range(count)]
    loop.call_soon_threadsafe(events.put, made, [Subscriber(ae_title, WEB)])
