"""Settings → the service for pixels, and the processes that work for it."""

from dicomweb_server.dicom.pixels.encode import Target, can_encode
from dicomweb_server.errors import StartError
from dicomweb_server.server.pixel_processes import PixelLimits, PixelProcesses
from dicomweb_server.services.ingest_transcoding import IngestTarget, IngestTranscoder
from dicomweb_server.services.pixels import PixelService
from dicomweb_server.services.retrieve import RetrieveService
from dicomweb_server.services.transcoding import TranscodingOptions, TranscodingService
from dicomweb_server.services.workers import Workers
from dicomweb_server.settings import Settings
from dicomweb_server.storage.store import Store
from dicomweb_server.storage.threads import Threads


class PixelWork:
    """The processes for pixels, and a thread for each that waits for it."""

    def __init__(self, settings: Settings, processors: int) -> None:
        limits = PixelLimits(memory=settings.pixel_memory, time=settings.pixel_time)
        self._options = TranscodingOptions(quality=settings.lossy_quality)
        self._memory = settings.pixel_cache
        self._threads = Threads(settings.pixel_processes or processors, "pixels")
        self._processes = PixelProcesses(self._threads, limits)

    def service(self, retrieve: RetrieveService, store: Store, workers: Workers) -> PixelService:
        """The service on a store."""
        return PixelService(retrieve, store.blobs, workers, self._processes, self._memory)

    def transcoding(
        self, retrieve: RetrieveService, store: Store, workers: Workers, pixels: PixelService
    ) -> TranscodingService:
        """The service that transcodes what a store holds."""
        return TranscodingService(retrieve, store.blobs, workers, pixels, store.transcoded, self._options)

    def ingest_transcoder(self, settings: Settings, store: Store) -> IngestTranscoder | None:
        """What transcodes everything that arrives; None unless that is wanted."""
        uid = settings.ingest_transcoding
        if not uid:
            return None
        if not can_encode(uid):
            raise StartError(f"ingest_transcoding = {uid} is not a transfer syntax that this server can encode in")
        wanted = IngestTarget(
            target=Target(uid, settings.lossy_quality),
            of_compressed="compressed" in settings.ingest_transcoding_of,
            of_uncompressed="uncompressed" in settings.ingest_transcoding_of,
        )
        return IngestTranscoder(store.blobs, self._processes, wanted)

    def close(self) -> None:
        """End what is under way, at once."""
        self._processes.close()
        self._threads.close()
