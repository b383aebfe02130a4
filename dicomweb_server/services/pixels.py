"""PixelService: frames decoded, encoded anew and whatever else is made of pixels, in processes of their own, and kept.

What codecs do with hostile bytes happens elsewhere: a crash, or a limit of time or memory, costs one request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Protocol, TypeVar

from dicomweb_server.dicom.arrays import NDArray, np
from dicomweb_server.dicom.frames import FrameIndex
from dicomweb_server.dicom.header import read_header
from dicomweb_server.dicom.pixels.decode import decode_frame
from dicomweb_server.dicom.pixels.description import PixelDescription, describe_pixels
from dicomweb_server.ports.blobs import Blobs
from dicomweb_server.ports.index import StoredInstance
from dicomweb_server.services.memory_cache import MemoryCache
from dicomweb_server.services.retrieve import RetrieveService
from dicomweb_server.services.shared_work import SharedWork
from dicomweb_server.services.workers import Workers

_T = TypeVar("_T")
Samples = NDArray[Any]

_DESCRIPTIONS = 4096  # that are remembered


class PixelWorkers(Protocol):
    """Processes that run pure functions on hostile bytes."""

    async def run(self, function: Callable[..., _T], *arguments: object) -> _T:
        """The result of a function of some module; ServerError also where it crashes or passes a limit."""


class PixelService:
    """Pixels of stored instances. Everything that is kept is kept by the key of the blob, which never changes."""

    def __init__(
        self, retrieve: RetrieveService, blobs: Blobs, threads: Workers, processes: PixelWorkers, memory: int
    ) -> None:
        """`threads`: for what needs no codec. `memory`: how many bytes may be kept there."""
        self._retrieve = retrieve
        self._blobs = blobs
        self._threads = threads
        self._processes = processes
        self._kept = MemoryCache(memory)
        self._shared = SharedWork()
        self._descriptions: dict[str, PixelDescription] = {}

    async def run(self, function: Callable[..., _T], *arguments: object) -> _T:
        """The result of a pure function of some module, run in a process with limits. Arguments and result travel."""
        return await self._processes.run(function, *arguments)

    async def kept(self, key: tuple[Hashable, ...], make: Callable[[], Awaitable[bytes]]) -> bytes:
        """What `make` gives, made once for all who ask meanwhile, and kept. `key`: the blob's key first, then what."""
        there = self._kept.get(key)
        if there is not None:
            return there
        return await self._shared.result(key, lambda: self._made(key, make))

    async def _made(self, key: tuple[Hashable, ...], make: Callable[[], Awaitable[bytes]]) -> bytes:
        made = await make()
        self._kept.put(key, made)
        return made

    async def description(self, instance: StoredInstance) -> PixelDescription:
        """How the pixels of an instance are stored; ServerError: NOT_FOUND without any, NOT_ACCEPTABLE if odd."""
        known = self._descriptions.get(instance.key)
        if known is None:
            file = await self._blobs.map(instance.key)
            known = await self._threads.run(lambda: describe_pixels(read_header(file)))
            if len(self._descriptions) >= _DESCRIPTIONS:
                self._descriptions.clear()
            self._descriptions[instance.key] = known
        return known

    async def stored_frame(self, instance: StoredInstance, frame_number: int) -> bytes:
        """The bytes of a frame for `decode_frame`; ServerError: BAD_REQUEST or NOT_FOUND if there is no such frame."""
        frames = FrameIndex.unpack(instance.frames)
        return await self._retrieve.contents.read(self._retrieve.frame(instance, frames, frame_number))

    async def decoded_frame(self, instance: StoredInstance, frame_number: int) -> Samples:
        """The samples of a frame, as `description(instance).decoded()` describes them."""
        description = await self.description(instance)
        decoded = await self.kept(
            (instance.key, "decoded", str(frame_number)), lambda: self._decoded(instance, description, frame_number)
        )
        return np.frombuffer(decoded, description.dtype).reshape(description.shape)

    async def _decoded(self, instance: StoredInstance, description: PixelDescription, frame_number: int) -> bytes:
        stored = await self.stored_frame(instance, frame_number)
        return await self.run(decoded_bytes, stored, description)


def decoded_bytes(data: bytes, description: PixelDescription) -> bytes:
    """The samples of a frame one after the other, little endian; one byte each also where single bits are stored."""
    return np.ascontiguousarray(decode_frame(data, description), description.dtype).tobytes()
