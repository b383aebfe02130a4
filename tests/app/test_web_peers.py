"""Other DICOMweb servers and Orthanc's peers, as our clients meet them: well-behaved, failing and hostile."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from conformance.patience import SOON
from dicomweb_server.dicomweb.client import DicomWebClient
from dicomweb_server.dicomweb.client import connected as dicomweb_connected
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.client import WebClientOptions
from dicomweb_server.rest.client import connected as orthanc_connected
from dicomweb_server.services.peers import (
    DicomWebServer,
    OrthancPeer,
    PeerAwayError,
    PeerError,
    PeerTransfer,
    Received,
    Sent,
    WebAddress,
)
from dicomweb_server.services.retrieve import Scope, StoredInstance
from tests.app.dicomweb_harness import Archive, Instance, multipart_body, open_archive
from tests.builders import make_instance
from tests.hostile_web import Hostile, hostile, ok

PATIENT = WebClientOptions(timeout=SOON)
RELATED = 'multipart/related; type="application/dicom"; boundary=frontier'


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path) as opened:
        yield opened


@asynccontextmanager
async def client(archive: Archive, server: Hostile, most: int = 1 << 20) -> AsyncIterator[DicomWebClient]:
    services = archive.services
    known = DicomWebServer(WebAddress(server.url))
    async with dicomweb_connected(known, PATIENT, services.retrieve, services.ingest, most) as opened:
        yield opened


async def stored(archive: Archive, *files: bytes) -> tuple[list[Instance], list[StoredInstance]]:
    added = await archive.add(*files)
    return added, [await archive.services.retrieve.instance(Scope(one.study, one.series, one.uid)) for one in added]


def answer_of(*referenced: str, failed: tuple[str, ...] = ()) -> bytes:
    def items(uids: tuple[str, ...]) -> dict[str, Any]:
        reason = {"00081197": {"vr": "US", "Value": [0x0122]}}
        return {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": [uid]}} | reason for uid in uids]}

    return json.dumps({"00081199": items(referenced), "00081198": items(failed)}).encode()


async def store(archive: Archive, answer: bytes, *files: bytes) -> tuple[list[Instance], Sent, Hostile]:
    added, instances = await stored(archive, *files)
    async with hostile(answer) as server, client(archive, server) as web:
        return added, await web.store(instances), server


async def test_a_store_request_has_the_files_and_its_length(archive: Archive) -> None:
    files = [make_instance(), make_instance()]
    added, sent, server = await store(archive, ok(answer_of("1"), "application/dicom+json"), *files)
    assert sent == Sent(2, {}, len(server.bodies[0]))
    assert "content-length: " in server.requests[0].lower()
    boundary = server.requests[0].partition("boundary=")[2].partition("\r\n")[0]
    assert server.bodies[0] == multipart_body(*files, boundary=boundary)
    assert len(added) == 2


async def test_what_the_server_refused_is_told_by_instance(archive: Archive) -> None:
    _, instances = await stored(archive, make_instance(), make_instance())
    uids = [one.instance_uid for one in instances]
    body = answer_of(uids[0], failed=(uids[1], "1.2.3"))
    async with hostile(ok(body, status="202 Accepted")) as server, client(archive, server) as web:
        sent = await web.store(instances)
    assert (sent.completed, dict(sent.failed)) == (1, {uids[1]: "failure reason 0122H"})


@pytest.mark.parametrize(
    "body", [b"", b"<NativeDicomModel/>", b"[]", b'{"00081199": 5}', b'{"00081198": {"Value": [1]}}']
)
async def test_without_a_word_about_an_instance_the_status_decides(archive: Archive, body: bytes) -> None:
    _, sent, _ = await store(archive, ok(body), make_instance())
    assert (sent.completed, sent.failed) == (1, {})
    _, sent, _ = await store(archive, ok(body, status="409 Conflict"), make_instance())
    assert (sent.completed, list(sent.failed.values())) == (0, ["the server answered with status 409"])


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (ok(b"{", status="200 OK"), PeerError),
        (ok(b"", status="403 Forbidden"), PeerError),
        (ok(b"", status="503 Busy"), PeerAwayError),
        (b"", PeerAwayError),
    ],
)
async def test_a_store_request_that_comes_to_nothing_is_an_error(
    archive: Archive, answer: bytes, kind: type[PeerError]
) -> None:
    with pytest.raises(PeerError) as error:
        await store(archive, answer, make_instance())
    assert type(error.value) is kind


async def fetched(archive: Archive, answer: Any, most: int = 1 << 20) -> tuple[Received, list[Received]]:
    told: list[Received] = []
    async with hostile(answer) as server, client(archive, server, most) as web:
        received = await web.retrieve("/studies/1.2", {"x-token": "1"}, told.append)
    assert 'type="application/dicom"; transfer-syntax=*' in server.requests[0]
    assert "x-token: 1" in server.requests[0]
    return received, told


async def test_what_is_fetched_is_stored(archive: Archive) -> None:
    files = [make_instance(), make_instance(), b"no DICOM"]
    body = multipart_body(*files)
    received, told = await fetched(archive, ok(body, RELATED))
    assert received == Received(2, 1, len(body))
    assert [one.completed for one in told] == [1, 2, 3]
    assert (await archive.get("/instances", "application/dicom+json")).json()[1]


async def test_one_instance_may_come_alone(archive: Archive) -> None:
    file = make_instance()
    received, _ = await fetched(archive, ok(file, "application/dicom"))
    assert received == Received(1, 0, len(file))


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (ok(b"[]", "application/dicom+json"), r"answered with application/dicom\+json"),
        (ok(b"x", 'multipart/related; type="image/jpeg"; boundary=b'), "answered with image/jpeg"),
        (ok(b"x", RELATED), "no line with the boundary"),
        (ok(b"x", 'multipart/related; type="application/dicom"'), "boundary"),
        (ok(b"x", "///"), "cannot be read"),
        (ok(multipart_body(b"x")[:-20], RELATED), "without the closing delimiter"),
        (ok(b"x" * 2_000_000, RELATED), "begins with what is no part of it"),
        (ok(b"--frontier\r\n" + b"a: b\r\n" * 10_000, RELATED), "header of part 1"),
        (ok(b"", RELATED, status="404 Not Found"), "status 404"),
    ],
)
async def test_an_answer_without_instances_is_an_error(archive: Archive, answer: bytes, problem: str) -> None:
    with pytest.raises(PeerError, match=problem):
        await fetched(archive, answer)


async def test_whole_instances_of_a_broken_answer_are_kept(archive: Archive) -> None:
    file = make_instance()
    body = multipart_body(*[file] * 70)[:-30]
    with pytest.raises(PeerError):
        await fetched(archive, ok(body, RELATED))
    assert len((await archive.get("/instances", "application/dicom+json")).json()) == 1


async def test_an_instance_that_does_not_end_is_given_up(archive: Archive) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {RELATED}\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head.encode() + b"e\r\n--frontier\r\n\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()

    with pytest.raises(PeerError, match="exceeds 1048576 bytes"):
        await fetched(archive, endless)


async def test_other_requests_are_passed_through(archive: Archive) -> None:
    async with hostile(ok(b"[1]"), ok(b"")) as server, client(archive, server) as web:
        async with web.answer("GET", "/studies?limit=1", headers={"accept": "a/b"}) as answer:
            assert b"".join([piece async for piece in answer.pieces(10)]) == b"[1]"
        await web.delete("/studies/1.2")
    assert [head.split(" HTTP")[0] for head in server.requests] == [
        "GET /root/studies?limit=1",
        "DELETE /root/studies/1.2",
    ]


async def posted(archive: Archive, answer: bytes, transfer: PeerTransfer, *files: bytes) -> tuple[Sent, Hostile]:
    _, instances = await stored(archive, *files)
    async with hostile(answer) as server:
        peer = OrthancPeer(WebAddress(server.url))
        async with orthanc_connected(
            peer, PATIENT, archive.services.retrieve, archive.services.transcoding, transfer
        ) as web:
            return await web.store(instances), server


async def test_a_peer_gets_the_files_one_by_one(archive: Archive) -> None:
    files = [make_instance() for _ in range(6)]
    sent, server = await posted(archive, ok(b'{"Status": "Success"}'), PeerTransfer(), *files)
    assert sent == Sent(6, {}, sum(map(len, files)))
    assert sorted(server.bodies) == sorted(files)
    assert all(head.startswith("POST /root/instances ") for head in server.requests)


async def test_a_peer_may_get_them_compressed(archive: Archive) -> None:
    file = make_instance()
    _, server = await posted(archive, ok(b'[{"Status": "AlreadyStored"}]'), PeerTransfer(compress=True), file)
    assert gzip.decompress(server.bodies[0]) == file
    assert "content-encoding: gzip" in server.requests[0].lower()


async def test_a_peer_may_get_them_in_another_transfer_syntax(archive: Archive) -> None:
    _, server = await posted(archive, ok(b'{"Status": "Success"}'), PeerTransfer("1.2.840.10008.1.2"), make_instance())
    assert b"1.2.840.10008.1.2\0" in server.bodies[0]
    _, server = await posted(archive, ok(b"{}"), PeerTransfer("1.2.840.10008.1.2.4.201"), make_instance())
    assert b"1.2.840.10008.1.2.4.201\0" in server.bodies[0]
    sent, server = await posted(archive, ok(b"{}"), PeerTransfer("1.2.840.10008.1.2.4.102"), make_instance())
    assert "cannot be sent" in next(iter(sent.failed.values()))
    assert not server.requests


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"Status": 5}', b'{"Status": "Failure"}'])
async def test_what_a_peer_does_not_confirm_has_failed(archive: Archive, body: bytes) -> None:
    sent, _ = await posted(archive, ok(body), PeerTransfer(), make_instance())
    told = "Failure" if b"Failure" in body else "nothing"
    assert list(sent.failed.values()) == [f"the peer did not store it, but answered {told}"]


async def test_a_peer_that_refuses_is_not_one_that_is_away(archive: Archive) -> None:
    sent, _ = await posted(archive, ok(b"", status="400 Bad"), PeerTransfer(), make_instance())
    assert "status 400" in next(iter(sent.failed.values()))
    with pytest.raises(PeerAwayError):
        await posted(archive, ok(b"", status="503 Busy"), PeerTransfer(), *[make_instance() for _ in range(9)])


async def test_what_is_damaged_here_is_told_as_that(archive: Archive) -> None:
    _, instances = await stored(archive, make_instance(), make_instance())
    await archive.store.blobs.remove([instances[1].key])
    async with hostile(ok(b"{}")) as server, client(archive, server) as web:
        with pytest.raises(ServerError) as error:
            await web.store(instances)
    assert error.value.reason is Reason.STORAGE_DAMAGED
    async with hostile(ok(b'{"Status": "Success"}')) as server:
        peer, services = OrthancPeer(WebAddress(server.url)), archive.services
        connection = orthanc_connected(peer, PATIENT, services.retrieve, services.transcoding, PeerTransfer())
        async with connection as web_peer:
            sent = await web_peer.store(instances)
    assert (sent.completed, list(sent.failed)) == (1, [instances[1].instance_uid])
