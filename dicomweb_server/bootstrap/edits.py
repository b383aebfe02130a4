"""A store → the service that edits what is in it."""

from dataclasses import replace

from dicomweb_server.services.edits import EditService
from dicomweb_server.services.ingest import IngestMeter, IngestPolicy, IngestService, OnDuplicate
from dicomweb_server.services.transcoding import TranscodingService
from dicomweb_server.services.workers import Workers
from dicomweb_server.storage.store import Store


def edit_service(
    store: Store,
    workers: Workers,
    transcoding: TranscodingService,
    policy: IngestPolicy | None = None,
    meter: IngestMeter | None = None,
) -> EditService:
    """What it makes replaces what has the same UIDs, whatever is done with duplicates that are sent."""
    correcting = replace(policy or IngestPolicy(), on_duplicate=OnDuplicate.REPLACE)
    ingest = IngestService(store.blobs, store.index, workers, correcting, meter)
    return EditService(store.index, store.blobs, ingest, workers, store.annotations, transcoding)
