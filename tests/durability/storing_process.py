"""A process that stores without end and tells on standard output what it was promised: `ROOT SYNC_MODE SEED`.

Eight doors at once: new instances, small and large, the same again, replacements and deletions.
"""

import asyncio
import hashlib
import os
import random
import sys
from pathlib import Path
from typing import Any

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.errors import ServerError
from dicomweb_server.ports.index import OnDuplicate, Scope
from dicomweb_server.services.delete import DeleteService
from dicomweb_server.services.ingest import IngestPolicy, IngestService
from dicomweb_server.storage import unplaced
from dicomweb_server.storage.durability import SyncMode
from dicomweb_server.storage.store import Store, StoreOptions
from dicomweb_server.storage.threads import Threads
from tests.builders import make_instance

DOORS = 8
LARGE: dict[str, Any] = {"Rows": 800, "Columns": 800, "PixelData": bytes(1_280_000)}


def tell(kind: str, uids: tuple[str, str, str], digest: str) -> None:
    os.write(1, f"{kind} {' '.join(uids)} {digest}\n".encode())


class Door:
    """One sender; its instances are its own, in studies that it shares with others."""

    def __init__(self, store: Store, ingest: IngestService, chance: random.Random, number: int) -> None:
        self.ingest = ingest
        self.delete = DeleteService(store.blobs, store.index, grace=0)
        self.chance = chance
        self.prefix = f"1.{os.getpid()}.{number}"
        self.count = 0

    async def work(self) -> None:
        while True:
            number = self.chance.randrange(self.count + 1) if self.chance.random() < 0.2 else self.count
            self.count = max(self.count, number + 1)
            uids = (f"1.{number % 3}", f"1.{number % 3}.{number % 2}", f"{self.prefix}.{number}")
            if self.chance.random() < 0.1:
                await self.remove(uids)
            else:
                await self.store(uids)

    async def store(self, uids: tuple[str, str, str]) -> None:
        data = make_instance(
            StudyInstanceUID=uids[0],
            SeriesInstanceUID=uids[1],
            SOPInstanceUID=uids[2],
            PatientComments=str(self.chance.randrange(2)),
            **(LARGE if self.chance.random() < 0.03 else {}),
        )
        staging = self.ingest.stage()
        for start in range(0, len(data), 200_000):
            await staging.write(data[start : start + 200_000])
        digest = hashlib.sha256(data).hexdigest()
        tell("INTENT", uids, digest)
        outcome = await self.ingest.ingest(await staging.finish(), Origin("stow"))
        if outcome.is_success:
            tell("DONE", uids, digest)

    async def remove(self, uids: tuple[str, str, str]) -> None:
        tell("INTENT", uids, "-")
        try:
            await self.delete.delete(Scope(*uids))
        except ServerError:
            return
        tell("DONE", uids, "-")
        if self.chance.random() < 0.3:
            await self.delete.sweep()


async def main(root: Path, sync: SyncMode, seed: int) -> None:
    chance = random.Random(seed)
    # Small, so that its files take turns.
    options = StoreOptions(sync=sync, journal=chance.choice((0, 2**17, 2**20)))
    unplaced._PAUSE = chance.choice((unplaced._PAUSE, 60.0))  # with all doors shut for a while, or never
    store, threads = Store(root, options), Threads(2, "test")
    policy = IngestPolicy(on_duplicate=OnDuplicate.REPLACE)
    ingest = IngestService(store.blobs, store.index, threads, policy)
    os.write(1, b"READY\n")
    doors = [Door(store, ingest, random.Random(chance.random()), number) for number in range(DOORS)]
    await asyncio.gather(*[door.work() for door in doors])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), SyncMode(sys.argv[2]), int(sys.argv[3])))
