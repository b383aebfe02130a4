"""Slow, broken and greedy HTTP clients against the server's connections, over real sockets."""

import asyncio
import contextlib
import gc
import logging
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Self

import pytest

from conformance.patience import SOON, wait_until
from dicomweb_server.server.connection import ConnectionLimits, Gate
from dicomweb_server.server.process import DeadlineServer, ProcessOptions, listen, make_server

QUICK = ConnectionLimits(
    header_timeout=0.6, body_timeout=0.6, min_body_rate=1000, write_timeout=0.8, max_header_size=8192,
    max_header_count=20, max_connections=12, max_connections_per_address=10,
)  # fmt: skip
PATIENT = replace(QUICK, header_timeout=60, body_timeout=60, write_timeout=60)  # where nothing may wait for these
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST_GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
OK = b"HTTP/1.1 200 "


@dataclass
class Seen:
    """What the application met."""

    begun: int = 0
    bodies: list[int] = field(default_factory=list)
    disconnects: int = 0
    cancelled: int = 0


class Client:
    """A client with no manners, on a blocking socket."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(SOON)
        self.began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)

    def read_until(self, end: bytes) -> bytes:
        seen = b""
        while not seen.endswith(end):
            piece = self.socket.recv(1)
            assert piece, f"closed after {seen!r}"
            seen += piece
        return seen

    def read_to_end(self) -> bytes:
        seen = b""
        with contextlib.suppress(ConnectionError):
            while piece := self.socket.recv(65536):
                seen += piece
        return seen

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


@dataclass
class Running:
    server: DeadlineServer
    thread: threading.Thread
    port: int
    seen: Seen

    def open(self) -> Client:
        return Client(self.port)

    def exchange(self, request: bytes) -> bytes:
        """Send bytes and read until the server closes."""
        with self.open() as client:
            client.send(request)
            return client.read_to_end()

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive()


def application(seen: Seen) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        seen.begun += 1
        if scope["path"] == "/early":
            await answer(send, 413, b"too much")
        elif scope["path"] == "/stream":
            await stream(seen, send)
        else:
            await asyncio.sleep(30 if scope["path"] == "/wait" else 0)
            await count_body(seen, receive, send)

    return app


async def lifespan(receive: Any, send: Any) -> None:
    for _ in range(2):
        await send({"type": (await receive())["type"] + ".complete"})


async def count_body(seen: Seen, receive: Any, send: Any) -> None:
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            seen.disconnects += 1
            return
        size += len(message["body"])
        if not message["more_body"]:
            break
    seen.bodies.append(size)
    await answer(send, 200, b"%d" % size)


async def answer(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def stream(seen: Seen, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    try:
        while True:
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            await asyncio.sleep(0)
    except asyncio.CancelledError:
        seen.cancelled += 1
        raise


@contextlib.contextmanager
def running(
    limits: ConnectionLimits = QUICK, *, stop_timeout: float = 5, keep_alive: float = SOON
) -> Iterator[Running]:
    seen = Seen()
    listener = listen("127.0.0.1", 0)
    options = ProcessOptions(["127.0.0.1"], 0, Gate(limits), keep_alive_timeout=keep_alive, stop_timeout=stop_timeout)
    started = threading.Event()
    thresholds = gc.get_threshold()
    server = make_server(application(seen), options, started.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    made = Running(server, thread, listener.getsockname()[1], seen)
    try:
        assert started.wait(120)
        yield made
    finally:
        made.stop()
        # What is frozen stays so, or each further collection would look through all that describes the tests.
        gc.set_threshold(*thresholds)


@pytest.fixture
def server() -> Iterator[Running]:
    with running() as made:
        yield made


@pytest.fixture
def patient() -> Iterator[Running]:
    with running(PATIENT) as made:
        yield made


def seconds_until_cut(server: Running, first: bytes, then: bytes) -> float:
    with server.open() as client:
        client.send(first)
        client.socket.settimeout(0.1)
        while client.seconds < SOON:
            try:
                seen = client.read_to_end()
            except TimeoutError:
                client.send(then)
            else:
                assert seen.startswith(b"HTTP/1.1 408 ") or not seen
                break
        return client.seconds


def test_plain_request_is_answered(server: Running) -> None:
    answer = server.exchange(LAST_GET)
    assert answer.startswith(OK)
    assert answer.endswith(b"\r\n\r\n0")


def test_silent_connection_is_closed_in_time(server: Running) -> None:
    with server.open() as client:
        assert client.read_to_end() == b""
        assert client.seconds > 0.5


@pytest.mark.parametrize("begin", [b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\nX: "])
def test_half_a_header_is_answered_408(server: Running, begin: bytes) -> None:
    assert server.exchange(begin).startswith(b"HTTP/1.1 408 ")


def test_header_that_drips_is_cut(server: Running) -> None:
    assert 0.5 < seconds_until_cut(server, b"GET /", b"a") < SOON


def test_second_request_on_a_connection_has_a_deadline_too(server: Running) -> None:
    with server.open() as client:
        client.send(GET)
        assert client.read_until(b"\r\n\r\n0").startswith(OK)
        client.send(b"GET / HTTP/1.1\r\n")
        assert client.read_to_end().startswith(b"HTTP/1.1 408 ")


def test_idle_connection_is_closed() -> None:
    with running(keep_alive=1) as server, server.open() as client:
        client.send(GET)
        assert client.read_to_end().startswith(OK)


def test_stalled_body_is_answered_408_and_the_application_is_told(server: Running) -> None:
    answer = server.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc")
    assert answer.startswith(b"HTTP/1.1 408 ")
    wait_until(lambda: server.seen.disconnects == 1)
    assert server.seen.bodies == []


def test_body_slower_than_the_minimum_is_cut(server: Running) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
    assert 0.5 < seconds_until_cut(server, head, b"x" * 10) < SOON
    assert server.seen.bodies == []


def test_slow_but_steady_body_is_taken() -> None:
    """In more than the time after which the rate is looked at, and with a pause now and then."""
    with running(replace(QUICK, body_timeout=2.0, min_body_rate=200)) as server, server.open() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 13500\r\n\r\n")
        for _ in range(45):
            client.send(b"x" * 300)
            time.sleep(0.1)
        assert client.read_to_end().startswith(OK)
    assert server.seen.bodies == [13500]


def test_client_that_does_not_read_is_disconnected(server: Running) -> None:
    with server.open() as client:
        client.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: server.seen.cancelled == 1)


def test_download_that_is_given_up_stops_at_once(patient: Running) -> None:
    with patient.open() as client:
        client.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        client.socket.recv(1000)
        client.reset()
        wait_until(lambda: patient.seen.cancelled == 1)


def test_client_that_leaves_in_an_upload_makes_no_error(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), running(PATIENT) as server, server.open() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 5000)
        time.sleep(0.1)
        client.reset()
        wait_until(lambda: server.seen.disconnects == 1)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Host: a\r\nX: " + b"y" * 9000, 431),
        (b"Host: a\r\n" + b"X: y\r\n" * 30, 431),
        (b"Host: a\r\nHost: b", 400),
        (b"X: no host", 400),
        (b"Host: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked", 400),
        (b"Host: a\r\nContent-Length: 99999999999999999999", 400),
        (b"Host: a\r\nContent-Length: 3\r\nContent-Length: 4", 400),
        (b"Host: a\r\nContent-Length: -3", 400),
    ],
    ids=["long field", "many fields", "two hosts", "no host", "both lengths", "huge", "two lengths", "negative"],
)
def test_bad_headers_are_refused(server: Running, head: bytes, status: int) -> None:
    answer = server.exchange(b"POST / HTTP/1.1\r\n" + head + b"\r\n\r\nabc")
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert server.seen.bodies == []


def test_long_target_is_refused(server: Running) -> None:
    answer = server.exchange(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 414 ")


def test_header_without_end_is_refused_before_memory_grows(patient: Running) -> None:
    with patient.open() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        for _ in range(9):
            client.send(b"y" * 1000)
            time.sleep(0.01)
        assert client.read_to_end().startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("rubbish", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"SSH-2.0-x\r\n", b"\0" * 100])
def test_other_protocols_are_refused_quickly(patient: Running, rubbish: bytes) -> None:
    with patient.open() as client:
        client.send(rubbish)
        assert client.read_to_end().startswith(b"HTTP/1.1 400 ")


def test_too_many_connections_of_one_address_are_refused_and_places_come_free(patient: Running) -> None:
    with contextlib.ExitStack() as clients:
        for _ in range(10):
            clients.enter_context(patient.open())
        assert patient.exchange(b"").startswith(b"HTTP/1.1 503 ")
    wait_until(lambda: patient.exchange(LAST_GET).startswith(OK))


def test_continue_is_sent_before_the_body(server: Running) -> None:
    with server.open() as client:
        client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        assert client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"abc")
        assert client.read_to_end().startswith(OK)


def test_early_answer_reaches_a_client_that_still_sends(server: Running) -> None:
    with server.open() as client:
        client.send(b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n")
        client.send(b"x" * 2_000_000)
        assert client.read_until(b"too much").startswith(b"HTTP/1.1 413 ")
        client.send(LAST_GET)
        assert client.read_to_end().startswith(OK)


def test_early_answer_without_continue_closes(server: Running) -> None:
    answer = server.exchange(
        b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\nExpect: 100-continue\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in answer


def test_offer_of_http2_is_ignored_and_the_connection_goes_on(server: Running) -> None:
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
    with server.open() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n" + upgrade + b"\r\nabc")
        assert client.read_until(b"\r\n\r\n3").startswith(OK)
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + upgrade + b"\r\n")
        assert client.read_until(b"\r\n\r\n0").startswith(OK)
        client.send(LAST_GET)
        assert client.read_to_end().startswith(OK)


def test_pipelined_requests_are_answered_in_order(server: Running) -> None:
    first = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    answer = server.exchange(first * 3 + LAST_GET)
    assert answer.count(OK) == 4
    assert server.seen.bodies == [3, 3, 3, 0]


def test_stop_ends_in_time_and_answers_503_to_what_is_not_done(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), running(stop_timeout=0.5) as server, server.open() as client:
        client.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: server.seen.begun)
        server.stop()
        assert client.seconds < SOON
        assert client.read_to_end().startswith(b"HTTP/1.1 503 ")
    assert not [record for record in caplog.records if record.exc_info]
