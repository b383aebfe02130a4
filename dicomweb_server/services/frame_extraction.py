"""FrameExtractionService: some frames of a stored instance as an instance of their own (PS3.4 annex Y), to be sent."""

from dataclasses import dataclass

from dicomweb_server.dicom.frame_choice import FrameChoice
from dicomweb_server.dicom.frame_extraction import Extraction, extraction
from dicomweb_server.dicom.header import read_header
from dicomweb_server.dicom.part10 import read_file_meta
from dicomweb_server.dicom.pixels.encode import Target
from dicomweb_server.dicom.pixels.transcode import transcode
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.blobs import Blobs
from dicomweb_server.ports.index import StoredInstance
from dicomweb_server.services.contents import Content, at_hand
from dicomweb_server.services.pixels import PixelService
from dicomweb_server.services.workers import Workers

_MOST_TRANSCODED = 64 << 20  # bytes: it is in memory as a whole


@dataclass(frozen=True, slots=True)
class ExtractedInstance:
    """One that was made, and is stored nowhere."""

    instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    extraction: Extraction


class FrameExtractionService:
    """Makes instances of frames, as plans over the bytes of their source."""

    def __init__(self, blobs: Blobs, workers: Workers, pixels: PixelService) -> None:
        self._blobs = blobs
        self._workers = workers
        self._pixels = pixels

    async def extracted(self, instance: StoredInstance, choice: FrameChoice) -> ExtractedInstance:
        """The instance; FrameProblemError, ServerError(TOO_LARGE)."""
        file = await self._blobs.map(instance.key)
        made = await self._workers.run(lambda: extraction(read_header(file), choice))
        return ExtractedInstance(made.instance_uid, instance.sop_class_uid, made.transfer_syntax_uid, made)

    async def data_set(self, instance: ExtractedInstance, transfer_syntax_uid: str) -> Content:
        """The bare data set in a transfer syntax that loses nothing."""
        made = instance.extraction
        if transfer_syntax_uid == instance.transfer_syntax_uid:
            return at_hand(made.made)
        if made.file.size > _MOST_TRANSCODED:
            problem = f"the frames have {made.file.size} bytes, the limit of what is transcoded is {_MOST_TRANSCODED}"
            raise ServerError(Reason.TOO_LARGE, problem)
        file = await self._workers.run(lambda: b"".join(made.file))
        data = await self._pixels.run(transcode, file, Target(transfer_syntax_uid, 100))
        return at_hand(data[read_file_meta(data)[1] :])
