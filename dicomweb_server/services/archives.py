"""ArchiveService: ZIP archives and DICOM media of whatever resources, made while they are sent, never in memory."""

import itertools
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Any

from dicomweb_server.dicom.directory import Directory, FileReference
from dicomweb_server.dicom.instance import stored_document
from dicomweb_server.dicom.part10 import MEDIA_STORAGE_SOP_INSTANCE_UID, TRANSFER_SYNTAX_UID, read_file_meta
from dicomweb_server.dicom.uids import uid_from
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.archives import SeriesTitles
from dicomweb_server.ports.index import Scope, StoredInstance
from dicomweb_server.services.archive_names import archive_names
from dicomweb_server.services.contents import Buffer, Content, Made, Make
from dicomweb_server.services.resources import Resource, ResourceService
from dicomweb_server.services.retrieve import RetrieveService
from dicomweb_server.services.transcoding import TranscodingService, TranscodingWish
from dicomweb_server.services.workers import Workers
from dicomweb_server.services.zip_stream import zip_entries, zip_size
from dicomweb_server.wire.zip_archive import ZipWriter

_FILE_SET_ID = "ARCHIVE"
_MOST_ON_MEDIA = 1_000_000  # the names of more files would not fit a File ID (PS3.10 §8.2)
_BATCH = 200


class Layout(Enum):
    """What an archive is for."""

    FOLDERS = "folders"  # by patient, study and series
    MEDIA = "media"  # a file-set with its DICOMDIR
    EXTENDED_MEDIA = "extended media"  # whose DICOMDIR says more than it must


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveWish:
    """How an archive is wanted. `transcode`: what its files are brought to, None for what they are stored in."""

    layout: Layout = Layout.FOLDERS
    transcode: TranscodingWish | None = None
    ascii_names: bool = False


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive whose files are known, and of which nothing is made yet."""

    wish: ArchiveWish
    instances: Sequence[StoredInstance]
    names: Sequence[str]
    contents: Sequence[Content]
    made: Mapping[str, tuple[str, str]]  # UIDs and transfer syntaxes that files turned out to have, by key

    @property
    def content_size(self) -> int:
        """Bytes of all files as they are stored."""
        return sum(one.size for one in self.instances)

    @property
    def size(self) -> int | None:
        """Bytes of the archive, if that is known."""
        return zip_size(self.names, self.contents) if self.wish.layout is Layout.FOLDERS else None


class ArchiveService:
    """Plans archives, and gives their bytes."""

    def __init__(
        self,
        resources: ResourceService,
        retrieve: RetrieveService,
        transcoding: TranscodingService,
        titles: SeriesTitles,
        workers: Workers,
    ) -> None:
        self._resources = resources
        self._retrieve = retrieve
        self._transcoding = transcoding
        self._titles = titles
        self._workers = workers

    async def plan(self, resources: Sequence[Resource], wish: ArchiveWish) -> Archive:
        """The archive of all instances of these resources, each once. ServerError: TOO_LARGE."""
        found: dict[tuple[str, str, str], StoredInstance] = {}
        for resource in resources:
            for one in await self._resources.instances(resource):
                found.setdefault((one.study_uid, one.series_uid, one.instance_uid), one)
        instances = list(found.values())
        made: dict[str, tuple[str, str]] = {}
        contents = [self._content(one, wish, made) for one in instances]
        return Archive(wish, instances, await self._names(instances, wish), contents, made)

    async def pieces(self, archive: Archive) -> AsyncIterator[Buffer]:
        """The bytes of an archive."""
        writer = ZipWriter()
        async for piece in zip_entries(writer, self._retrieve.contents, archive.names, archive.contents):
            yield piece
        if archive.wish.layout is not Layout.FOLDERS:
            directory = await self._directory(archive)
            size, checksum = directory.size, 0
            yield writer.begin("DICOMDIR", size)
            for piece in directory.pieces():
                checksum = zlib.crc32(piece, checksum)
                yield piece
            yield writer.end(checksum)
        yield writer.finish()

    async def _names(self, instances: Sequence[StoredInstance], wish: ArchiveWish) -> list[str]:
        if wish.layout is not Layout.FOLDERS:
            if len(instances) > _MOST_ON_MEDIA:
                raise ServerError(Reason.TOO_LARGE, f"media hold at most {_MOST_ON_MEDIA} instances")
            return [f"IMAGES/IM{number}" for number in range(len(instances))]
        studies = list(dict.fromkeys(one.study_uid for one in instances))
        titles = await self._titles.series_titles(studies)
        return list(archive_names(instances, titles, ascii_only=wish.ascii_names))

    async def _directory(self, archive: Archive) -> Directory:
        directory = Directory(_FILE_SET_ID, extended=archive.wish.layout is Layout.EXTENDED_MEDIA)
        pairs = zip(archive.instances, archive.names, strict=True)
        for (study_uid, series_uid), group in itertools.groupby(pairs, lambda pair: _series_of(pair[0])):
            waiting = {one.instance_uid: (one, _reference(one, name, archive.made)) for one, name in group}
            scope = Scope(study_uid, series_uid, next(iter(waiting)) if len(waiting) == 1 else None)
            async for batch in self._retrieve.metadata(scope):
                for start in range(0, len(batch), _BATCH):
                    await self._workers.run(partial(_add, directory, batch[start : start + _BATCH], waiting))
            for instance, file in waiting.values():  # their metadata are damaged, or gone since the archive was planned
                directory.add(file, stored_document(await self._retrieve.read_metadata(instance)))
        return directory

    def _content(self, instance: StoredInstance, wish: ArchiveWish, made: dict[str, tuple[str, str]]) -> Content:
        if wish.transcode is None:
            return self._retrieve.file(instance)
        syntax, quality = wish.transcode.transfer_syntax_uid, wish.transcode.quality
        content = self._transcoding.file_or_stored(instance, syntax, quality)
        if content.make is None:
            return content
        return replace(content, make=partial(_noted, content.make, instance.key, made))


def _series_of(instance: StoredInstance) -> tuple[str, str]:
    return instance.study_uid, instance.series_uid


def _reference(instance: StoredInstance, name: str, made: Mapping[str, tuple[str, str]]) -> FileReference:
    uid, syntax = made.get(instance.key, (instance.instance_uid, instance.transfer_syntax_uid))
    return FileReference(name.replace("/", "\\"), instance.sop_class_uid, uid, syntax)


async def _noted(make: Make, key: str, noted: dict[str, tuple[str, str]]) -> bytes | Made:
    """What is made, and what it is: its transfer syntax may be the stored one; what lost something has a new UID."""
    made = await make()
    meta = read_file_meta(made if isinstance(made, bytes) else bytes(next(iter(made))))[0]
    noted[key] = uid_from(meta.get(MEDIA_STORAGE_SOP_INSTANCE_UID, b"")), uid_from(meta.get(TRANSFER_SYNTAX_UID, b""))
    return made


def _add(
    directory: Directory, batch: Sequence[bytes], waiting: dict[str, tuple[StoredInstance, FileReference]]
) -> None:
    for metadata in batch:
        document = stored_document(metadata) if metadata else {}
        _, file = waiting.pop(_text(document, "00080018"), (None, None))
        if file is not None:
            directory.add(file, document)


def _text(document: Mapping[str, Any], tag: str) -> str:
    return str((document.get(tag, {}).get("Value") or [""])[0])
