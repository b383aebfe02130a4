"""The verbs of the server, and the bundle of them that every adapter receives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # who needs one of them shall not load all
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
    from dicomweb_server.services.edits import EditService
    from dicomweb_server.services.exports import ExportService
    from dicomweb_server.services.frame_extraction import FrameExtractionService
    from dicomweb_server.services.ingest import IngestService
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
    from dicomweb_server.services.workitem_tidying import WorkitemTidying
    from dicomweb_server.services.workitems import WorkitemService
    from dicomweb_server.services.worklist import WorklistService


@dataclass(frozen=True, slots=True)
class Services:
    """One of each; made by `bootstrap`, closed by `app`'s lifespan."""

    ingest: IngestService
    acceptance: Acceptance
    search: SearchService
    retrieve: RetrieveService
    pixels: PixelService
    transcoding: TranscodingService
    extraction: FrameExtractionService
    rendering: RenderingService
    delete: DeleteService
    resources: ResourceService
    reconstruct: ReconstructService
    changes: ChangeService
    annotations: AnnotationService
    edits: EditService
    jobs: JobService
    exports: ExportService
    commitments: CommitmentService
    commitment_requests: CommitmentRequestService
    verification: VerificationService
    non_patient: NonPatientService
    availability: AvailabilityService
    worklist: WorklistService
    performed: PerformedStepService
    workitems: WorkitemService
    workitem_tidying: WorkitemTidying
    workitem_channels: WorkitemChannels
    archives: ArchiveService
    creation: CreationService
    modalities: Modalities
    associations: Associations
    peers: Peers
    dicomweb_servers: DicomWebServers
    queries: Queries
