"""Settings → the service for pixels, and the processes that work for it."""

from dicomweb_server.server.pixel_processes import PixelLimits, PixelProcesses
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
        return TranscodingService(retrieve, store.blobs, workers, pixels, self._options)

    def close(self) -> None:
        """End what is under way, at once."""
        self._processes.close()
        self._threads.close()
