"""The client for other web servers meets those that are away, slow, endless, lying and leading astray."""

import asyncio
import logging

import pytest

from conformance.patience import SOON
from dicomweb_server.http.client import WebClient, WebClientOptions, below, with_arguments
from dicomweb_server.services.peers import PeerAwayError, PeerError, WebAddress
from tests.hostile_web import hostile, ok

PATIENT = WebClientOptions(timeout=SOON)


async def asked(url: str, method: str = "GET", path: str = "/x", limit: int = 1000, patience: float = SOON) -> bytes:
    async with WebClient(WebAddress(url), WebClientOptions(timeout=patience)) as web:
        return (await web.ask(method, path, limit=limit)).body


async def test_it_shows_who_it_is_and_what_it_was_told_to_say() -> None:
    async with hostile(ok(b"{}")) as server:
        address = WebAddress(server.url, "user", "secret", {"Token": "abc"})
        async with WebClient(address, PATIENT) as web:
            answer = await web.ask(
                "GET", with_arguments("/studies", {"PatientName": "Ä B&C"}), headers={"accept": "x/y"}
            )
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"{}", "application/json")
    [head] = server.requests
    assert head.startswith("GET /root/studies?PatientName=%C3%84%20B%26C HTTP/1.1\r\n")
    lower = head.lower()
    assert "authorization: basic " in lower
    assert "token: abc\r\n" in lower
    assert "accept: x/y\r\n" in lower
    assert "secret" not in repr(address)
    assert "abc" not in repr(address)


async def test_what_is_asked_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        async with hostile(ok(b"{}")) as server:
            await asked(server.url, path="/studies?PatientID=P1")
    assert "P1" not in caplog.text


async def test_nobody_there_is_away_and_says_so_without_secrets() -> None:
    with pytest.raises(PeerAwayError, match=r"GET http://127\.0\.0\.1:1/: ") as error:
        await asked("http://127.0.0.1:1/")
    assert "no answer" not in str(error.value)


@pytest.mark.parametrize("status", ["400 Bad", "401 Who", "404 None", "409 Conflict"])
async def test_a_refusal_is_final(status: str) -> None:
    async with hostile(ok(b"Doe^Jane", status=status)) as server:
        with pytest.raises(PeerError, match=status[:3]) as error:
            await asked(server.url)
    assert not isinstance(error.value, PeerAwayError)
    assert error.value.status == int(status[:3])
    assert "Doe" not in str(error.value)


@pytest.mark.parametrize("status", ["429 Slow", "500 Broken", "503 Busy"])
async def test_a_server_in_trouble_may_be_asked_again(status: str) -> None:
    async with hostile(ok(b"", status=status)) as server:
        with pytest.raises(PeerAwayError):
            await asked(server.url)


async def test_silence_ends() -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(SOON)

    async with hostile(silent) as server:
        with pytest.raises(PeerAwayError, match="no answer in time"):
            await asked(server.url, patience=0.3)


async def test_an_answer_that_drips_ends() -> None:
    async def dripping(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with hostile(dripping) as server:
        with pytest.raises(PeerAwayError, match="too slowly"):
            await asked(server.url, patience=0.3)


async def test_an_endless_answer_ends() -> None:
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()
            sent += 65536

    async with hostile(endless) as server:
        with pytest.raises(PeerError, match="more than 100000 bytes"):
            await asked(server.url, limit=100_000)
    assert sent < 50_000_000


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\x01\x02\x03",
        b"HTTP/9.9 WHAT\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"",
    ],
)
async def test_what_is_no_http_is_an_error_in_words(answer: bytes) -> None:
    async with hostile(answer) as server:
        with pytest.raises(PeerError, match=r"^GET http://127\.0\.0\.1:\d+/root/: [\w ]+$"):
            await asked(server.url, patience=2)


async def test_a_compressed_answer_that_nobody_asked_for_is_not_inflated() -> None:
    async with hostile(ok(b"x" * 50, more="Content-Encoding: gzip\r\n")) as server:
        with pytest.raises(PeerError, match="Content-Encoding 'gzip'"):
            await asked(server.url)
    assert "accept-encoding: identity" in server.requests[0].lower()


async def test_a_redirection_on_the_same_server_is_followed_but_not_for_ever() -> None:
    moved = ok(b"", status="302 Found", more="Location: /root/there\r\n")
    async with hostile(moved, ok(b"here")) as server:
        assert await asked(server.url) == b"here"
        assert server.requests[1].startswith("GET /root/there ")
    async with hostile(moved) as server:
        with pytest.raises(PeerError, match="more than 5 redirections"):
            await asked(server.url)
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:1/", "https://127.0.0.1/", "//elsewhere.example/", "file:///etc/"]
)
async def test_a_redirection_to_another_server_is_not_followed(target: str) -> None:
    async with hostile(ok(b"", status="302 Found", more=f"Location: {target}\r\n")) as server:
        with pytest.raises(PeerError, match="another server"):
            await asked(server.url)


async def test_what_is_stored_is_not_sent_to_where_only_reading_was_redirected() -> None:
    async with hostile(ok(b"", status="302 Found", more="Location: /root/x\r\n")) as server:
        with pytest.raises(PeerError, match="status 302"):
            await asked(server.url, "POST")
    assert len(server.requests) == 1


async def test_a_connection_that_is_lost_is_tried_once_more_unless_it_would_delete() -> None:
    async with hostile(b"", ok(b"fine")) as server:
        assert await asked(server.url) == b"fine"
    async with hostile(b"", ok(b"fine")) as server:
        with pytest.raises(PeerAwayError):
            await asked(server.url, "DELETE")


@pytest.mark.parametrize("path", ["../etc", "a/../../b", "http://other/", "/%2e%2E/x", "a/./b"])
def test_a_path_does_not_leave_the_root(path: str) -> None:
    with pytest.raises(PeerError, match="below the server's address"):
        below("http://one/root/", path)


def test_paths_are_put_below_the_root() -> None:
    assert below("http://one/root/", "/studies?a=b/../c") == "http://one/root/studies?a=b/../c"
    assert below("http://one/root", "studies") == "http://one/root/studies"
    assert below("http://one/root/", "/") == "http://one/root/"
    assert with_arguments("/x?a=1", {"b": "2"}) == "/x?a=1&b=2"


async def test_a_certificate_that_cannot_be_read_is_named_as_the_problem() -> None:
    with pytest.raises(PeerError, match="certificate or key cannot be read"):
        async with WebClient(WebAddress("https://127.0.0.1:1/", certificate="/nowhere/at-all.pem"), PATIENT):
            pass


async def test_header_fields_that_cannot_be_sent_are_an_error() -> None:
    async with hostile(ok(b"")) as server:
        with pytest.raises(PeerError):
            async with WebClient(WebAddress(server.url, headers={"Bad Name": "x\r\ny"}), PATIENT) as web:
                await web.ask("GET", "/")
