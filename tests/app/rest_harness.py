"""The REST interface over a real store, spoken to in process."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from dicomweb_server.dicomweb.context import Context as DicomwebContext
from dicomweb_server.dicomweb.context import DicomwebOptions
from dicomweb_server.dicomweb.resources import OPERATIONS as DICOMWEB_OPERATIONS
from dicomweb_server.http.routing import Service
from dicomweb_server.rest.context import Context, RestOptions
from dicomweb_server.rest.errors import failure
from dicomweb_server.rest.operations import BELOW_DICOMWEB, OPERATIONS, ROOTS
from dicomweb_server.server.front import FrontDoor
from dicomweb_server.services import Services
from dicomweb_server.services.ingest import IngestPolicy
from dicomweb_server.storage.durability import SyncMode
from dicomweb_server.storage.store import Store, StoreOptions
from dicomweb_server.storage.threads import Threads
from tests.app.dicomweb_harness import DICOM_TYPE, multipart_body
from tests.app.services import services_on

ROOT = "http://archive.example:8042"


@dataclass(frozen=True, slots=True)
class Rest:
    """A running server: REST at its root, DICOMweb below /dicom-web."""

    client: httpx.AsyncClient
    services: Services
    store: Store

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.send("GET", path, **headers)

    async def json(self, path: str) -> Any:
        response = await self.get(path)
        assert response.status_code == 200, response.text
        return response.json()

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """A request; a body that is neither bytes nor text is sent as JSON."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        content = {"content": body} if body is None or isinstance(body, bytes | str) else {"json": body}
        return await self.client.request(method, ROOT + path, headers=fields, **content)

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return await self.send("POST", path, body, **headers)

    async def store_by_dicomweb(self, *files: bytes) -> None:
        """Store files, which must succeed."""
        body = multipart_body(*files)
        response = await self.send("POST", "/dicom-web/studies", body, content_type=DICOM_TYPE)
        assert response.status_code == 200, response.text


@asynccontextmanager
async def open_rest(
    folder: Path,
    policy: IngestPolicy | None = None,
    change: Callable[[RestOptions], RestOptions] = lambda options: options,
) -> AsyncIterator[Rest]:
    """A server over a new store in a folder; `change` may alter the options of REST."""
    store = Store(folder, StoreOptions(sync=SyncMode.OFF))
    workers = Threads(2, "worker")
    services = services_on(store, workers, policy)
    options = change(replace(RestOptions()))
    context = Context(services, options)
    dicomweb = Service("/dicom-web", DICOMWEB_OPERATIONS, lambda: DicomwebContext(services, DicomwebOptions()))
    rest = Service("", OPERATIONS, lambda: context, failure, override=True)
    below = Service("/dicom-web", BELOW_DICOMWEB, lambda: context, failure, override=True)
    within = dict.fromkeys((one.path.split("/")[1] for one in BELOW_DICOMWEB), below)
    app = FrontDoor("/dicom-web", dicomweb, rest, others=dict.fromkeys(ROOTS, rest), within=within)
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 50000))
    async with httpx.AsyncClient(transport=transport, headers={"accept-encoding": "identity"}) as client:
        yield Rest(client, services, store)
    await services.ingest.close()
    workers.close()
    await store.close()
