"""Retrieve: what is stored, found under its identifiers and told by where it lies. Reading it is `contents`' part."""

import mmap
from collections.abc import AsyncIterator, Mapping, Sequence

from dicomweb_server.dicom.bulk_data import BulkValue, all_bulk, locate, parse_path, stored_value
from dicomweb_server.dicom.frames import FrameIndex
from dicomweb_server.dicom.header import open_part10, read_header
from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.dicom.reencode import reencode
from dicomweb_server.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN
from dicomweb_server.dicom.without_bulk_data import without_bulk_data
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.blobs import Blobs
from dicomweb_server.ports.index import Index, Scope, StoredInstance
from dicomweb_server.services.contents import Content, ContentReader, Made, at_hand, stored
from dicomweb_server.services.workers import Workers

__all__ = ["RetrieveService", "Scope", "StoredInstance"]


class RetrieveService:
    """Finds instances, their metadata, frames and bulk data. `contents` reads what it found."""

    def __init__(self, index: Index, blobs: Blobs, workers: Workers) -> None:
        self.contents = ContentReader(blobs)
        self._index = index
        self._blobs = blobs
        self._workers = workers

    def peek(self, scope: Scope) -> StoredInstance | None:
        """One instance, without waiting; None where `instance` must be asked."""
        return self._index.peek_instance(scope)

    async def instance(self, scope: Scope) -> StoredInstance:
        """One instance; ServerError(NOT_FOUND) if there is none under these identifiers."""
        found = await self._index.instance(scope)
        if found is None:
            raise not_found(scope)
        return found

    async def instances(self, scope: Scope) -> list[StoredInstance]:
        """All instances below a scope in their order; ServerError(NOT_FOUND) if there are none."""
        found: list[StoredInstance] = []
        async for batch in self._index.instances(scope):
            found += batch
        if not found:
            raise not_found(scope)
        return found

    async def revision(self, scope: Scope) -> str:
        """A token that changes with anything below the scope; ServerError(NOT_FOUND) if there is nothing."""
        token = await self._index.revision(scope)
        if token is None:
            raise not_found(scope)
        return token

    def metadata(self, scope: Scope) -> AsyncIterator[Sequence[bytes]]:
        """The metadata of all instances below a scope, in batches; an empty one is of an instance that is damaged."""
        return self._index.metadata(scope)

    async def read_metadata(self, instance: StoredInstance) -> bytes:
        """The metadata of one instance, made anew of its file."""
        file = await self._blobs.map(instance.key)
        return (await self._workers.run(lambda: parse_instance(file))).metadata

    async def present(self, instances: Sequence[StoredInstance]) -> list[bool]:
        """Of each instance, whether its file is there as it was stored, as far as its size tells."""
        there = [self._blobs.peek(one.key, one.size - 1, 1) is not None for one in instances]
        for position, one in enumerate(instances):
            if not there[position]:
                there[position] = await self._blobs.size(one.key) == one.size
        return there

    def file(self, instance: StoredInstance) -> Content:
        """The Part 10 file of an instance as it is stored."""
        return Content(instance.size, instance.key, ((0, instance.size),))

    def explicit_file(self, instance: StoredInstance) -> Content:
        """The Part 10 file of an instance in Explicit VR Little Endian, which is not the native encoding it has."""
        return self.native_file(instance, EXPLICIT_VR_LITTLE_ENDIAN)

    def native_file(self, instance: StoredInstance, transfer_syntax_uid: str) -> Content:
        """The same in Explicit or Implicit VR Little Endian, which is not the native encoding it has."""
        return Content(instance.size, make=lambda: self._native(instance, transfer_syntax_uid), exact=False)

    async def _native(self, instance: StoredInstance, transfer_syntax_uid: str) -> Made:
        file = await self._blobs.map(instance.key)
        return await self._workers.run(lambda: reencode(read_header(file), transfer_syntax_uid))

    def frame(self, instance: StoredInstance, frames: FrameIndex, frame_number: int) -> Content:
        """A frame as it is served: as stored if it is encapsulated, else little endian (PS3.18 §8.7.3.5.2)."""
        located = frames.locate(frame_number)
        if frames.deflated:
            return Content(frames.size(frame_number), make=lambda: self._inflated(instance, frames, frame_number))
        if frames.verbatim or frames.encapsulated:
            return stored(instance.key, located)
        return Content(frames.size(frame_number), make=lambda: self._restored(instance, frames, frame_number))

    async def _restored(self, instance: StoredInstance, frames: FrameIndex, frame_number: int) -> bytes:
        located = await self.contents.read(stored(instance.key, frames.locate(frame_number)))
        return frames.restore(frame_number, located)

    async def _inflated(self, instance: StoredInstance, frames: FrameIndex, frame_number: int) -> bytes:
        """Deflated data sets are rare: each frame of one inflates it again, so that none stays in memory."""
        file = await self._blobs.map(instance.key)
        return await self._workers.run(lambda: _inflated_frame(file, frames, frame_number))

    async def bulk_value(self, instance: StoredInstance, path: str) -> BulkValue:
        """The value at a bulk data path; ServerError: BAD_REQUEST if it is no path, NOT_FOUND if nothing is there."""
        steps = parse_path(path)
        file = await self._blobs.map(instance.key)
        return await self._workers.run(lambda: locate(file, steps))

    async def stored_value(self, instance: StoredInstance, path: Sequence[int]) -> tuple[bytes, bool]:
        """The bytes of any value as the file has them (tags, and items from 1), and whether they are fragments."""
        file = await self._blobs.map(instance.key)
        return await self._workers.run(lambda: stored_value(file, tuple(path)))

    async def without_bulk_data(self, instance: StoredInstance) -> list[bytes | memoryview]:
        """The bare data set without pixels and the like, in pieces."""
        file = await self._blobs.map(instance.key)
        return await self._workers.run(lambda: without_bulk_data(read_header(file)))

    async def file_meta(self, instance: StoredInstance) -> Mapping[int, bytes]:
        """The elements of the file meta information, as the file has them."""
        file = await self._blobs.map(instance.key)
        return open_part10(file).file_meta

    async def bulk_values(self, instance: StoredInstance) -> list[BulkValue]:
        """Every value that the metadata of an instance leaves to a URI."""
        file = await self._blobs.map(instance.key)
        return await self._workers.run(lambda: list(all_bulk(file)))

    def bulk_content(self, instance: StoredInstance, value: BulkValue) -> Content:
        """The bytes of a value that is not encapsulated."""
        return at_hand(value.data) if value.piece is None else stored(instance.key, (value.piece,))


def not_found(scope: Scope) -> ServerError:
    """Nothing is stored under these identifiers, or not below these parents."""
    level = "study" if scope.series_uid is None else "series" if scope.instance_uid is None else "instance"
    return ServerError(Reason.NOT_FOUND, f"there is no such {level}")


def _inflated_frame(file: bytes | mmap.mmap, frames: FrameIndex, frame_number: int) -> bytes:
    buffer = open_part10(file).buffer
    pieces = [bytes(buffer[offset : offset + length]) for offset, length in frames.locate(frame_number)]
    return frames.restore(frame_number, b"".join(pieces))
