"""Configured web remotes, Orthanc's peers and DICOMweb servers: how a configuration writes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from dicomweb_server.errors import ServerError
from dicomweb_server.ports.remotes import DicomWebServer, OrthancPeer
from dicomweb_server.services import orthanc_remotes as codecs
from dicomweb_server.services.remotes import Codec
from dicomweb_server.settings.tables import as_table

T = TypeVar("T")

_NAMES = {
    "url": "Url",
    "username": "Username",
    "password": "Password",
    "headers": "HttpHeaders",
    "certificate": "CertificateFile",
    "key": "CertificateKeyFile",
    "key_password": "CertificateKeyPassword",
    "timeout": "Timeout",
    "chunked": "ChunkedTransfers",
    "deletes": "HasDelete",
    "any_transfer_syntax": "HasWadoRsUniversalTransferSyntax",
}


@dataclass(frozen=True, slots=True)
class WebRemotes(Generic[T]):
    """A table of remotes by name, in our words or in Orthanc's; as text `NAME=URL` separated by commas."""

    allowed: str
    codec: Codec[T]

    def read(self, raw: object) -> dict[str, T]:
        """The remotes by name."""
        table = as_table(raw, lambda _, url: {"url": url})
        return {name: self._remote(name, value) for name, value in table.items()}

    def _remote(self, name: str, raw: object) -> T:
        if isinstance(raw, Mapping):
            raw = {_NAMES.get(str(member), str(member)): value for member, value in raw.items()}
        try:
            self.codec.check_name(name)
            return self.codec.read(raw)
        except ServerError as error:
            raise ValueError(f"{name}: {error.detail}") from None


_ADDRESS = "url, username, password, headers, certificate, key, key_password, timeout"

PEERS: WebRemotes[OrthancPeer] = WebRemotes(
    f"a table of name = {{ {_ADDRESS} }} (as text: NAME=URL, separated by commas)", codecs.PEERS
)
SERVERS: WebRemotes[DicomWebServer] = WebRemotes(
    f"a table of name = {{ {_ADDRESS}, chunked, deletes, any_transfer_syntax }} "
    "(as text: NAME=URL, separated by commas)",
    codecs.SERVERS,
)
