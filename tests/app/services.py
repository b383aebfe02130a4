"""All services over a store, as `bootstrap` makes them, for the harnesses of the adapters."""

from dicomweb_server.services import Services
from dicomweb_server.services.delete import DeleteService
from dicomweb_server.services.ingest import IngestPolicy, IngestService
from dicomweb_server.services.jobs import JobService
from dicomweb_server.services.resources import ResourceService
from dicomweb_server.services.retrieve import RetrieveService
from dicomweb_server.services.search import SearchService
from dicomweb_server.storage.store import Store
from dicomweb_server.storage.threads import Threads


def services_on(store: Store, workers: Threads, policy: IngestPolicy | None = None) -> Services:
    """One of each."""
    return Services(
        ingest=IngestService(store.blobs, store.index, workers, policy),
        search=SearchService(store.index),
        retrieve=RetrieveService(store.index, store.blobs, workers),
        delete=DeleteService(store.blobs, store.index, grace=0),
        jobs=JobService(store.jobs),
        resources=ResourceService(store.resources),
    )
