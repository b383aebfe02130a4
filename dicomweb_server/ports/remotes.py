"""Remotes: what we know of the other servers that we talk to, and where what was told at run time is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

OPERATIONS = ("echo", "store", "find", "get", "move", "worklist", "commitment")


class RemoteKind(Enum):
    """The three kinds of remotes; each has names of its own."""

    MODALITY = "modality"
    PEER = "peer"
    DICOMWEB = "dicomweb"


@dataclass(frozen=True, slots=True)
class Modality:
    """A DICOM node. `allow`: which operations it may ask of us; `local_ae_title`: who we are to it, "" for the usual.

    `timeout`: seconds for its answers, 0 for the usual; `transcoding`: it may be sent other encodings than the stored.
    """

    ae_title: str
    host: str
    port: int
    allow: frozenset[str] = frozenset(OPERATIONS)
    tls: bool = False
    manufacturer: str = "Generic"
    local_ae_title: str = ""
    timeout: float = 0.0
    transcoding: bool = True


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
    """Another DICOMweb server. `chunked`: a store request may come without Content-Length; `deletable`: so may others.

    `has_wado_rs_universal_transfer_syntax`: it takes `transfer-syntax=*` in Accept.
    """

    address: WebAddress
    chunked: bool = True
    deletable: bool = False
    has_wado_rs_universal_transfer_syntax: bool = True
    properties: Mapping[str, str] = field(default_factory=dict)


Remote = Modality | OrthancPeer | DicomWebServer


class RemoteTable(Protocol):
    """Keeps remotes, as documents of plain values."""

    async def remotes(self) -> Sequence[tuple[RemoteKind, str, Mapping[str, Any]]]:
        """All: kind, name, document."""

    async def put_remote(self, kind: RemoteKind, name: str, document: Mapping[str, Any]) -> None:
        """Keep one, in the place of what has its name; durable when it returns."""

    async def remove_remote(self, kind: RemoteKind, name: str) -> None:
        """Forget one, if it is there."""
