"""Settings → an open store, the services on it, and what a running application finds them by."""

import asyncio
import contextlib
import logging
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial

from dicomweb_server.bootstrap.acceptance import acceptance
from dicomweb_server.bootstrap.edits import edit_service
from dicomweb_server.bootstrap.jobs import job_service, register_kinds
from dicomweb_server.bootstrap.modalities import configured_modalities
from dicomweb_server.bootstrap.pixels import PixelWork
from dicomweb_server.bootstrap.remotes import connect_remotes, known_peers, known_servers
from dicomweb_server.bootstrap.routing import routing_service
from dicomweb_server.bootstrap.worklist import workitem_service, worklist_import, worklist_service
from dicomweb_server.dicom.uid_patterns import UidPatterns
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.server.health import OK
from dicomweb_server.server.metrics import Metrics
from dicomweb_server.server.reader_process import ReaderProcess
from dicomweb_server.services import Services
from dicomweb_server.services.annotations import AnnotationService
from dicomweb_server.services.archives import ArchiveService
from dicomweb_server.services.associations import Associations
from dicomweb_server.services.availability import AvailabilityService
from dicomweb_server.services.changes import ChangeService
from dicomweb_server.services.commitment import CommitmentService
from dicomweb_server.services.commitment_requests import CommitmentRequestService
from dicomweb_server.services.creation import CreationService
from dicomweb_server.services.delete import DeleteService
from dicomweb_server.services.edits import EditService
from dicomweb_server.services.exports import ExportService
from dicomweb_server.services.frame_extraction import FrameExtractionService
from dicomweb_server.services.ingest import IngestPolicy, IngestService, OnDuplicate, Preamble
from dicomweb_server.services.jobs import JobService
from dicomweb_server.services.maintenance import MaintenanceService
from dicomweb_server.services.modalities import Modalities
from dicomweb_server.services.non_patient import NonPatientService
from dicomweb_server.services.passing_on import PassingOn
from dicomweb_server.services.performed import PerformedStepService
from dicomweb_server.services.queries import Queries
from dicomweb_server.services.reconstruct import ReconstructService
from dicomweb_server.services.rendering import RenderingService
from dicomweb_server.services.resources import ResourceService
from dicomweb_server.services.retrieve import RetrieveService
from dicomweb_server.services.routing import RoutingService
from dicomweb_server.services.search import SearchLimits, SearchService
from dicomweb_server.services.transcoding import TranscodingService
from dicomweb_server.services.verification import VerificationService
from dicomweb_server.services.workitem_channels import WorkitemChannels
from dicomweb_server.services.workitem_tidying import WorkitemTidying
from dicomweb_server.services.worklist_import import WorklistImport
from dicomweb_server.settings import Settings
from dicomweb_server.settings.extra_attributes import extra_attributes
from dicomweb_server.storage.durability import SyncMode
from dicomweb_server.storage.memory import EphemeralStore
from dicomweb_server.storage.reserve import RESERVE
from dicomweb_server.storage.run_mark import Leftovers
from dicomweb_server.storage.store import Store, StoreOptions
from dicomweb_server.storage.threads import Threads

_COUNTS_KEPT = 15.0
_logger = logging.getLogger("dicomweb_server.store")


@dataclass(frozen=True, slots=True)
class OpenStore:
    """A store that is open, and the services on it."""

    services: Services
    maintenance: MaintenanceService
    routing: RoutingService
    worklist_import: WorklistImport
    store: Store

    async def sweep_leftovers(self, before: float) -> None:
        """Remove what a crash left behind, unless nobody can know that it is only that."""
        leftovers = self.store.leftovers
        if leftovers is Leftovers.UNKNOWN:
            _logger.warning("%s; `dicomweb-server check` compares them", leftovers.value)
        elif leftovers is Leftovers.UNACKNOWLEDGED:
            removed = await self.maintenance.sweep_unreferenced(before)
            _logger.info("swept what the last run left unfinished", extra={"blobs": removed})

    async def health(self) -> dict[str, str]:
        """What is well, and what is wrong with the rest."""
        return {"index": await self._index(), "storage": self._storage()}

    async def _index(self) -> str:
        try:
            await self.store.index.last_change()
        except ServerError as error:
            return error.detail
        return OK

    def _storage(self) -> str:
        if self.store.damage is not None:
            return self.store.damage.detail
        free = shutil.disk_usage(self.store.folder).free
        return OK if free >= RESERVE else f"only {free // 2**20} MiB are free: nothing more is stored"


