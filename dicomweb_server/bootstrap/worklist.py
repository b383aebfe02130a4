"""Settings → the modality worklist and the workitems."""

from dicomweb_server.services import Services
from dicomweb_server.services.jobs import JobService
from dicomweb_server.services.priors import PriorsOfSteps
from dicomweb_server.services.study_workitems import Code, Source, StudyWorkitemKind, WorkitemTemplate
from dicomweb_server.services.workitem_events import EventQueue
from dicomweb_server.services.workitems import WorkitemService
from dicomweb_server.services.worklist import WorklistOptions, WorklistService
from dicomweb_server.services.worklist_import import ImportOptions, WorklistImport
from dicomweb_server.settings import Settings
from dicomweb_server.storage.store import Store
from dicomweb_server.storage.worklist_folder import WorklistFolder


def worklist_service(settings: Settings, store: Store, jobs: JobService) -> WorklistService:
    """The worklist over an open store, and over a folder if there is one."""
    files = WorklistFolder(settings.worklist_folder) if settings.worklist_folder is not None else None
    options = WorklistOptions(
        own_station_only=settings.worklist_own_station,
        limit=settings.worklist_limit,
        add_study_uid=settings.worklist_study_uid,
        remove_when_stored=settings.worklist_remove_stored,
        keep=settings.worklist_keep,
        interval=settings.worklist_interval,
    )
    priors = PriorsOfSteps(jobs, settings.worklist_priors)
    return WorklistService(store.worklist, store.worklist, files, options, priors)


def worklist_import(settings: Settings, store: Store, services: Services) -> WorklistImport:
    """The import of other worklists, not running yet."""
    sources = settings.worklist_import if settings.worklist else ()
    options = ImportOptions(sources, settings.worklist_import_interval, settings.worklist_import_days)
    return WorklistImport(store.worklist, services.worklist, services.modalities, options)


def workitem_kind(settings: Settings, services: Services) -> StudyWorkitemKind:
    """The jobs that schedule workitems for studies."""
    templates = {
        name: WorkitemTemplate(
            each.label,
            each.worklist,
            each.priority.upper(),
            _code(each.station),
            _code(each.workitem),
            each.expires,
            each.modality,
        )
        for name, each in settings.workitem_templates.items()
    }
    source = Source(settings.ae_title, (settings.public_url or "").rstrip("/"))
    return StudyWorkitemKind(
        services.workitems,
        services.modalities,
        services.search,
        services.retrieve,
        templates,
        source,
        settings.retry_for,
    )


def _code(text: str) -> Code | None:
    return Code(*text.split("^")) if text else None


def workitem_service(store: Store) -> WorkitemService:
    """The workitems of a store."""
    return WorkitemService(store.workitems, store.workitem_subscriptions, EventQueue())
