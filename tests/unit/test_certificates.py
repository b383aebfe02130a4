"""Certificate files that are replaced while a server listens, with the event loop of Python and with uvloop."""

import asyncio
import shutil
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from dicomweb_server.certificates import RenewedContext, checking_context
from tests.certificates import Authority, Identity

LOOPS = [asyncio.new_event_loop]
try:
    import uvloop
except ImportError:
    pass
else:
    LOOPS.append(uvloop.new_event_loop)


class Files:
    """The files of a listener, which can be replaced."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.key, self.client_ca = (folder / name for name in ("own.pem", "own.key", "ca.pem"))

    def put(self, identity: Identity, authority: Authority) -> None:
        for source, target in zip(
            (identity.certificate, identity.key, authority.certificate),
            (self.certificate, self.key, self.client_ca),
            strict=True,
        ):
            shutil.copyfile(source, target.with_suffix(".new"))
            target.with_suffix(".new").replace(target)

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        context.load_verify_locations(self.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def renewed(self) -> RenewedContext:
        return RenewedContext(self.context, (self.certificate, self.key, self.client_ca, None))


async def answered(port: int, authority: Authority, shown: Identity) -> bool:
    """Whether a peer with this certificate, who trusts that authority, is answered."""
    context = checking_context(ssl.Purpose.SERVER_AUTH, authority.certificate)
    context.load_cert_chain(shown.certificate, shown.key)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    except (ssl.SSLError, ConnectionError):
        return False
    return answer == b"hello"


async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        writer.write(b"hello")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    except (ssl.SSLError, ConnectionError):
        return


@pytest.mark.parametrize("make_loop", LOOPS)
def test_who_connects_after_a_change_meets_the_new_files(
    tmp_path: Path, make_loop: Callable[[], asyncio.AbstractEventLoop], caplog: pytest.LogCaptureFixture
) -> None:
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    ours_old, theirs_old = old.identity("ours-old"), old.identity("theirs-old")
    ours_new, theirs_new = new.identity("ours-new"), new.identity("theirs-new")
    files = Files(tmp_path)

    async def run() -> None:
        files.put(ours_old, old)
        server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=files.renewed())
        port = server.sockets[0].getsockname()[1]
        assert await answered(port, old, theirs_old)
        assert not await answered(port, old, theirs_new)
        shutil.copyfile(ours_new.certificate, files.certificate)  # not yet its key
        assert await answered(port, old, theirs_old)
        files.put(ours_new, new)
        assert await answered(port, new, theirs_new)
        assert not await answered(port, new, theirs_old)
        files.key.unlink()
        assert await answered(port, new, theirs_new)
        server.close()

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(run())
    told = [record.message for record in caplog.records if record.name == "dicomweb_server.certificates"]
    assert told == ["certificates not taken", "certificates not taken"]


def test_files_that_cannot_be_used_at_the_start_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Files(tmp_path).renewed()


@pytest.mark.parametrize("purpose", [ssl.Purpose.SERVER_AUTH, ssl.Purpose.CLIENT_AUTH])
def test_every_python_checks_alike(purpose: ssl.Purpose) -> None:
    flags = checking_context(purpose).verify_flags
    assert not flags & ssl.VERIFY_X509_STRICT
    assert flags & ssl.VERIFY_X509_PARTIAL_CHAIN


async def test_a_certificate_is_trusted_that_is_not_an_authority_s(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours, theirs = authority.identity("ours"), authority.identity("theirs")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(ours.certificate, ours.key)
    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    for pinned, is_trusted in ((ours, True), (theirs, False)):
        client = checking_context(ssl.Purpose.SERVER_AUTH, pinned.certificate)
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
            writer.close()
        except ssl.SSLError:
            assert not is_trusted
        else:
            assert is_trusted
    server.close()
    await server.wait_closed()
