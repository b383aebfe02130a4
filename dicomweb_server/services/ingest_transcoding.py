"""IngestTranscoder: brings what arrives into the transfer syntax that is wanted for it before it is stored.

Never refuses: what it cannot transcode is stored as it came.
"""

import asyncio
import logging
from dataclasses import dataclass

from dicomweb_server.dicom.elements import walk
from dicomweb_server.dicom.header import Header, read_header
from dicomweb_server.dicom.origin import Origin
from dicomweb_server.dicom.pixels.description import PixelDescription, describe_pixels
from dicomweb_server.dicom.pixels.encode import Target
from dicomweb_server.dicom.pixels.transcode import transcode
from dicomweb_server.dicom.uid_patterns import NONE, UidPatterns
from dicomweb_server.dicom.uids import TRANSFER_SYNTAXES
from dicomweb_server.errors import ServerError
from dicomweb_server.ports.blobs import Blobs, Staged
from dicomweb_server.services.pixels import PixelWorkers

_log = logging.getLogger(__name__)

_SOP_CLASS, _MODALITY = 0x00080016, 0x00080060
_DEEPEST = 16  # bits
_HIGH_THROUGHPUT = frozenset("1.2.840.10008.1.2.4." + last for last in ("201", "202", "203"))
_LARGEST = 1 << 28  # of what travels to a process as one piece


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestException:
    """What certain instances are brought to instead, None for nothing. Empty conditions hold for all."""

    target: Target | None
    modalities: frozenset[str] = frozenset()
    sop_classes: UidPatterns = NONE
    senders: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestTarget:
    """What arrives is brought to `target`, if it is compressed, or if it is not, as the two say.

    `exceptions`: the first one that is meant for an instance decides instead of `target`, None for nothing.
    """

    target: Target | None = None
    of_compressed: bool = True
    of_uncompressed: bool = True
    exceptions: tuple[IngestException, ...] = ()


class IngestTranscoder:
    """Transcodes staged instances."""

    def __init__(self, blobs: Blobs, processes: PixelWorkers, wanted: IngestTarget) -> None:
        self._blobs = blobs
        self._processes = processes
        self._wanted = wanted

    async def transcoded(self, staged: Staged, origin: Origin) -> Staged:
        """The instance in the wanted transfer syntax, in the place of the one that was staged; or that one."""
        if staged.size > _LARGEST:
            return staged
        try:
            data, sender = await _bytes_of(staged), origin.calling_ae_title.strip()
            made = await self._processes.run(in_wanted_syntax, data, self._wanted, sender)
            if made is None:
                return staged
            replacement = await self._staged(made)
        except ServerError as error:
            _log.info("an instance is stored in the transfer syntax it came in: %s", error.detail)
            return staged
        await self._blobs.discard([staged])
        return replacement

    async def _staged(self, made: bytes) -> Staged:
        spool = self._blobs.stage()
        try:
            await spool.write(made)
            return await spool.finish()
        except BaseException:
            await spool.discard()
            raise


async def _bytes_of(staged: Staged) -> bytes:
    if staged.data is not None:
        return staged.data
    assert staged.path is not None
    return await asyncio.to_thread(staged.path.read_bytes)


def in_wanted_syntax(data: bytes, wanted: IngestTarget, sender: str = "") -> bytes | None:
    """The file in the wanted transfer syntax; None if it should stay as it is. Runs in a process of its own."""
    header = read_header(data)
    syntax = TRANSFER_SYNTAXES.get(header.transfer_syntax_uid)
    is_compressed = syntax is not None and syntax.encapsulated
    allowed = wanted.of_compressed if is_compressed else wanted.of_uncompressed
    if not allowed or header.pixel_data is None:
        return None
    target = _target(wanted, header, sender)
    if target is None or header.transfer_syntax_uid == target.transfer_syntax_uid:
        return None
    if not _is_seen(describe_pixels(header), target.transfer_syntax_uid):
        return None
    return transcode(data, target)


def _target(wanted: IngestTarget, header: Header, sender: str) -> Target | None:
    if not wanted.exceptions:
        return wanted.target
    values = {_SOP_CLASS: "", _MODALITY: ""}
    for element in walk(header.buffer, header.start, header.end, header.encoding):
        if element.tag in values:
            raw = header.buffer[element.start : element.end]
            values[element.tag] = raw.strip(b" \0").decode("ascii", "replace")
        elif element.tag > _MODALITY:
            break
    for exception in wanted.exceptions:
        if (
            (not exception.modalities or values[_MODALITY] in exception.modalities)
            and (not exception.sop_classes or values[_SOP_CLASS] in exception.sop_classes)
            and (not exception.senders or sender in exception.senders)
        ):
            return exception.target
    return wanted.target


def _is_seen(description: PixelDescription, transfer_syntax_uid: str) -> bool:
    """Whether viewers show what is made. Their decoders stop at 16 bits, and in HTJ2K they mix up YCbCr as it is."""
    if transfer_syntax_uid in _HIGH_THROUGHPUT and description.decoded().photometric_interpretation == "YBR_FULL":
        return False
    return description.bits_allocated <= _DEEPEST or not TRANSFER_SYNTAXES[transfer_syntax_uid].encapsulated
