"""HTTP that lies, stalls, overflows or goes away in the middle."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from conformance.hostile.conftest import MAX_REQUEST, PATIENCE
from conformance.multipart import encode
from conformance.patience import SOON, wait_until
from conformance.raw_http import exchange, leave, request
from conformance.requirement import requires
from conformance.samples import make, sample
from conformance.server import Server
from conformance.service import JSON, Service

TYPE = 'Content-Type: multipart/related; type="application/dicom"; boundary=b'
START = b"--b\r\nContent-Type: application/dicom\r\n\r\n"
CLOSED = (0,)


def post(service: Service, *fields: str) -> bytes:
    return request(service.root, "POST", "/studies", TYPE, *fields)


@requires("Hostile input: declared sizes", "B")
@pytest.mark.parametrize(
    "length", ["9223372036854775808", "9223372036854775807", "99999999999999999999", str(MAX_REQUEST + 1)]
)
def test_a_huge_content_length_is_refused_before_the_body(service: Service, length: str) -> None:
    answer = exchange(service.root, [post(service, f"Content-Length: {length}"), START])
    assert answer.status in (400, 413)  # not 408, which comes after PATIENCE


@requires("Hostile input: declared sizes", "B")
@pytest.mark.parametrize("length", ["-1", "abc", "1.5", "0x10", "+5", "", "1, 2"])
def test_a_malformed_content_length_is_refused(service: Service, length: str) -> None:
    assert exchange(service.root, [post(service, f"Content-Length: {length}"), START]).status in (400, *CLOSED)


@requires("Hostile input: request smuggling", "B")
@pytest.mark.parametrize(
    "fields",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: xchunked",),
    ],
)
def test_a_body_of_two_lengths_is_refused(service: Service, fields: tuple[str, ...]) -> None:
    assert exchange(service.root, [post(service, *fields), b"0\r\n\r\nX"]).status in (400, 411, 415, 501, *CLOSED)


@requires("Hostile input: declared sizes", "B")
def test_a_gigabyte_declared_and_a_kilobyte_sent_is_cut_soon(service: Service) -> None:
    answer = exchange(service.root, [post(service, f"Content-Length: {MAX_REQUEST}"), START, bytes(1024)])
    assert answer.status in (400, 408, *CLOSED)


@requires("Hostile input: declared sizes", "B")
def test_a_body_that_ends_before_its_length_is_refused(service: Service) -> None:
    answer = exchange(service.root, [post(service, "Content-Length: 100000"), START, bytes(1024)], close=True)
    assert answer.status in (400, 408, *CLOSED)


@requires("Hostile input: declared sizes", "B")
def test_a_chunked_body_without_end_answers_413(service: Service) -> None:
    chunk = bytes(1 << 20)

    def pieces() -> Iterator[bytes]:
        yield post(service, "Transfer-Encoding: chunked")
        yield b"%x\r\n%s\r\n" % (len(START), START)
        for _ in range(2 * MAX_REQUEST >> 20):
            yield b"%x\r\n%s\r\n" % (len(chunk), chunk)

    assert exchange(service.root, pieces(), wait=2 * SOON).status in (413, *CLOSED)


@requires("Hostile input: declared sizes", "B")
@pytest.mark.parametrize(
    "chunk", [b"zz\r\n", b"-5\r\n", b"ffffffffffffffff1\r\n", b"5\r\nabcdeX", b"5;" + b"x" * 100_000]
)
def test_a_broken_chunk_is_refused(service: Service, chunk: bytes) -> None:
    answer = exchange(service.root, [post(service, "Transfer-Encoding: chunked"), chunk])
    assert answer.status in (400, 408, 413, *CLOSED)


@requires("Hostile input: slow clients", "B")
@pytest.mark.parametrize(
    "pieces", [[b""], [b"GET / HT"], [b"GET / HTTP/1.1\r\nHost: a\r\n"]], ids=["silent", "half", "open"]
)
def test_a_header_that_does_not_come_is_cut(service: Service, pieces: list[bytes]) -> None:
    answer = exchange(service.root, pieces)
    assert answer.status in (408, *CLOSED)


def is_cut(service: Service, first: bytes, then: bytes) -> bool:
    """Whether a client that sends a little now and then is cut while it does."""
    left = int(SOON / PATIENCE * 4)

    def pieces() -> Iterator[bytes]:
        nonlocal left
        yield first
        while left:
            left -= 1
            time.sleep(PATIENCE / 4)
            yield then

    return exchange(service.root, pieces()).status in (408, *CLOSED) and left > 0


@requires("Hostile input: slow clients", "B")
def test_a_header_that_trickles_is_cut(service: Service) -> None:
    assert is_cut(service, b"GET / HTTP/1.1\r\n", b"X: y\r\n")


@requires("Hostile input: slow clients", "B")
def test_a_body_that_trickles_is_cut(service: Service) -> None:
    assert is_cut(service, post(service, "Content-Length: 1000000") + START, b"x")


@requires("Hostile input: slow clients", "B")
def test_silent_clients_do_not_keep_others_out(service: Service) -> None:
    def seconds_among_silent_ones() -> float:
        url = urlsplit(service.root)
        silent = [socket.create_connection((url.hostname or "", url.port or 80)) for _ in range(200)]
        try:
            response = service.get("/studies?limit=1", accept=JSON)
            assert response.status_code == 200
            return response.elapsed.total_seconds()
        finally:
            for connection in silent:
                connection.close()

    # Sooner than they are cut. Three times, since other work on the machine may keep us waiting.
    assert min(seconds_among_silent_ones() for _ in range(3)) < PATIENCE


@requires("Hostile input: disconnects", "B")
@pytest.mark.parametrize("sent", [0, 10, 200, 700])
def test_a_client_that_leaves_in_the_middle_stores_nothing(service: Service, sent: int) -> None:
    one = sample(make())
    whole = encode([("Content-Type: application/dicom", one.data)], "b")
    for _ in range(20):
        leave(service.root, [post(service, f"Content-Length: {len(whole)}"), whole[:sent]])
    time.sleep(0.2)
    assert service.get(one.path).status_code == 404


@requires("Hostile input: disconnects", "B")
def test_clients_that_leave_in_the_middle_leave_no_files(server: Server | None, service: Service) -> None:
    if server is None:
        pytest.skip("the folder of this server is not known")
    data = bytes(4 << 20)
    for _ in range(5):
        leave(service.root, [post(service, f"Content-Length: {2 * len(data)}"), START, data])
    spool = server.data / "spool"
    wait_until(lambda: not [path for path in spool.glob("*") if path.is_file()])


@requires("Hostile input: interrupted downloads", "B")
@pytest.mark.parametrize("read", [0, 100, 100_000])
def test_a_client_that_leaves_a_download_does_no_harm(service: Service, read: int) -> None:
    one = sample(make(EncapsulatedDocument=bytes(8 << 20)))
    service.store(one.data)
    for _ in range(10):
        leave(service.root, [request(service.root, "GET", one.path[len("") :])], read=read)
    assert service.get(one.path).status_code == 200


@requires("Hostile input: many clients", "B")
def test_clients_that_store_and_leave_at_once_do_no_harm(service: Service) -> None:
    whole = encode([("Content-Type: application/dicom", sample(make()).data)], "b")
    head = post(service, f"Content-Length: {len(whole)}")
    workers = [threading.Thread(target=leave, args=(service.root, [head, whole])) for _ in range(50)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert service.get("/studies?limit=1", accept=JSON).status_code == 200


@requires("Hostile input: header limits", "B")
@pytest.mark.parametrize(
    "field",
    ["X-Long: " + "x" * 200_000, "\r\n".join(f"X-{number}: y" for number in range(5000)), "x" * 100_000],
    ids=["a long field", "many fields", "no colon"],
)
def test_a_header_beyond_the_limits_is_refused(service: Service, field: str) -> None:
    answer = exchange(service.root, [request(service.root, "GET", "/studies?limit=1", field)])
    assert answer.status in (400, 413, 414, 431, *CLOSED)


@requires("Hostile input: header limits", "B")
def test_a_very_long_path_is_refused(service: Service) -> None:
    answer = exchange(service.root, [request(service.root, "GET", "/studies/" + "1." * 100_000)])
    assert answer.status in (400, 404, 414, 431, *CLOSED)


@requires("Hostile input: wrong protocols", "B")
@pytest.mark.parametrize(
    "data",
    [
        b"\x01\0\0\0\0\xca" + bytes(202),
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(300),
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        bytes(range(256)) * 20,
        b"GET http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
    ],
    ids=["dicom", "tls", "ssh", "http2", "noise", "a broken url", "a new version", "empty lines"],
)
def test_another_protocol_is_closed_soon(service: Service, data: bytes) -> None:
    assert exchange(service.root, [data]).status in (400, 404, 405, 408, 426, 505, *CLOSED)


@requires("Hostile input: request smuggling", "B")
@pytest.mark.parametrize("host", ["", "a b", "a\tb", "a/../b", "<script>", "a:b:c", "x" * 5000])
def test_an_odd_host_is_refused_or_escaped(service: Service, host: str) -> None:
    url = urlsplit(service.root)
    text = f"GET {url.path}/studies?limit=1 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    answer = exchange(service.root, [text])
    assert answer.status in (200, 204, 400, 421, *CLOSED)


@requires("Hostile input: header injection", "B")
@pytest.mark.parametrize(
    "path", ["/studies/%0d%0aX-Evil:%201", "/studies?PatientID=%0d%0aX-Evil:%201", "/%0d%0aX-Evil: 1"]
)
def test_a_line_end_in_the_url_never_reaches_a_header(service: Service, path: str) -> None:
    assert "x-evil" not in {name.lower() for name in service.get(path).headers}


@requires("Hostile input: error pages", "B")
@pytest.mark.parametrize("path", ["/<script>alert(1)</script>", "/studies/<script>", "/studies?limit=<script>"])
def test_an_error_is_never_html(service: Service, path: str) -> None:
    assert "html" not in service.get(path, accept="text/html,*/*").headers.get("content-type", "")


@requires("Hostile input: header snapshot", "B")
@pytest.mark.parametrize("path", ["/studies?limit=1", "/studies/1.2.3/metadata"])
def test_browsers_are_told_not_to_guess_types(service: Service, path: str) -> None:
    assert service.get(path).headers.get("x-content-type-options") == "nosniff"


@requires("Hostile input: method override", "B")
@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_get_never_deletes(service: Service, witness: str, header: str) -> None:
    service.get(witness, headers={header: "DELETE"})
    assert service.get(witness + "?_method=DELETE").status_code == 200


@requires("Hostile input: privacy of logs", "B")
def test_no_patient_data_reach_the_log(server: Server | None, service: Service) -> None:
    if server is None:
        pytest.skip("the log of this server is not known")
    marker = "Zzyzxmarker"
    one = sample(make(PatientName=f"{marker}^One", PatientID=marker, StudyDescription=marker, AccessionNumber=marker))
    service.store(one.data, one.data[:-40], path="/studies")
    service.store(one.data, path="/studies/1.2.3")
    for query in (
        f"PatientName={marker}",
        f"StudyDate={marker}",
        f"limit={marker}",
        f"{marker}=1",
        f"includefield={marker}",
    ):
        service.get(f"/studies?{query}", accept=JSON)
    service.get(f"/studies/{marker}/metadata")
    service.get(one.path, accept=f"application/{marker}")
    assert not re.search(marker, server.output(), re.IGNORECASE)
