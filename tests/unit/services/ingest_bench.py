"""An ingest service on a real store, and instances for it."""

from pathlib import Path
from typing import Any

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.ports.blobs import Staged
from dicomweb_server.services.ingest import IngestOutcome, IngestPolicy, IngestService
from dicomweb_server.storage.store import Store
from dicomweb_server.storage.threads import Threads
from tests.builders import make_instance

ORIGIN = Origin("stow", "192.0.2.1")

LARGE: dict[str, Any] = {"Rows": 1024, "Columns": 1024, "PixelData": bytes(2**21)}  # 2 MB: goes through the spool


def numbered(number: int, **attributes: Any) -> bytes:
    uids = {"StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.1.1", "SOPInstanceUID": f"1.1.1.{number}"}
    return make_instance(**{**uids, **attributes})


class Meter:
    def __init__(self) -> None:
        self.counted: list[tuple[str, str]] = []

    def instance(self, protocol: str, outcome: str) -> None:
        self.counted.append((protocol, outcome))


class Bench:
    """An ingest service on a real store."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Store(root)
        self.threads = Threads(2, "test")
        self.meter = Meter()
        self.service = self.with_policy(IngestPolicy())

    def with_policy(self, policy: IngestPolicy) -> IngestService:
        return IngestService(self.store.blobs, self.store.index, self.threads, policy, self.meter)

    async def stage(self, data: bytes) -> Staged:
        staging = self.service.stage()
        for start in range(0, len(data), 65_536):
            await staging.write(data[start : start + 65_536])
        return await staging.finish()

    async def send(self, *contents: bytes, service: IngestService | None = None) -> list[IngestOutcome]:
        staged = [await self.stage(content) for content in contents]
        return await (service or self.service).ingest_batch(staged, ORIGIN)

    async def files(self) -> list[str]:
        """Once those of all that was answered are there: a small instance may be in the journal first."""
        await self.store.index.counts()
        async for _ in self.store.blobs.keys():  # which makes those that were promised
            pass
        return [path.name for name in ("blobs", "spool") for path in (self.root / name).rglob("*") if path.is_file()]

    async def close(self) -> None:
        await self.service.close()
        await self.store.close()
        self.threads.close()
