"""PURE: web remotes in the JSON of Orthanc's configuration and REST API, as values and back, with secrets or not."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.remotes import DicomWebServer, OrthancPeer, RemoteKind, WebAddress
from dicomweb_server.services.remotes import Codec

_ADDRESS_MEMBERS = frozenset(
    {
        *("Url", "URL", "Username", "Password", "HttpHeaders", "Timeout", "Pkcs11"),
        *("CertificateFile", "CertificateKeyFile", "CertificateKeyPassword"),
    }
)
_SERVER_MEMBERS = _ADDRESS_MEMBERS | {"ChunkedTransfers", "HasDelete", "HasWadoRsUniversalTransferSyntax"}
_MOST_SECONDS = 86_400


def read_peer(raw: Any) -> OrthancPeer:
    """A peer; ServerError(BAD_REQUEST)."""
    members = _members(raw)
    return OrthancPeer(_address(members), _properties(members, _ADDRESS_MEMBERS))


def read_server(raw: Any) -> DicomWebServer:
    """A DICOMweb server; ServerError(BAD_REQUEST)."""
    members = _members(raw)
    return DicomWebServer(
        _address(members),
        chunked=_flag(members, "ChunkedTransfers", default=True),
        deletes=_flag(members, "HasDelete", default=False),
        any_syntax=_flag(members, "HasWadoRsUniversalTransferSyntax", default=True),
        properties=_properties(members, _SERVER_MEMBERS),
    )


def written_peer(peer: OrthancPeer) -> dict[str, Any]:
    """A peer with its secrets, to be kept."""
    return {**peer.properties, **_written_address(peer.address)}


def written_server(server: DicomWebServer) -> dict[str, Any]:
    """A server with its secrets, to be kept."""
    return {**server.properties, **_written_address(server.address), **_server_flags(server)}


def shown_peer(peer: OrthancPeer) -> dict[str, Any]:
    """A peer for everyone to see."""
    return {**peer.properties, **_shown_address(peer.address)}


def shown_server(server: DicomWebServer) -> dict[str, Any]:
    """A server for everyone to see."""
    return {**server.properties, **_shown_address(server.address), **_server_flags(server)}


PEERS = Codec(RemoteKind.PEER, read_peer, written_peer)
SERVERS = Codec(RemoteKind.DICOMWEB, read_server, written_server, plain_names=False)


def _members(raw: Any) -> Mapping[str, Any]:
    """Of an object; a list is an URL with or without user and password."""
    if isinstance(raw, list) and len(raw) in (1, 3):
        return dict(zip(("Url", "Username", "Password"), raw, strict=False))
    if not isinstance(raw, dict):
        raise _wrong('a JSON object with Url, or a list ["URL"] or ["URL", "user", "password"]')
    return raw


def _address(members: Mapping[str, Any]) -> WebAddress:
    url, username, password = _split(_text(members, "Url") or _text(members, "URL"))
    if _flag(members, "Pkcs11", default=False):
        raise _wrong("Pkcs11 false: hardware keys are not supported")
    headers = members.get("HttpHeaders", {})
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise _wrong("HttpHeaders: an object of texts")
    timeout = members.get("Timeout", 0)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 <= timeout <= _MOST_SECONDS:
        raise _wrong(f"Timeout: seconds, from 0 to {_MOST_SECONDS}")
    return WebAddress(
        url,
        _text(members, "Username") or username,
        _text(members, "Password") or password,
        headers,
        _text(members, "CertificateFile"),
        _text(members, "CertificateKeyFile"),
        _text(members, "CertificateKeyPassword"),
        float(timeout),
    )


def _split(url: str) -> tuple[str, str, str]:
    """An URL without what is secret in it, and the user and password that were."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or any(c <= " " for c in url):
        raise _wrong("Url: a text that begins with http:// or https:// and names a server")
    netloc = f"[{host}]" if ":" in host else host
    netloc += f":{port}" if port is not None else ""
    bare = urlunsplit((parts.scheme, netloc, parts.path or "/", "", ""))
    return bare, unquote(parts.username or ""), unquote(parts.password or "")


def _written_address(address: WebAddress) -> dict[str, Any]:
    return {
        "Url": address.url,
        "Username": address.username,
        "Password": address.password,
        "HttpHeaders": dict(address.headers),
        "CertificateFile": address.certificate,
        "CertificateKeyFile": address.key,
        "CertificateKeyPassword": address.key_password,
        "Timeout": address.timeout,
    }


def _shown_address(address: WebAddress) -> dict[str, Any]:
    """Passwords are null, and header fields have names only."""
    shown: dict[str, Any] = {
        "Url": address.url,
        "HttpHeaders": sorted(address.headers),
        "Pkcs11": False,
        "Timeout": round(address.timeout),
    }
    if address.username:
        shown |= {"Username": address.username, "Password": None}
    if address.certificate:
        shown |= {"CertificateFile": address.certificate, "CertificateKeyFile": address.key}
        shown["CertificateKeyPassword"] = None
    return shown


def _server_flags(server: DicomWebServer) -> dict[str, Any]:
    return {
        "ChunkedTransfers": server.chunked,
        "HasDelete": server.deletes,
        "HasWadoRsUniversalTransferSyntax": server.any_syntax,
    }


def _properties(members: Mapping[str, Any], known: frozenset[str]) -> dict[str, str]:
    """What else is said of a remote, such as by those who wrote a user interface."""
    others = {name: value for name, value in members.items() if name not in known}
    if not all(isinstance(value, str | bool | int | float) for value in others.values()):
        raise _wrong("texts as the further members")
    return {name: value if isinstance(value, str) else str(value).lower() for name, value in others.items()}


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 4096:
        raise _wrong(f"{name}: a text")
    return value


def _flag(members: Mapping[str, Any], name: str, *, default: bool) -> bool:
    """A boolean; the DICOMweb plugin's configurations have them as texts or numbers too."""
    value = members.get(name, default)
    if value in ("0", "1", 0, 1, "true", "false"):
        return value in ("1", 1, "true")
    raise _wrong(f"{name}: true or false")


def _wrong(expected: str) -> ServerError:
    return ServerError(Reason.BAD_REQUEST, f"expected is {expected}")