@contextlib.asynccontextmanager
async def open_store(
    settings: Settings, metrics: Metrics | None = None, *, rebuild: bool = False
) -> AsyncIterator[OpenStore]:
    """Open the data folder and make the services; at the end finish what is under way and close it."""
    extra = extra_attributes(settings.extra_attributes)
    options = StoreOptions(
        sync=SyncMode(settings.sync),
        index_folder=settings.index,
        extra=extra,
        derived_limit=settings.thumbnail_cache,
        transcoded_limit=settings.transcoding_cache,
    )
    store = await asyncio.to_thread(lambda: _opened(settings, options, rebuild=rebuild))
    processors = os.cpu_count() or 1
    workers = Threads(max(2, processors), "worker")
    reader = ReaderProcess() if processors > 1 else None
    policy = _policy(settings, _extra_tags(settings))
    blobs, index = store.blobs, store.index
    pixels = PixelWork(settings, processors)
    transcoder = pixels.ingest_transcoder(settings, store)
    ingest = IngestService(blobs, index, workers, policy, metrics, reader, transcoder)
    edits = partial(edit_service, store, workers, policy=policy, meter=metrics)
    services = _services(settings, store, ingest, edits, workers, pixels)
    register_kinds(settings, services)
    indexing = asyncio.create_task(store.extra_indexing.run(), name="extra-indexing")
    try:
        await connect_remotes(settings, store, services)
        maintenance = MaintenanceService(blobs, index, workers, policy.extra_tags)
        routing, imports = routing_service(settings, store, services), worklist_import(settings, store, services)
        yield OpenStore(services, maintenance, routing, imports, store)
    finally:
        indexing.cancel()
        await asyncio.gather(indexing, return_exceptions=True)
        await services.ingest.close()
        await services.edits.ingest.close()
        workers.close()
        await asyncio.to_thread(pixels.close)
        if reader is not None:
            await asyncio.to_thread(reader.close)
        await store.close()


def _services(
    settings: Settings,
    store: Store,
    ingest: IngestService,
    edits: Callable[[TranscodingService], EditService],
    workers: Threads,
    pixels: PixelWork,
) -> Services:
    """One of each, on an open store."""
    blobs, index = store.blobs, store.index
    retrieve = RetrieveService(index, blobs, workers)
    pixel_service = pixels.service(retrieve, store, workers)
    modalities = Modalities(configured_modalities(settings))
    resources, jobs = ResourceService(store.resources, index), job_service(settings, store)
    transcoding = pixels.transcoding(retrieve, store, workers, pixel_service)
    workitems = workitem_service(store)
    search = SearchService(index, SearchLimits(refuse_unfiltered=settings.refuse_unfiltered))
    policy = _policy(settings, _extra_tags(settings))
    verification = VerificationService(search, retrieve, store.non_patient, policy)
    return Services(
        ingest=ingest,
        acceptance=acceptance(settings),
        search=search,
        verification=verification,
        non_patient=NonPatientService(store.non_patient, blobs, workers, policy),
        retrieve=retrieve,
        pixels=pixel_service,
        transcoding=transcoding,
        extraction=FrameExtractionService(blobs, workers, pixel_service),
        rendering=RenderingService(retrieve, blobs, workers, pixel_service, store.derived),
        delete=DeleteService(blobs, index, derived=(store.derived, store.transcoded)),
        modalities=modalities,
        associations=Associations(),
        commitments=CommitmentService(store.commitments, modalities, settings.commitment_reports),
        commitment_requests=CommitmentRequestService(store.commitment_requests, verification, settings.commitment_wait),
        resources=resources,
        reconstruct=ReconstructService(blobs, index, workers, _extra_tags(settings)),
        changes=ChangeService(index, stable_age=settings.stable_age),
        archives=ArchiveService(resources, retrieve, transcoding, store.titles, workers),
        creation=CreationService(ingest, retrieve, resources, workers),
        annotations=AnnotationService(store.annotations, blobs),
        edits=edits(transcoding),
        jobs=jobs,
        exports=ExportService(store.exports, is_kept=settings.log_exports),
        peers=known_peers(settings),
        dicomweb_servers=known_servers(settings),
        availability=_availability(settings, jobs, modalities, retrieve),
        worklist=worklist_service(settings, store, jobs),
        performed=PerformedStepService(store.worklist, PassingOn(jobs, settings.mpps_forward, settings.mpps_notify)),
        workitems=workitems,
        workitem_tidying=WorkitemTidying(store.workitems, workitems.events, settings.workitem_keep),
        workitem_channels=WorkitemChannels(workitems.events),
        queries=Queries(settings.kept_queries),
    )


