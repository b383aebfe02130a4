"""Where a client sees this service: the service's URL from a request's headers (RFC 7239). Lets nothing be injected."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from dicomweb_server.errors import Reason, ServerError

_MAX_LENGTH = 2048
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?\Z")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+;=:@%-]+)*\Z")
_PAIR = re.compile(r'[ \t]*([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^\s";,]*)[ \t]*')
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NAMES = frozenset(
    {b"forwarded", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-prefix"}
)

Network = IPv4Network | IPv6Network
LOOPBACK = ("127.0.0.0/8", "::1/128")


@dataclass(frozen=True, slots=True)
class Proxies:
    """The peers whose forwarding headers are believed; a peer without an address (a local socket) is believed."""

    networks: tuple[Network, ...]

    def trusts(self, peer: str | None) -> bool:
        """Whether a peer is one of them."""
        if peer is None:
            return True
        try:
            address: IPv4Address | IPv6Address = ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self.networks if network.version == address.version)


def parse_proxies(networks: Iterable[str] = LOOPBACK) -> Proxies:
    """Proxies from addresses and networks such as "10.0.0.0/8"; "*" is everybody. ServerError if one is neither."""
    found: list[Network] = []
    for text in networks:
        try:
            found += [ip_network("0.0.0.0/0"), ip_network("::/0")] if text == "*" else [ip_network(text, strict=False)]
        except ValueError:
            raise ServerError(Reason.BAD_REQUEST, f"{text!r} is no IP address, network, or *") from None
    return Proxies(tuple(found))


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What proxies say about the client's request; None where they say nothing that can be believed."""

    scheme: str | None = None
    host: str | None = None
    prefix: str = ""


NOT_FORWARDED = Forwarded()


def parse_forwarded(headers: Iterable[tuple[bytes, bytes]]) -> Forwarded:
    """The client's side of a chain of proxies: the first element of Forwarded, else of the X-Forwarded-* headers."""
    fields: dict[bytes, str] = {}
    for name, value in headers:
        if name in _NAMES and name not in fields and len(value) <= _MAX_LENGTH:
            fields[name] = value.decode("latin-1")
    if not fields:
        return NOT_FORWARDED
    prefix = _first(fields.get(b"x-forwarded-prefix", "")).rstrip("/")
    prefix = prefix if _PREFIX.match(prefix) else ""
    pairs = _first_element(fields.get(b"forwarded", ""))
    if pairs:
        return Forwarded(_scheme(pairs.get("proto", "")), _host(pairs.get("host", "")), prefix)
    host = _host(_first(fields.get(b"x-forwarded-host", "")))
    port = _first(fields.get(b"x-forwarded-port", ""))
    if host and port.isascii() and port.isdigit() and not re.search(r":[0-9]+\Z", host):
        host = _host(f"{host}:{port}")
    return Forwarded(_scheme(_first(fields.get(b"x-forwarded-proto", ""))), host, prefix)


def service_root(
    headers: Sequence[tuple[bytes, bytes]],
    *,
    scheme: str,
    server: tuple[str, int | None] | None,
    path: str,
    peer: str | None,
    proxies: Proxies,
) -> str:
    """The absolute URL of the service at `path` ("/dicom-web") as the client of this request reaches it.

    Without a forwarding header, a Host that names no port gets the one that we listen on: some clients leave it out.
    """
    forwarded = parse_forwarded(headers) if proxies.trusts(peer) else NOT_FORWARDED
    name = next((value for field, value in headers if field == b"host"), b"").decode("latin-1")
    authority = forwarded.host or _host(name)
    port = server[1] if server else None
    if authority is None:
        # No usable Host: the address that was connected to.
        host = server[0] if server else "localhost"
        authority = f"[{host}]" if ":" in host else host
    elif forwarded is not NOT_FORWARDED or re.search(r":[0-9]+\Z", authority):
        port = None
    seen = forwarded.scheme or scheme
    if port and port != _DEFAULT_PORTS.get(seen):
        authority = f"{authority}:{port}"
    return f"{seen}://{authority}{forwarded.prefix}{path}"


def _first(value: str) -> str:
    return value.partition(",")[0].strip()


def _first_element(value: str) -> dict[str, str]:
    """The pairs of the first element of Forwarded, values unquoted; none if it is malformed."""
    pairs: dict[str, str] = {}
    position = 0
    while position < len(value):
        found = _PAIR.match(value, position)
        if not found:
            return {}
        text = found[2]
        if text.startswith('"'):
            text = re.sub(r"\\(.)", r"\1", text[1:-1])
        pairs[found[1].lower()] = text
        position = found.end()
        if value[position : position + 1] != ";":
            return pairs if value[position : position + 1] in ("", ",") else {}
        position += 1
    return pairs


def _scheme(text: str) -> str | None:
    return text.lower() if text.lower() in _DEFAULT_PORTS else None


def _host(text: str) -> str | None:
    """A host with or without a port, None unless it is nothing but that."""
    found = _HOST.match(text)
    if not found or (found[1] and not 0 < int(found[1]) < 65536):
        return None
    return text
