"""Remotes that do as they are told: a modality, and web servers; and REST over them with jobs running."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.ports.remotes import DicomWebServer, OrthancPeer, PeerTransfer, WebResponse
from dicomweb_server.rest.context import RestOptions
from dicomweb_server.services.modalities import (
    UNWATCHED,
    Attributes,
    Modality,
    Originator,
    PeerError,
    Reference,
    Transfer,
    Watch,
)
from dicomweb_server.services.peers import Received, Sent
from dicomweb_server.services.retrieve import StoredInstance
from tests.app.rest_harness import Rest, open_rest


@dataclass(slots=True)
class FakeResponse:
    """An answer at hand."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})

    async def pieces(self, limit: int) -> AsyncGenerator[bytes, None]:
        for start in range(0, len(self.body), 10):
            yield self.body[start : start + 10]


@dataclass(slots=True)
class FakeRemote:
    """All kinds of remotes at once. `away`, `refusal`: raised by everything; `refused`: instances not taken."""

    away: PeerError | None = None
    refusal: PeerError | None = None
    refused: set[str] = field(default_factory=set)
    matches: list[dict[str, Any]] = field(default_factory=list)
    answer_body: bytes = b"{}"
    transfer: Transfer = field(default_factory=lambda: Transfer(1, 0, 0))
    received: Received = field(default_factory=lambda: Received(2, 0, 5_000_000))
    asked: list[Any] = field(default_factory=list)
    batches: list[list[str]] = field(default_factory=list)
    modality: Modality | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def connect_modality(self, modality: Modality) -> "FakeRemote":
        self.modality = modality
        return self

    @asynccontextmanager
    async def connect_peer(self, peer: OrthancPeer, transfer: PeerTransfer) -> AsyncIterator["FakeWeb"]:
        self.asked.append(("peer", peer.address.url, transfer))
        yield FakeWeb(self)

    @asynccontextmanager
    async def connect_server(self, server: DicomWebServer) -> AsyncIterator["FakeWeb"]:
        self.headers = dict(server.address.headers)
        yield FakeWeb(self)

    def note(self, *what: Any) -> None:
        self.asked.append(what)
        for error in (self.away, self.refusal):
            if error is not None:
                raise error

    def _taken(self, instances: Sequence[StoredInstance]) -> list[str]:
        self.batches.append([one.instance_uid for one in instances])
        return [one.instance_uid for one in instances if one.instance_uid in self.refused]

    async def echo(self) -> None:
        self.note("echo")

    async def store(
        self, instances: Sequence[StoredInstance], watch: Watch = UNWATCHED, originator: Originator | None = None
    ) -> Transfer:
        if self.away is not None:
            return Transfer(0, 0, len(instances), {one.instance_uid: str(self.away) for one in instances})
        self.asked.append(("store", originator))
        failed = self._taken(instances)
        return Transfer(len(instances) - len(failed), 0, len(failed), dict.fromkeys(failed, "refused"))

    async def store_file(self, part10: bytes) -> Reference:
        self.note("store_file", len(part10))
        return Reference("1.2", "1.3")

    async def create(self, sop_class_uid: str, instance_uid: str, attributes: Attributes) -> None:
        self.note("create", sop_class_uid, instance_uid, attributes)

    async def change(self, sop_class_uid: str, instance_uid: str, attributes: Attributes) -> None:
        self.note("change", sop_class_uid, instance_uid, attributes)

    async def notify(self, sop_class_uid: str, instance_uid: str, event_type_id: int) -> None:
        self.note("notify", sop_class_uid, instance_uid, event_type_id)

    async def commit(self, references: Sequence[Reference], transaction_uid: str) -> None:
        self.note("commit", list(references), transaction_uid)

    async def find(self, level: Level, keys: Attributes) -> AsyncGenerator[dict[str, Any], None]:
        self.note("find", level, keys)
        for match in self.matches:
            yield match

    async def worklist(self, keys: Attributes) -> AsyncGenerator[dict[str, Any], None]:
        self.note("worklist", keys)
        for match in self.matches:
            yield match

    async def get(self, level: Level, keys: Attributes, watch: Watch = UNWATCHED) -> Transfer:
        self.note("get", level, keys)
        return self.transfer

    async def move(self, level: Level, keys: Attributes, destination: str, watch: Watch = UNWATCHED) -> Transfer:
        self.note("move", level, keys, destination)
        return self.transfer


class FakeWeb:
    """The web side of it."""

    def __init__(self, remote: FakeRemote) -> None:
        self._remote = remote

    async def store(self, instances: Sequence[StoredInstance]) -> Sent:
        self._remote.note("web store", len(instances))
        failed = self._remote._taken(instances)
        return Sent(len(instances) - len(failed), {uid: "refused" for uid in failed}, 1_000_000 * len(instances))

    def answer(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> AbstractAsyncContextManager[WebResponse]:
        @asynccontextmanager
        async def answered() -> AsyncIterator[WebResponse]:
            self._remote.note(method, path, dict(headers or {}), body)
            yield FakeResponse(self._remote.answer_body)

        return answered()

    async def retrieve(self, path: str, headers: Mapping[str, str], told: Callable[[Received], None]) -> Received:
        self._remote.note("retrieve", path, dict(headers))
        return self._remote.received

    async def delete(self, path: str) -> None:
        self._remote.note("delete", path)


@asynccontextmanager
async def open_with_remote(
    folder: Path, change: Callable[[RestOptions], RestOptions] = lambda options: options
) -> AsyncIterator[tuple[Rest, FakeRemote]]:
    """REST with one remote of each kind: a modality "pacs", a peer "peer", a DICOMweb server "web"."""
    async with open_rest(folder, change=change) as rest:
        remote, services = FakeRemote(), rest.services
        services.modalities.connect_by(remote.connect_modality)
        services.peers.connect_by(remote.connect_peer)
        services.dicomweb_servers.connect_by(remote.connect_server)
        async with services.jobs.running():
            for path, body in (
                ("/modalities/pacs", ["PACS", "pacs.example", 104]),
                ("/peers/peer", {"Url": "http://peer.example/", "Password": "hush", "Username": "u"}),
                ("/dicom-web/servers/web", {"Url": "http://web.example/", "HasDelete": True}),
            ):
                response = await rest.send("PUT", path, body)
                assert response.status_code == 200, response.text
            yield rest, remote
