"""Settings → the service for pixels, and the processes that work for it."""

from dicomweb_server.dicom.pixels.encode import Target, can_encode
from dicomweb_server.dicom.uid_patterns import UidPatterns
from dicomweb_server.errors import StartError
from dicomweb_server.server.pixel_processes import PixelLimits, PixelProcesses
from dicomweb_server.services.ingest_transcoding import IngestException, IngestTarget, IngestTranscoder
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
        rules = settings.ingest_transcoding_rules
        if not settings.ingest_transcoding and not rules:
            return None
        wanted = IngestTarget(
            target=self._target("ingest_transcoding", settings.ingest_transcoding),
            of_compressed="compressed" in settings.ingest_transcoding_of,
            of_uncompressed="uncompressed" in settings.ingest_transcoding_of,
            exceptions=tuple(
                IngestException(
                    target=self._target(f"ingest_transcoding_rules.{name}.to", rule.to),
                    modalities=frozenset(rule.modalities),
                    sop_classes=UidPatterns(rule.sop_classes),
                    senders=frozenset(rule.senders),
                )
                for name, rule in rules.items()
            ),
        )
        return IngestTranscoder(store.blobs, self._processes, wanted)

    def _target(self, option: str, uid: str | None) -> Target | None:
        if not uid:
            return None
        if not can_encode(uid):
            raise StartError(f"{option} = {uid} is not a transfer syntax that this server can encode in")
        return Target(uid, self._options.quality)

    def close(self) -> None:
        """End what is under way, at once."""
        self._processes.close()
        self._threads.close()
