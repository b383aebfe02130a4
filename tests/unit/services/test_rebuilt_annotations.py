"""A rebuild: what clients added to resources is there again, with those of the resources that are."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.origin import Origin
from dicomweb_server.ports.annotations import Expected
from dicomweb_server.ports.blobs import Staged
from dicomweb_server.ports.index import Scope
from dicomweb_server.ports.resources import Resource
from dicomweb_server.services.annotations import AnnotationService
from dicomweb_server.services.ingest import IngestService
from dicomweb_server.services.maintenance import MaintenanceService, ReindexReport
from dicomweb_server.storage.durability import SyncMode
from dicomweb_server.storage.store import Store, StoreOptions
from dicomweb_server.storage.threads import Threads
from tests.builders import make_instance

INSTANCE = Scope("1.2", "1.2.3", "1.2.3.4")


class Bench(NamedTuple):
    store: Store
    threads: Threads
    annotations: AnnotationService
    maintenance: MaintenanceService

    @classmethod
    def open(cls, root: Path, *, rebuild: bool = False) -> "Bench":
        store, threads = Store(root, StoreOptions(sync=SyncMode.OFF), rebuild=rebuild), Threads(2, "test")
        maintenance = MaintenanceService(store.blobs, store.index, threads)
        return cls(store, threads, AnnotationService(store.annotations, store.blobs), maintenance)

    async def resources(self) -> list[Resource]:
        """Of each level, from the instance up."""
        (instance,) = await self.store.resources.of_scopes([INSTANCE])
        assert instance is not None
        found = [instance]
        for level in (Level.SERIES, Level.STUDY, Level.PATIENT):
            (row,) = await self.store.resources.related(instance, level)
            (one,) = await self.store.resources.describe(level, [row], lambda described: described.resource)
            found.append(one)
        return found

    async def close(self) -> None:
        await self.store.close()
        self.threads.close()


def dicom(number: int) -> bytes:
    return make_instance(
        StudyInstanceUID="1.2", SeriesInstanceUID="1.2.3", SOPInstanceUID=f"1.2.3.{number}", PatientID="P"
    )


async def filled(root: Path) -> None:
    bench = Bench.open(root)
    staged = [Staged(size=len(data), data=data) for data in (dicom(4), dicom(5))]
    ingest = IngestService(bench.store.blobs, bench.store.index, bench.threads)
    assert all(outcome.is_success for outcome in await ingest.ingest_batch(staged, Origin("stow")))
    for resource in await bench.resources():
        await bench.store.annotations.put_label(resource, f"label-{resource.level}")
        for value in ("first", "second"):
            await bench.store.annotations.put_metadata(resource, "1024", value, Expected(None))
        await attach(bench, resource, dicom(9))
    await bench.store.annotations.protect((await bench.resources())[-1], protected=True)
    await bench.close()


async def attach(bench: Bench, resource: Resource, data: bytes) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield data

    await bench.annotations.attach(resource, "1025", pieces())


async def rebuilt(root: Path) -> ReindexReport:
    """In two runs: the first is stopped before it has come to anything."""
    await Bench.open(root, rebuild=True).close()
    bench = Bench.open(root, rebuild=True)
    report = await bench.maintenance.reindex(attachments=await bench.store.held_attachments())
    await bench.store.finish_rebuild()
    await bench.close()
    return report


async def test_each_level_has_its_annotations_again(tmp_path: Path) -> None:
    await filled(tmp_path)
    report = await rebuilt(tmp_path)
    # What is attached is a DICOM file here, and does not become an instance.
    assert (report.blobs, report.added, report.attachments, report.refused) == (6, 2, 4, [])
    bench = Bench.open(tmp_path)
    kept = bench.store.annotations
    for resource in await bench.resources():
        assert await kept.labels(resource) == [f"label-{resource.level}"]
        noted = (await kept.metadata(resource))["1024"]
        assert (noted.value, noted.revision) == ("second", 1)
        (attached,) = await kept.attachments(resource)
        assert b"".join([piece async for piece in bench.store.blobs.stream(attached.key)]) == dicom(9)
    assert await kept.is_protected((await bench.resources())[-1])
    assert (await bench.maintenance.check(digests=True)).is_sound
    await bench.close()


async def test_annotations_of_what_is_gone_go_too(tmp_path: Path) -> None:
    await filled(tmp_path)
    bench = Bench.open(tmp_path)
    instance, series, *_ = await bench.resources()
    (of_instance,), (of_series,) = [await bench.store.annotations.attachments(one) for one in (instance, series)]
    (stored,) = await bench.store.resources.instances_below(instance)
    await bench.close()
    next((tmp_path / "blobs").rglob(f"{stored.key}.dcm")).unlink()
    assert (await rebuilt(tmp_path)).added == 1
    bench = Bench.open(tmp_path)
    assert await bench.store.annotations.all_labels() == ["label-0", "label-1", "label-2"]
    garbage = await bench.store.index.garbage(10, 2.0**62)
    assert of_instance.key in garbage
    assert of_series.key not in garbage
    await bench.close()
