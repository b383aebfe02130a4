"""TranscodingService: stored instances and frames in other transfer syntaxes, made when asked for, and kept a while."""

import asyncio
import logging
import mmap
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import pairwise

from dicomweb_server.dicom.frames import FrameIndex
from dicomweb_server.dicom.header import read_header
from dicomweb_server.dicom.pixels.encode import EncodedFrame, Target, can_encode, may_lose
from dicomweb_server.dicom.pixels.lossy import with_instance_uid
from dicomweb_server.dicom.pixels.recompress import recompresses
from dicomweb_server.dicom.pixels.transcode import (
    FrameChange,
    check_whole,
    encodes,
    needs_codec,
    transcode,
    transcode_frame,
    with_frames,
)
from dicomweb_server.dicom.reencode import unchanged
from dicomweb_server.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN, TRANSFER_SYNTAXES
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.blobs import Blobs, Staged
from dicomweb_server.ports.derived import Derived, NothingDerived
from dicomweb_server.ports.index import StoredInstance
from dicomweb_server.services.contents import Content, Made
from dicomweb_server.services.pixels import PixelService
from dicomweb_server.services.retrieve import RetrieveService
from dicomweb_server.services.workers import Workers

_log = logging.getLogger(__name__)

# An instance up to this size, and of as many bytes when decoded, is one piece of work; a larger one is many.
_ONE_PIECE = 16 << 20
_MOST_GROWTH = 8
_MOST = 2 << 30  # bytes of all frames of one instance, decoded or encoded
_FRAMES_AT_ONCE = 8
_TRIAL_SIDE = 64  # rows and columns
_REFUSALS = frozenset({Reason.NOT_ACCEPTABLE, Reason.TOO_LARGE})


@dataclass(frozen=True, slots=True)
class TranscodingOptions:
    """`quality`, from 1 to 100: of what is encoded with losses."""

    quality: int = 90


@dataclass(frozen=True, slots=True)
class TranscodingWish:
    """A transfer syntax, and the quality if it may lose something; None: that of the options."""

    transfer_syntax_uid: str
    quality: int | None = None

    def __post_init__(self) -> None:
        if not can_encode(self.transfer_syntax_uid):
            raise ServerError(Reason.BAD_REQUEST, "Transcode: expected a transfer syntax that this server can make")


