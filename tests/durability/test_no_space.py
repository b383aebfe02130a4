"""A full disk: refused with the reason, nothing half stored, and back at work when there is room again."""

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Scope
from dicomweb_server.services.delete import DeleteService
from dicomweb_server.services.ingest import IngestOutcome, IngestService, Status
from dicomweb_server.services.maintenance import MaintenanceService
from dicomweb_server.storage.store import Store, StoreOptions
from dicomweb_server.storage.threads import Threads
from tests.builders import make_instance
from tests.durability.file_system_image import make_image, memory_file_system, mounted, require_mounting
from tests.stored import violations


@pytest.fixture(params=["ext4", "tmpfs"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    require_mounting()
    with contextlib.ExitStack() as stack:
        if request.param == "ext4":
            make_image(tmp_path / "image", 24)
            yield stack.enter_context(mounted(tmp_path / "image", tmp_path / "disk"))
        else:
            yield stack.enter_context(memory_file_system(tmp_path / "disk", 16))


def image(rows: int) -> dict[str, Any]:
    """Attributes of an image of so many rows; quicker than having its pixels counted up."""
    return {"Rows": rows, "Columns": 900, "PixelData": bytes(rows * 900 * 2)}


class Sender:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.threads = Threads(1, "test")
        self.ingest = IngestService(store.blobs, store.index, self.threads)
        self.chance = random.Random(3)
        self.rows = [8, 64, 900]

    async def send(self, number: int) -> IngestOutcome:
        data = make_instance(
            StudyInstanceUID=f"1.{number % 7}",
            SeriesInstanceUID=f"1.{number % 7}.1",
            SOPInstanceUID=f"1.1.{number}",
            **image(self.chance.choice(self.rows)),
        )
        staging = self.ingest.stage()
        try:
            for start in range(0, len(data), 100_000):
                await staging.write(data[start : start + 100_000])
            return await self.ingest.ingest(await staging.finish(), Origin("stow"))
        except ServerError as error:
            return IngestOutcome(Status.FAILED, error.reason)

    async def fill(self, start: int) -> tuple[list[int], list[IngestOutcome]]:
        """Send until nothing goes in any more; what was stored, and what was not."""
        stored, failed = [], []
        for number in range(start, start + 2000):
            outcome = await self.send(number)
            if outcome.is_success:
                stored.append(number)
            else:
                failed.append(outcome)
                if len(failed) > 20:
                    break
        return stored, failed


async def test_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    root = small_disk / "data"
    store = Store(root, StoreOptions(reserve=4_000_000))
    sender = Sender(store)
    stored, failed = await sender.fill(0)
    assert len(stored) > 10
    assert {outcome.reason for outcome in failed} == {Reason.OUT_OF_RESOURCES}
    assert list((root / "spool").iterdir()) == []
    for number in stored:  # reading goes on
        found = await store.index.instance(Scope(f"1.{number % 7}", f"1.{number % 7}.1", f"1.1.{number}"))
        assert found is not None
        assert len(await store.blobs.read(found.key)) == found.size
    maintenance = MaintenanceService(store.blobs, store.index, sender.threads)
    assert (await maintenance.check(digests=True)).is_sound
    deleting = DeleteService(store.blobs, store.index, grace=0)
    await deleting.delete(Scope("1.1"))
    assert await deleting.sweep() > 0
    stored, _ = await sender.fill(5000)
    assert len(stored) > 2  # without a restart
    assert (await maintenance.check(digests=True)).is_sound
    await store.close()
    sender.threads.close()
    assert violations(root) == []


async def test_a_disk_that_is_full_for_the_index_only(small_disk: Path, tmp_path: Path) -> None:
    options = StoreOptions(index_folder=small_disk / "index", reserve=0)
    (small_disk / "ballast").write_bytes(b"x" * 8_000_000)
    store = Store(tmp_path / "data", options)
    sender = Sender(store)
    sender.rows = [8]
    with contextlib.suppress(OSError), (small_disk / "more ballast").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    stored, failed = await sender.fill(0)
    assert {outcome.reason for outcome in failed} == {Reason.OUT_OF_RESOURCES}
    assert (await store.index.counts())["instances"] == len(stored)
    assert len(list((tmp_path / "data" / "blobs").rglob("*.dcm"))) == len(stored)
    (small_disk / "ballast").unlink()
    assert (await sender.send(9000)).is_success
    await store.close()
    sender.threads.close()
    store = Store(tmp_path / "data", options)
    assert (await store.index.counts())["instances"] == len(stored) + 1
    assert await store.index.recount() == []
    await store.close()
