"""A store to test promises with."""

from pathlib import Path
from typing import Any

import pytest

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.ports.index import Scope
from dicomweb_server.services.ingest import IngestOutcome, IngestPolicy, IngestService, OnDuplicate
from dicomweb_server.storage import promises, unplaced, writer
from dicomweb_server.storage.store import Store, StoreOptions
from dicomweb_server.storage.threads import Threads
from tests.builders import make_instance

STUDY = Scope("1.1")


class Bench:
    """A store that writes what it promised only when it must."""

    def __init__(self, root: Path, options: StoreOptions | None = None) -> None:
        self.root = root
        self.store = Store(root, options)
        self.threads = Threads(1, "test")
        policy = IngestPolicy(on_duplicate=OnDuplicate.REPLACE)
        self.ingest = IngestService(self.store.blobs, self.store.index, self.threads, policy)

    async def send(self, number: int, **values: Any) -> IngestOutcome:
        uids = {"StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.2", "SOPInstanceUID": f"1.1.{number}"}
        data = make_instance(**uids | values)
        staging = self.ingest.stage()
        await staging.write(data)
        return await self.ingest.ingest(await staging.finish(), Origin("dimse"))

    async def stored(self, number: int) -> bytes | None:
        found = await self.store.index.instance(Scope("1.1", "1.2", f"1.1.{number}"))
        return None if found is None else await self.store.blobs.read(found.key)

    @property
    def rows(self) -> int:
        """How many are committed, seen without waiting for anything."""
        connection = self.store._database.connect()
        (count,) = connection.execute("SELECT count(*) FROM instance").fetchone()
        connection.close()
        return int(count)

    @property
    def are_owed(self) -> bool:
        return self.store._writer._promises.are_owed

    async def close(self) -> None:
        await self.store.close()
        self.threads.close()


def files(root: Path) -> list[Path]:
    return list(root.rglob("*.dcm"))


def let_it_be_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written for the sole reason that time has passed."""
    monkeypatch.setattr(promises, "_DELAY", 60.0)
    monkeypatch.setattr(writer, "_IDLE", 60.0)
    monkeypatch.setattr(unplaced, "_PAUSE", 60.0)
