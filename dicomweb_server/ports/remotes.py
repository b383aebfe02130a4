"""Remotes: what we know of the other web servers that we talk to, and where what was told at run time is kept."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from dicomweb_server.ports.index import StoredInstance


class RemoteKind(Enum):
    """The kinds of remotes; each has names of its own."""

    MODALITY = "modality"
    PEER = "peer"
    DICOMWEB = "dicomweb"


@dataclass(frozen=True, slots=True)
class WebAddress:
    """Where a web service is, and how we show who we are. Secrets are kept out of `repr`, so that no log has them.

    `certificate`, `key`: files of what we show by TLS, `key_password`: of the key; `timeout`: seconds, 0: the usual.
    """

    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    certificate: str = ""
    key: str = ""
    key_password: str = field(default="", repr=False)
    timeout: float = 0.0


@dataclass(frozen=True, slots=True)
class OrthancPeer:
    """Another server with Orthanc's REST API. `properties`: what users noted about it."""

    address: WebAddress
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DicomWebServer:
    """Another DICOMweb server.

    `chunked`: it takes a store request without Content-Length; `deletes`: it has DELETE; `any_syntax`: it takes
    `transfer-syntax=*` in Accept; `properties`: what users noted about it.
    """

    address: WebAddress
    chunked: bool = True
    deletes: bool = False
    any_syntax: bool = True
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PeerTransfer:
    """How a peer gets instances: `transfer_syntax_uid` "" is as they are stored; `compress`: by gzip on the way."""

    transfer_syntax_uid: str = ""
    compress: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of instances that were sent. `failed`: why, by SOP Instance UID; `size`: bytes that went out."""

    completed: int
    failed: Mapping[str, str] = field(default_factory=dict)
    size: int = 0


@dataclass(frozen=True, slots=True)
class Received:
    """What became of instances that were fetched. `failed`: how many could not be stored here; `size`: in bytes."""

    completed: int
    failed: int = 0
    size: int = 0


class WebResponse(Protocol):
    """The answer of another web server, whose body is still to come."""

    @property
    def status(self) -> int:
        """Of HTTP."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Its fields by lower-case name."""

    def pieces(self, limit: int) -> AsyncGenerator[bytes, None]:
        """The body, `limit` bytes of it at most; PeerError."""


class WebPeer(Protocol):
    """Another web server, connected. Every method raises PeerError where it cannot be reached, or refuses all."""

    async def store(self, instances: Sequence[StoredInstance]) -> Sent:
        """Send instances."""

    def answer(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> AbstractAsyncContextManager[WebResponse]:
        """The answer to any request, below the server's address; PeerError unless it is a success."""


class DicomWebPeer(WebPeer, Protocol):
    """Another DICOMweb server, connected."""

    async def retrieve(self, path: str, headers: Mapping[str, str], told: Callable[[Received], None]) -> Received:
        """Fetch the instances of a resource, and store them here; `told` as they come."""

    async def delete(self, path: str) -> None:
        """Have it delete a resource."""


class RemoteTable(Protocol):
    """Keeps remotes, as documents of plain values."""

    async def remotes(self, kind: RemoteKind) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """All of a kind: name, document."""

    async def put_remote(self, kind: RemoteKind, name: str, document: Mapping[str, Any]) -> None:
        """Keep one, in the place of what has its name; durable when it returns."""

    async def remove_remote(self, kind: RemoteKind, name: str) -> None:
        """Forget one, if it is there."""
