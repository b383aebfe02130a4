"""Settings → the job service, and the table of what jobs there are."""

from collections.abc import Sequence

from dicomweb_server.bootstrap.remotes import remote_kinds
from dicomweb_server.bootstrap.worklist import workitem_kind
from dicomweb_server.services import Services
from dicomweb_server.services.archive_job import ArchiveKind
from dicomweb_server.services.edit_jobs import ModificationJobs
from dicomweb_server.services.jobs import JobKind, JobOptions, JobService
from dicomweb_server.services.study_jobs import MergeJobs, SplitJobs
from dicomweb_server.settings import Settings
from dicomweb_server.storage.store import Store


def job_service(settings: Settings, store: Store) -> JobService:
    """The jobs of a store, not running yet."""
    options = JobOptions(
        concurrent=settings.concurrent_jobs, history=settings.jobs_history_size, save=settings.save_jobs
    )
    return JobService(store.jobs, options)


def job_kinds(settings: Settings, services: Services) -> Sequence[JobKind]:
    """One of each kind that there is."""
    return (
        ArchiveKind("Archive", services.archives, services.resources),
        ArchiveKind("Media", services.archives, services.resources),
        *remote_kinds(settings, services),
        workitem_kind(settings, services),
        ModificationJobs(services.edits),
        SplitJobs(services.edits),
        MergeJobs(services.edits),
    )


def register_kinds(settings: Settings, services: Services) -> None:
    """Have the job service know all kinds."""
    for kind in job_kinds(settings, services):
        services.jobs.register(kind)
