"""All services over a store, as `bootstrap` makes them, for the harnesses of the adapters."""

from dicomweb_server.bootstrap.edits import edit_service
from dicomweb_server.bootstrap.jobs import register_kinds
from dicomweb_server.services import Services
from dicomweb_server.services.acceptance import Acceptance
from dicomweb_server.services.annotations import AnnotationService
from dicomweb_server.services.archives import ArchiveService
from dicomweb_server.services.associations import Associations
from dicomweb_server.services.availability import AvailabilityService
from dicomweb_server.services.changes import ChangeService
from dicomweb_server.services.commitment import CommitmentService
from dicomweb_server.services.commitment_requests import CommitmentRequestService
from dicomweb_server.services.creation import CreationService
from dicomweb_server.services.delete import DeleteService
from dicomweb_server.services.exports import ExportService
from dicomweb_server.services.frame_extraction import FrameExtractionService
from dicomweb_server.services.ingest import IngestPolicy, IngestService
from dicomweb_server.services.jobs import JobService
from dicomweb_server.services.modalities import Modalities
from dicomweb_server.services.non_patient import NonPatientService
from dicomweb_server.services.performed import PerformedStepService
from dicomweb_server.services.pixels import PixelService
from dicomweb_server.services.queries import Queries
from dicomweb_server.services.reconstruct import ReconstructService
from dicomweb_server.services.rendering import RenderingService
from dicomweb_server.services.resources import ResourceService
from dicomweb_server.services.retrieve import RetrieveService
from dicomweb_server.services.search import SearchService
from dicomweb_server.services.transcoding import TranscodingService
from dicomweb_server.services.verification import VerificationService
from dicomweb_server.services.web_remotes import DicomWebServers, Peers
from dicomweb_server.services.workitem_channels import WorkitemChannels
from dicomweb_server.services.workitem_events import EventQueue
from dicomweb_server.services.workitem_tidying import WorkitemTidying
from dicomweb_server.services.workitems import WorkitemService
from dicomweb_server.services.worklist import WorklistOptions, WorklistService
from dicomweb_server.settings import Settings
from dicomweb_server.storage.store import Store
from dicomweb_server.storage.threads import Threads
from dicomweb_server.storage.worklist_folder import WorklistFolder
from tests.pixel_workers import InlineWorkers


def services_on(
    store: Store,
    workers: Threads,
    policy: IngestPolicy | None = None,
    files: WorklistFolder | None = None,
    worklist_options: WorklistOptions | None = None,
    commitment_wait: float = 5.0,
) -> Services:
    """One of each."""
    retrieve = RetrieveService(store.index, store.blobs, workers)
    pixels = PixelService(retrieve, store.blobs, workers, InlineWorkers(), memory=1 << 24)
    modalities, jobs = Modalities(), JobService(store.jobs)
    resources = ResourceService(store.resources, store.index)
    ingest = IngestService(store.blobs, store.index, workers, policy)
    transcoding = TranscodingService(retrieve, store.blobs, workers, pixels, store.transcoded)
    search = SearchService(store.index)
    verification = VerificationService(search, retrieve, store.non_patient, policy)
    workitems = WorkitemService(store.workitems, store.workitem_subscriptions, EventQueue())
    services = Services(
        ingest=ingest,
        acceptance=Acceptance(),
        search=search,
        verification=verification,
        non_patient=NonPatientService(store.non_patient, store.blobs, workers, policy),
        retrieve=retrieve,
        pixels=pixels,
        transcoding=transcoding,
        extraction=FrameExtractionService(store.blobs, workers, pixels),
        rendering=RenderingService(retrieve, store.blobs, workers, pixels, store.derived),
        delete=DeleteService(store.blobs, store.index, grace=0, derived=(store.derived, store.transcoded)),
        jobs=jobs,
        exports=ExportService(store.exports, is_kept=True),
        modalities=modalities,
        associations=Associations(),
        peers=Peers(),
        dicomweb_servers=DicomWebServers(),
        queries=Queries(),
        commitments=CommitmentService(store.commitments, modalities),
        commitment_requests=CommitmentRequestService(store.commitment_requests, verification, commitment_wait),
        edits=edit_service(store, workers, transcoding, policy),
        availability=AvailabilityService(jobs, modalities, retrieve),
        worklist=WorklistService(store.worklist, store.worklist, files, worklist_options),
        performed=PerformedStepService(store.worklist),
        workitems=workitems,
        workitem_tidying=WorkitemTidying(store.workitems, workitems.events),
        workitem_channels=WorkitemChannels(workitems.events),
        resources=resources,
        reconstruct=ReconstructService(store.blobs, store.index, workers, frozenset()),
        changes=ChangeService(store.index, stable_age=0.0),
        creation=CreationService(ingest, retrieve, resources, workers),
        archives=ArchiveService(resources, retrieve, transcoding, store.titles, workers),
        annotations=AnnotationService(store.annotations, store.blobs),
    )
    register_kinds(Settings(), services)
    return services
