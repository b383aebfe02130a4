"""DICOM over TLS beside the plain listener, both directions, and what it refuses."""

import asyncio
import json
import logging
import shutil
import ssl
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.patience import SOON, until, until_listening
from conformance.server import free_port
from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.query import Query
from dicomweb_server.dimse import handshake
from dicomweb_server.dimse.ending import AssociationRefusedError
from dicomweb_server.dimse.items import ProposedContext, UserInformation
from dicomweb_server.dimse.options import DimseOptions, Modality, TlsClientOptions, TlsOptions
from dicomweb_server.dimse.pdu import AssociateRequest, PduType, encode_request
from dicomweb_server.dimse.scu import ServiceUser
from dicomweb_server.dimse.status import SUCCESS
from tests.app.dimse_harness import (
    AE_TITLE,
    IMPLICIT,
    VERIFICATION,
    Peer,
    complaints,
    healthy,
    needs_dcmtk,
    open_node,
    tool,
    write_files,
)
from tests.app.dimse_peers import fill, study
from tests.worklists import document, item

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@dataclass(frozen=True, slots=True)
class Identity:
    certificate: Path
    key: Path


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """A certificate of 127.0.0.1, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    made = Identity(folder / "certificate.pem", folder / "key.pem")
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", made.key, "-out", made.certificate,
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return made


def options(identity: Identity, *, client: bool = False) -> TlsOptions:
    return TlsOptions(0, identity.certificate, identity.key, identity.certificate if client else None)


@needs_dcmtk
async def test_plain_and_tls_side_by_side(tmp_path: Path, identity: Identity) -> None:
    async with open_node(tmp_path / "store", tls=options(identity)) as node:
        plain, secure = node.server.ports
        trust: list[str | Path] = ["+tla", "+cf", identity.certificate]
        await tool("echoscu", "127.0.0.1", plain)
        await tool("echoscu", *trust, "127.0.0.1", secure)
        folder = write_files(tmp_path / "files", study(4, rows=300, columns=300))
        await tool("storescu", *trust, "+sd", "127.0.0.1", secure, folder)
        assert await node.instances() == 4


@needs_dcmtk
async def test_every_tool_that_knows_tls(tmp_path: Path, identity: Identity) -> None:
    async with open_node(tmp_path / "store", tls=options(identity)) as node:
        secure = node.server.ports[1]
        trust: list[str | Path] = ["+tla", "+cf", identity.certificate]
        where: list[str | int] = ["127.0.0.1", secure]
        await node.services.worklist.schedule(document(item(AccessionNumber="WL1")))
        said = await tool("findscu", *trust, "-W", "-k", "AccessionNumber", *where)
        assert "WL1" in said
        await tool("storescu", *trust, "+sd", *where, write_files(tmp_path / "files", study(2)))
        assert await node.instances() == 2
        (found,) = (await node.services.search.find(Query(Level.STUDY))).matches
        study_uid = json.loads(found.replace(b"\1", b""))["0020000D"]["Value"][0]
        keys = ["-S", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study_uid}"]
        assert study_uid in await tool("findscu", *trust, *keys, *where)


@needs_dcmtk
async def test_client_certificates_where_they_are_asked_for(tmp_path: Path, identity: Identity) -> None:
    async with open_node(tmp_path, tls=options(identity, client=True)) as node:
        secure = node.server.ports[1]
        shown: list[str | Path] = ["+tls", identity.key, identity.certificate, "+cf", identity.certificate]
        await tool("echoscu", *shown, "127.0.0.1", secure)
        said = await tool("echoscu", "+tla", "+cf", identity.certificate, "127.0.0.1", secure, ok=False)
        assert "Received Echo Response (Success)" not in said
        await tool("echoscu", "127.0.0.1", node.port)


@pytest.mark.parametrize("first", [b"\1\0\0\0\0\x10", b"GET / HTTP/1.1\r\n\r\n", bytes(100)])
async def test_plain_bytes_on_the_tls_port(
    tmp_path: Path, identity: Identity, first: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with open_node(tmp_path, tls=options(identity)) as node:
        peer = Peer(*await asyncio.open_connection("127.0.0.1", node.server.ports[1]))
        await peer.send(first)
        await peer.closed(1.0)
        await peer.close()
        assert node.server.associations == 0
        plain = await node.peer()
        await plain.associate()
        await plain.release()
    (line,) = complaints(caplog)
    assert "connection without association" in line
    assert "no TLS: " in line


async def test_a_silent_connection_counts_and_can_be_cut(
    tmp_path: Path, identity: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ends = ["too many connections"] * 2 + ["no TLS: "]
    async with open_node(tmp_path, tls=options(identity), most_connections=4) as node:
        silent = [await asyncio.open_connection("127.0.0.1", node.server.ports[1]) for _ in range(6)]
        await until(lambda: len(complaints(caplog)) == 2)
        silent[2][1].close()
        await until(lambda: len(complaints(caplog)) == len(ends))
        for end, line in zip(ends, complaints(caplog), strict=True):
            assert end in line
        assert await healthy(node)
        async with asyncio.timeout(SOON):
            await node.server.stop()
            for reader, writer in silent:
                with suppress(ConnectionError):
                    assert await reader.read() == b""
                writer.close()


async def test_a_handshake_has_to_end(
    tmp_path: Path, identity: Identity, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(handshake, "_SECONDS", 0.2)
    async with open_node(tmp_path, tls=options(identity)) as node:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.server.ports[1])
        async with asyncio.timeout(SOON):
            assert await reader.read() == b""
        writer.close()
    (line,) = complaints(caplog)
    assert "no TLS: no end of the handshake within 0.2 s" in line


async def test_what_comes_right_behind_the_handshake(tmp_path: Path, identity: Identity) -> None:
    """In the same segment, before the connection is there for it."""
    context = ssl.create_default_context(cafile=str(identity.certificate))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secure = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    request = AssociateRequest(
        AE_TITLE, "RAW", (ProposedContext(1, VERIFICATION, (IMPLICIT,)),), UserInformation(16384, "1.2.3")
    )
    async with open_node(tmp_path, tls=options(identity)) as node:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.server.ports[1])
        with pytest.raises(ssl.SSLWantReadError):
            secure.do_handshake()
        async with asyncio.timeout(SOON):
            while True:
                writer.write(outgoing.read())
                incoming.write(await reader.read(65536))
                try:
                    secure.do_handshake()
                except ssl.SSLWantReadError:
                    continue
                break
            secure.write(encode_request(request))
            writer.write(outgoing.read())  # with the end of the handshake
            while True:
                incoming.write(await reader.read(65536))
                try:
                    answer = secure.read(65536)
                except ssl.SSLWantReadError:
                    continue
                break
        assert answer[0] == PduType.ASSOCIATE_AC
        writer.close()


async def test_nothing_older_than_tls_1_2(tmp_path: Path, identity: Identity) -> None:
    async with open_node(tmp_path, tls=options(identity)) as node:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context.minimum_version, context.maximum_version = version, version
            _, writer = await asyncio.open_connection("127.0.0.1", node.server.ports[1], ssl=context)
            assert writer.get_extra_info("ssl_object").version() == version.name.replace("_", ".")
            writer.close()
            await writer.wait_closed()
        context.set_ciphers("AES128-SHA:@SECLEVEL=0")  # no forward secrecy
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", node.server.ports[1], ssl=context)


async def test_a_certificate_that_cannot_be_read(tmp_path: Path, identity: Identity) -> None:
    with pytest.raises(OSError):
        async with open_node(tmp_path, tls=TlsOptions(0, tmp_path / "none.pem", identity.key)):
            pass


@pytest.mark.parametrize("trusted", [True, False])
async def test_we_ask_over_tls_and_check_who_answers(tmp_path: Path, identity: Identity, trusted: bool) -> None:
    async with open_node(tmp_path, tls=options(identity)) as node:
        archive = Modality(AE_TITLE, "127.0.0.1", node.server.ports[1], tls=True)
        client = TlsClientOptions(identity.certificate if trusted else None)
        user = ServiceUser(node.services, DimseOptions(tls_client=client))
        if trusted:
            assert await user.echo(archive) == SUCCESS
            return
        with pytest.raises(AssociationRefusedError, match="certificate"):
            await user.echo(archive)


@needs_dcmtk
async def test_moving_over_tls(tmp_path: Path, identity: Identity) -> None:
    port = free_port()
    modalities = {"sink": Modality("SINK", "127.0.0.1", port, tls=True)}
    client = TlsClientOptions(identity.certificate)
    async with open_node(tmp_path / "store", modalities=modalities, tls_client=client) as node:
        sent = await fill(node, *study(3))
        out = tmp_path / "out"
        await asyncio.to_thread(out.mkdir)
        command = ["storescp", "+tls", identity.key, identity.certificate, "-ic", "-od", out, "-aet", "SINK", port]
        storescp = await asyncio.create_subprocess_exec(*map(str, command))
        await until_listening(port)
        try:
            await tool(
                "movescu", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={sent[0].StudyInstanceUID}",
                "-aem", "SINK", "127.0.0.1", node.port,
            )  # fmt: skip
        finally:
            storescp.terminate()
            await storescp.wait()
        assert len(await asyncio.to_thread(lambda: list(out.iterdir()))) == 3