class TranscodingService:
    """Finds the cheapest way to a transfer syntax: what is there, other heads and byte order, or through the pixels."""

    def __init__(
        self,
        retrieve: RetrieveService,
        blobs: Blobs,
        threads: Workers,
        pixels: PixelService,
        derived: Derived | None = None,
        options: TranscodingOptions | None = None,
    ) -> None:
        """`derived`: where what was made is kept, beside the memory of `pixels`."""
        self._retrieve = retrieve
        self._blobs = blobs
        self._threads = threads
        self._pixels = pixels
        self._derived = derived or NothingDerived()
        self._quality = (options or TranscodingOptions()).quality
        self._encodable: dict[FrameChange, bool] = {}

    def variant(self, transfer_syntax_uid: str, quality: int | None = None) -> str:
        """What tells a representation in a transfer syntax from others of the same instance."""
        return _variant(Target(transfer_syntax_uid, quality or self._quality))

    def file(self, instance: StoredInstance, transfer_syntax_uid: str, quality: int | None = None) -> Content:
        """The Part 10 file in a transfer syntax; reading it raises ServerError(NOT_ACCEPTABLE) where it cannot be made.

        Where a compression is wanted, an instance without pixels is in Explicit VR Little Endian. `quality`: instead
        of that of the options.
        """
        if transfer_syntax_uid == instance.transfer_syntax_uid:
            return self._retrieve.file(instance)
        wanted = made_syntax(instance, transfer_syntax_uid)
        if wanted == instance.transfer_syntax_uid:
            return self._retrieve.file(instance)
        if not needs_codec(instance.transfer_syntax_uid, wanted):
            return self._retrieve.native_file(instance, wanted)
        target = Target(wanted, quality or self._quality)
        return Content(instance.size, make=lambda: self._file(instance, target), exact=False)

    def file_or_stored(self, instance: StoredInstance, transfer_syntax_uid: str, quality: int | None = None) -> Content:
        """The same; where it cannot be made, the file as it is stored, so that one does not cost all the others."""
        content = self.file(instance, transfer_syntax_uid, quality)
        make = content.make
        if make is None:
            return content

        async def made_or_stored() -> bytes | Made:
            try:
                return await make()
            except ServerError as error:
                if error.reason not in _REFUSALS:
                    raise
                _log.info("instance %s is sent as it is stored: %s", instance.instance_uid, error.detail)
                return unchanged(await self._blobs.map(instance.key))

        return Content(content.size, make=made_or_stored, exact=False)

    async def can_make(self, instance: StoredInstance, transfer_syntax_uid: str) -> bool:
        """Whether an instance can be brought to a transfer syntax, as far as can be told without its pixels."""
        wanted = made_syntax(instance, transfer_syntax_uid)
        frames = FrameIndex.unpack(instance.frames)
        if not frames.tag or not needs_codec(instance.transfer_syntax_uid, wanted):
            return True
        try:
            check_whole(frames)
            description = await self._pixels.description(instance)
        except ServerError as error:
            if error.reason not in _REFUSALS:
                raise
            return False
        if recompresses(instance.transfer_syntax_uid, wanted):
            return True
        small = replace(description.decoded(), rows=_TRIAL_SIDE, columns=_TRIAL_SIDE, frames=1)
        trial = FrameChange(small, Target(wanted, self._quality))
        if trial not in self._encodable:
            self._encodable[trial] = await self._pixels.run(encodes, trial)
        return self._encodable[trial]

    async def whole(self, instance: StoredInstance, wish: TranscodingWish) -> bytes | mmap.mmap:
        """The Part 10 file in one piece, for those who give it a UID of their own.

        Even if its pixels lost something it has the SOP Instance UID that is stored, by which others refer to it.
        """
        content = self.file(instance, wish.transfer_syntax_uid, wish.quality)
        if content.make is None:
            return await self._blobs.map(instance.key)
        data = await self._retrieve.contents.read(content)
        if may_lose(wish.transfer_syntax_uid):
            return await self._threads.run(lambda: with_instance_uid(data, instance.instance_uid))
        return data

    def frame(self, instance: StoredInstance, frame_number: int, transfer_syntax_uid: str) -> Content:
        """A frame in a transfer syntax: compressed, or as little endian bytes for a native one."""
        FrameIndex.unpack(instance.frames).locate(frame_number)
        target = Target(transfer_syntax_uid, self._quality)

        async def make() -> bytes:
            description = await self._pixels.description(instance)
            packed = await self._packed_frame(instance, frame_number, FrameChange(description, target))
            return EncodedFrame.unpack(packed).data

        return Content(0, make=make, exact=False)

    async def _file(self, instance: StoredInstance, target: Target) -> bytes | Made:
        frames = FrameIndex.unpack(instance.frames)
        if not frames.tag:
            file = await self._blobs.map(instance.key)
            return await self._threads.run(lambda: transcode(file, target))
        # Samples take at most eight times as many bytes as in a native file, where they may be single bits.
        if not frames.encapsulated and not frames.deflated and _MOST_GROWTH * instance.size <= _ONE_PIECE:
            return await self._kept(instance, "file", target, lambda: self._whole(instance, target))
        description = await self._pixels.description(instance)
        size = description.decoded_size * max(frames.declared, frames.count)
        if size > _MOST:
            raise ServerError(Reason.TOO_LARGE, f"its frames have {size} bytes when decoded, the limit is {_MOST}")
        if max(size, instance.size) <= _ONE_PIECE:
            return await self._kept(instance, "file", target, lambda: self._whole(instance, target))
        return await self._frame_by_frame(instance, frames, FrameChange(description, target))

    async def _whole(self, instance: StoredInstance, target: Target) -> bytes:
        data = await self._retrieve.contents.read(self._retrieve.file(instance))
        return await self._pixels.run(transcode, data, target)

    async def _frame_by_frame(self, instance: StoredInstance, frames: FrameIndex, change: FrameChange) -> Made:
        """Each frame is a piece of work of its own, so that all processes can do some, and none stays in memory."""
        check_whole(frames)
        spool = self._blobs.stage()
        first: EncodedFrame | None = None
        ends = [0]
        try:
            async for frame in self._encoded_frames(instance, frames.count, change):
                first = first or frame
                await spool.write(frame.data)
                ends.append(ends[-1] + len(frame.data))
            staged = await spool.finish()
            data = await self._threads.run(lambda: _buffer(staged))
        finally:
            await spool.discard()  # what is mapped stays until it is not wanted any more
        if first is None:
            raise ServerError(Reason.NOT_ACCEPTABLE, "the instance has no frames")
        like, pieces = first, [data[start:end] for start, end in pairwise(ends)]
        file = await self._blobs.map(instance.key)
        return await self._threads.run(lambda: with_frames(read_header(file), change, like, pieces))

    async def _encoded_frames(
        self, instance: StoredInstance, count: int, change: FrameChange
    ) -> AsyncIterator[EncodedFrame]:
        """All in their order; some are made at the same time."""
        under_way: deque[asyncio.Task[bytes]] = deque()
        try:
            for number in range(1, count + 1):
                under_way.append(asyncio.create_task(self._packed_frame(instance, number, change)))
                if len(under_way) == _FRAMES_AT_ONCE:
                    yield EncodedFrame.unpack(await under_way.popleft())
            while under_way:
                yield EncodedFrame.unpack(await under_way.popleft())
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _packed_frame(self, instance: StoredInstance, number: int, change: FrameChange) -> bytes:
        async def make() -> bytes:
            stored = await self._pixels.stored_frame(instance, number)
            return await self._pixels.run(_packed, stored, change)

        return await self._kept(instance, f"frame {number}", change.target, make)

    async def _kept(
        self, instance: StoredInstance, what: str, target: Target, make: Callable[[], Awaitable[bytes]]
    ) -> bytes:
        """What is kept in memory, else on the disk, else made, by one for all who ask meanwhile."""
        variant = f"{what} in {_variant(target)}"

        async def kept_or_made() -> bytes:
            there = await self._derived.get(instance.key, variant)
            if there is None:
                there = await make()
                await self._derived.put(instance.key, variant, there)
            return there

        return await self._pixels.kept((instance.key, variant), kept_or_made)


def made_syntax(instance: StoredInstance, transfer_syntax_uid: str) -> str:
    """The transfer syntax that comes of the wish for one: only pixels can be compressed."""
    syntax = TRANSFER_SYNTAXES.get(transfer_syntax_uid)
    if syntax is None or not can_encode(transfer_syntax_uid):
        raise ServerError(Reason.NOT_ACCEPTABLE, f"this server cannot encode in transfer syntax {transfer_syntax_uid}")
    if syntax.encapsulated and not FrameIndex.unpack(instance.frames).tag:
        native = not TRANSFER_SYNTAXES[instance.transfer_syntax_uid].encapsulated
        return instance.transfer_syntax_uid if native else EXPLICIT_VR_LITTLE_ENDIAN
    return transfer_syntax_uid


def _variant(target: Target) -> str:
    return f"{target.transfer_syntax_uid}-{target.quality}"


def _buffer(staged: Staged) -> memoryview:
    """The bytes of what was staged: in memory only as far as they are read, and there even when the file is gone."""
    if staged.path is None:
        return memoryview(staged.data or b"")
    with staged.path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _packed(stored: bytes, change: FrameChange) -> bytes:
    return transcode_frame(stored, change).pack()