def _availability(
    settings: Settings, jobs: JobService, modalities: Modalities, retrieve: RetrieveService
) -> AvailabilityService:
    by_get = settings.retrieve_method == "get"
    return AvailabilityService(
        jobs, modalities, retrieve, settings.fetch_available, ae_title=settings.ae_title, by_get=by_get
    )


def _extra_tags(settings: Settings) -> frozenset[int]:
    return frozenset(attribute.tag for attribute in extra_attributes(settings.extra_attributes))


def _policy(settings: Settings, extra_tags: frozenset[int]) -> IngestPolicy:
    return IngestPolicy(
        on_duplicate=OnDuplicate(settings.on_duplicate),
        accepted_sop_classes=UidPatterns(settings.accepted_sop_classes),
        rejected_sop_classes=UidPatterns(settings.rejected_sop_classes),
        max_instance_size=settings.max_instance_size,
        preamble=Preamble(settings.preamble),
        extra_tags=extra_tags,
    )


def _opened(settings: Settings, options: StoreOptions, *, rebuild: bool) -> Store:
    return EphemeralStore(options) if settings.ephemeral else Store(settings.data, options, rebuild=rebuild)


class Holder:
    """Where a running application finds what its lifespan opened."""

    def __init__(self) -> None:
        self._store: OpenStore | None = None
        self._counts: dict[str, float] = {}
        self._counted = -_COUNTS_KEPT

    def fill(self, store: OpenStore | None) -> None:
        """The store is open, or closed again."""
        self._store = store

    def services(self) -> Services:
        """The services; ServerError while there are none."""
        if self._store is None:
            raise ServerError(Reason.BUSY, "the server is starting or stopping")
        return self._store.services

    async def gauges(self) -> dict[str, float]:
        """How much is stored, by metric name; counted anew after a while only, since it takes long in a large store."""
        if self._store is not None and time.monotonic() - self._counted > _COUNTS_KEPT:
            counts = await self._store.store.index.counts()
            self._counts = {f"stored_{name}": float(count) for name, count in counts.items()}
            self._counted = time.monotonic()
        return self._counts | await self._work()

    async def _work(self) -> dict[str, float]:
        if self._store is None:
            return {}
        services = self._store.services
        jobs, workitems = await services.jobs.counts(), await services.workitems.counts()
        return {
            **{f"jobs_{state.value.lower()}": float(count) for state, count in jobs.items()},
            **{f"workitems_{state.name.lower()}": float(count) for state, count in workitems.items()},
            "notification_connections": float(services.workitem_channels.count),
        }

    async def health(self) -> dict[str, str]:
        """The checks of `/healthz`."""
        return await self._store.health() if self._store else {"store": "not open"}
