"""Other web servers over TLS: who is trusted, and what we show of ourselves."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from dicomweb_server.http.client import WebClient, WebClientOptions
from dicomweb_server.services.peers import PeerAwayError, PeerError, WebAddress
from tests.hostile_web import hostile, ok

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1, signed by itself, and its key: as it is, and locked by a password."""
    made = tmp_path_factory.mktemp("tls")
    for command in (
        [
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "certificate.pem"),
        ],
        ["rsa", "-aes256", "-passout", "pass:hush", "-in", "key.pem", "-out", "locked.pem"],
    ):
        subprocess.run(["openssl", *command], check=True, capture_output=True, cwd=made)
    return made


def served(folder: Path, *, asks: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    if asks:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "certificate.pem")
    return context


async def asked(address: WebAddress, options: WebClientOptions) -> bytes:
    async with WebClient(address, options) as web:
        return (await web.ask("GET", "/")).body


async def test_a_server_is_trusted_if_somebody_known_has_signed_its_certificate(folder: Path) -> None:
    async with hostile(ok(b"fine"), tls=served(folder)) as server:
        address = WebAddress(server.url)
        with pytest.raises(
            PeerError, match="certificate of the server is not trusted: self-signed certificate"
        ) as error:
            await asked(address, WebClientOptions())
        assert not isinstance(error.value, PeerAwayError)
        assert await asked(address, WebClientOptions(ca=folder / "certificate.pem")) == b"fine"
        assert await asked(address, WebClientOptions(verify=False)) == b"fine"


async def test_we_show_a_certificate_where_one_is_wanted(folder: Path) -> None:
    options = WebClientOptions(ca=folder / "certificate.pem")
    async with hostile(ok(b"fine"), tls=served(folder, asks=True)) as server:
        with pytest.raises(PeerError):
            await asked(WebAddress(server.url), options)
        shown = WebAddress(server.url, certificate=str(folder / "certificate.pem"), key=str(folder / "key.pem"))
        assert await asked(shown, options) == b"fine"
        locked = WebAddress(
            server.url,
            certificate=str(folder / "certificate.pem"),
            key=str(folder / "locked.pem"),
            key_password="hush",
        )
        assert await asked(locked, options) == b"fine"


async def test_a_key_that_cannot_be_opened_is_named_as_the_problem(folder: Path) -> None:
    for password in ("", "wrong"):
        address = WebAddress(
            "https://127.0.0.1:1/",
            certificate=str(folder / "certificate.pem"),
            key=str(folder / "locked.pem"),
            key_password=password,
        )
        with pytest.raises(PeerError, match="a certificate or key cannot be read"):
            await asked(address, WebClientOptions())
