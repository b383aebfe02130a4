"""The DICOMweb service over a real store, spoken to in process; and multipart bodies taken apart by another reader."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path
from typing import Any

import httpx
import pydicom

from dicomweb_server.dicomweb.context import Context, DicomwebOptions
from dicomweb_server.dicomweb.resources import OPERATIONS
from dicomweb_server.http.routing import Service
from dicomweb_server.services import Services
from dicomweb_server.services.ingest import IngestPolicy
from dicomweb_server.storage.durability import SyncMode
from dicomweb_server.storage.store import Store, StoreOptions
from dicomweb_server.storage.threads import Threads
from tests.app.services import services_on

ROOT = "http://archive.example:8042/dicom-web"
JSON = "application/dicom+json"
DICOM_TYPE = 'multipart/related; type="application/dicom"; boundary=frontier'

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Instance:
    """One DICOM file and where the service should have it."""

    data: bytes
    study: str
    series: str
    uid: str

    @property
    def study_path(self) -> str:
        return f"/studies/{self.study}"

    @property
    def series_path(self) -> str:
        return f"{self.study_path}/series/{self.series}"

    @property
    def path(self) -> str:
        return f"{self.series_path}/instances/{self.uid}"


def instance(data: bytes) -> Instance:
    """A file with the identifiers that are in it."""
    from io import BytesIO

    dataset = pydicom.dcmread(BytesIO(data), stop_before_pixels=True, force=True)
    return Instance(data, dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an answer."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers["content-type"].partition(";")[0]


def parts_of(response: httpx.Response) -> list[Part]:
    """The parts of a multipart answer, by the standard library's reader."""
    head = b"Content-Type: " + response.headers["content-type"].encode() + b"\r\n\r\n"
    message = message_from_bytes(head + response.content, policy=HTTP)
    found = []
    for part in message.iter_parts():
        # The reader for mail changes line ends of text, not of binary content.
        body = part.get_payload(decode=True)
        assert isinstance(body, bytes)
        found.append(Part({name.lower(): str(value) for name, value in part.items()}, body))
    return found


def split_parts(response: httpx.Response) -> list[Part]:
    """The same by hand, exact to the byte."""
    boundary = response.headers["content-type"].partition("boundary=")[2].encode()
    assert response.content.startswith(b"--" + boundary + b"\r\n")
    assert response.content.endswith(b"\r\n--" + boundary + b"--\r\n")
    chunks = (b"\r\n" + response.content).split(b"\r\n--" + boundary)[1:-1]
    found = []
    for chunk in chunks:
        head, _, body = chunk.partition(b"\r\n\r\n")
        fields = [line.split(b": ", 1) for line in head.strip().split(b"\r\n")]
        found.append(Part({name.decode().lower(): value.decode() for name, value in fields}, body))
    return found


def multipart_body(*parts: bytes, content_type: str | None = "application/dicom", boundary: str = "frontier") -> bytes:
    """A multipart body of parts that all have one type."""
    head = f"--{boundary}\r\n" + (f"Content-Type: {content_type}\r\n" if content_type else "") + "\r\n"
    return b"".join(head.encode() + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()


@dataclass(frozen=True, slots=True)
class Archive:
    """A running service."""

    client: httpx.AsyncClient
    services: Services
    store: Store

    async def get(self, path: str, accept: str | None = None, **headers: str) -> httpx.Response:
        return await self.send("GET", path, accept, **headers)

    async def send(self, method: str, path: str, accept: str | None = None, **headers: str) -> httpx.Response:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if accept is not None:
            fields["accept"] = accept
        return await self.client.request(method, ROOT + path, headers=fields)

    async def post(
        self, body: bytes | AsyncIterator[bytes], path: str = "/studies", content_type: str = DICOM_TYPE, **headers: str
    ) -> httpx.Response:
        fields = {"content-type": content_type, "accept": JSON}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(ROOT + path, content=body, headers=fields)

    async def add(self, *files: bytes) -> list[Instance]:
        """Store files, which must succeed."""
        response = await self.post(multipart_body(*files))
        assert response.status_code == 200, response.text
        return [instance(data) for data in files]


def items(response: httpx.Response, tag: str) -> list[Item]:
    """The items of a sequence of a store response."""
    found: list[Item] = response.json().get(tag, {}).get("Value", [])
    return found


def values(found: Sequence[Item], tag: str) -> list[Any]:
    """The first value of an attribute in each item."""
    return [item[tag]["Value"][0] for item in found]


@asynccontextmanager
async def served(
    services: Services,
    store: Store,
    options: DicomwebOptions = DicomwebOptions(),  # noqa: B008 - frozen
) -> AsyncIterator[Archive]:
    """A service over a store that somebody else opened."""
    app = Service("/dicom-web", OPERATIONS, lambda: Context(services, options))
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 50000))
    async with httpx.AsyncClient(transport=transport, headers={"accept-encoding": "identity"}) as client:
        del client.headers["accept"]
        yield Archive(client, services, store)


@asynccontextmanager
async def open_archive(
    folder: Path,
    policy: IngestPolicy | None = None,
    change: Callable[[DicomwebOptions], DicomwebOptions] = lambda options: options,
    commitment_wait: float = 5.0,
    **kept: Any,
) -> AsyncIterator[Archive]:
    """A service over a new store in a folder; `change` may alter its options."""
    store = Store(folder, StoreOptions(sync=SyncMode.OFF))
    workers = Threads(2, "worker")
    services = services_on(store, workers, policy, commitment_wait=commitment_wait)
    async with served(services, store, change(replace(DicomwebOptions(), **kept))) as archive:
        yield archive
    await services.commitment_requests.stop()
    await services.ingest.close()
    workers.close()
    await store.close()
