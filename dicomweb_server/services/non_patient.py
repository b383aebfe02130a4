"""NonPatientService: instances that belong to no patient (PS3.18 chapter 12): kept, found, answered as any others."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import sha256

from dicomweb_server.dicom.bulk_data import BulkValue, locate, parse_path
from dicomweb_server.dicom.header import read_header
from dicomweb_server.dicom.instance import stored_document
from dicomweb_server.dicom.matching import matches
from dicomweb_server.dicom.non_patient import CATEGORIES, CATEGORY_OF, parse_non_patient
from dicomweb_server.dicom.origin import Origin
from dicomweb_server.dicom.query import Query
from dicomweb_server.dicom.reencode import reencode
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.blobs import Blobs, Staged, StagingFile
from dicomweb_server.ports.index import Added
from dicomweb_server.ports.non_patient import NonPatientInstance, NonPatientInstances, NonPatientReference
from dicomweb_server.services.admission import IngestPolicy, without_preamble
from dicomweb_server.services.ingest import IngestOutcome, Status
from dicomweb_server.services.same_data_set import are_same
from dicomweb_server.services.workers import Workers

__all__ = [
    "CATEGORIES",
    "LARGEST",
    "NonPatientDoor",
    "NonPatientInstance",
    "NonPatientPage",
    "NonPatientReference",
    "NonPatientService",
]

LARGEST = 64 << 20  # bytes of one: they are in memory as a whole
_BATCH = 200
_STATUS: Mapping[Added, Status] = {
    Added.STORED: Status.STORED,
    Added.IDENTICAL: Status.DUPLICATE,
    Added.KEPT: Status.KEPT,
    Added.REPLACED: Status.REPLACED,
}


@dataclass(frozen=True, slots=True)
class NonPatientPage:
    """Metadata of some that match. `is_more`: there are others after these."""

    metadata: Sequence[bytes]
    is_more: bool


class NonPatientService:
    """All categories."""

    def __init__(
        self, table: NonPatientInstances, blobs: Blobs, workers: Workers, policy: IngestPolicy | None = None
    ) -> None:
        """`blobs`: where they are while they arrive."""
        self.blobs = blobs
        self._table = table
        self._workers = workers
        self._policy = policy or IngestPolicy()

    async def store(
        self, staged: Staged, category: str, expected_uid: str | None = None, expected_class: str | None = None
    ) -> IngestOutcome:
        """Keep one; never raises for what is wrong with it."""
        uids = ("", "", "", "")
        try:
            instance = await self._workers.run(lambda: self._read(staged, category))
            uids = ("", "", instance.instance_uid, instance.sop_class_uid)
            self._require_welcome(instance, expected_uid)
            if expected_class not in (None, instance.sop_class_uid):
                raise ServerError(Reason.MISMATCHED_IDENTITY, f"the instance is no {expected_class}")
            added = await self._table.add_non_patient(instance, self._policy.on_duplicate)
            if added in (Added.KEPT, Added.REFUSED) and await self._is_same(instance):
                added = Added.IDENTICAL
            if added is Added.REFUSED:
                raise ServerError(Reason.DUPLICATE_REFUSED)
            return IngestOutcome(_STATUS[added], None, "", *uids)
        except ServerError as error:
            is_ours = error.reason in (Reason.OUT_OF_RESOURCES, Reason.BUSY, Reason.STORAGE_DAMAGED, Reason.INTERNAL)
            return IngestOutcome(Status.FAILED if is_ours else Status.REJECTED, error.reason, error.detail, *uids)
        finally:
            await self.blobs.discard([staged])

    async def instance(self, category: str, instance_uid: str) -> NonPatientInstance:
        """One of them; ServerError(NOT_FOUND)."""
        found = await self._table.non_patient(category, instance_uid)
        if found is None:
            raise ServerError(Reason.NOT_FOUND, f"there is no such instance among {category}")
        return found

    async def file(self, instance: NonPatientInstance, transfer_syntax_uid: str) -> bytes:
        """Its file in a transfer syntax without compression."""
        if transfer_syntax_uid == instance.transfer_syntax_uid:
            return instance.file
        return await self._workers.run(lambda: b"".join(reencode(read_header(instance.file), transfer_syntax_uid)))

    async def sent_file(self, reference: NonPatientReference, transfer_syntax_uid: str) -> bytes:
        """The file of one that is to be sent; ServerError(NOT_FOUND) if it was deleted meanwhile."""
        return await self.file(await self.instance(reference.category, reference.instance_uid), transfer_syntax_uid)

    async def bulk_value(self, instance: NonPatientInstance, path: str) -> tuple[BulkValue, bytes]:
        """The value at a bulk data path, and its bytes; ServerError(BAD_REQUEST, NOT_FOUND)."""
        steps = parse_path(path)
        value = await self._workers.run(lambda: locate(instance.file, steps))
        offset, length = value.piece or (0, 0)
        return value, instance.file[offset : offset + length] if value.piece else value.data

    async def page(self, category: str, query: Query, limit: int) -> NonPatientPage:
        """At most `limit` matches of the keys, after the offset of the query, by UID."""
        found: list[bytes] = []
        offset = query.offset
        async with aclosing(self.find(category, query)) as batches:
            async for batch in batches:
                found += batch[offset:]
                offset = max(0, offset - len(batch))
                if len(found) > limit:
                    break
        return NonPatientPage(found[:limit], len(found) > limit)

    async def find(
        self, category: str, query: Query, shown: Callable[[bytes], bytes] = bytes
    ) -> AsyncGenerator[list[bytes], None]:
        """What `shown` makes, in another thread, of the metadata of all that match, by UID; a batch may be empty."""
        last = ""
        while rows := await self._table.metadata_after(category, last, _BATCH):
            last = rows[-1][0]
            yield await asyncio.to_thread(_matching, [metadata for _, metadata in rows], query, shown)

    async def references(self, category: str, instance_uids: Sequence[str]) -> list[NonPatientReference]:
        """Those of these UIDs that are there."""
        return await self._table.non_patient_references(category, instance_uids)

    async def remove(self, category: str, instance_uid: str) -> None:
        """ServerError(NOT_FOUND) if there is none."""
        if not await self._table.remove_non_patient(category, instance_uid):
            raise ServerError(Reason.NOT_FOUND, f"there is no such instance among {category}")

    async def _is_same(self, instance: NonPatientInstance) -> bool:
        """Whether only its file meta information is other than that of the one that was kept."""
        kept = await self._table.non_patient(instance.category, instance.instance_uid)
        if kept is None or kept.transfer_syntax_uid != instance.transfer_syntax_uid:
            return False
        return await self._workers.run(lambda: are_same(kept.file, instance.file))

    def _read(self, staged: Staged, category: str) -> NonPatientInstance:
        if staged.size > LARGEST:
            raise ServerError(Reason.TOO_LARGE, f"the instance has {staged.size} bytes, the limit is {LARGEST}")
        staged = without_preamble(staged, self._policy)
        data = staged.data
        if data is None:
            assert staged.path is not None
            data = staged.path.read_bytes()
        return NonPatientInstance(
            category, *parse_non_patient(data, category), data, sha256(data).digest(), time.time()
        )

    def _require_welcome(self, instance: NonPatientInstance, expected_uid: str | None) -> None:
        if expected_uid is not None and instance.instance_uid != expected_uid:
            raise ServerError(
                Reason.MISMATCHED_IDENTITY,
                f"the instance is {instance.instance_uid}, the request is for {expected_uid}",
            )
        if CATEGORY_OF.get(instance.sop_class_uid) != instance.category:
            detail = f"SOP class {instance.sop_class_uid} is none of {instance.category}"
            raise ServerError(Reason.UNSUPPORTED_SOP_CLASS, detail)
        if not self._policy.stores(instance.sop_class_uid):
            detail = f"this server does not store SOP class {instance.sop_class_uid}"
            raise ServerError(Reason.UNSUPPORTED_SOP_CLASS, detail)


class NonPatientDoor:
    """Takes the instances of one request in, as `IngestService` does those of patients."""

    def __init__(self, service: NonPatientService, category: str, expected_uid: str | None) -> None:
        """`expected_uid`: of the request's path, if it names one."""
        self._service = service
        self._category = category
        self._expected_uid = expected_uid

    def stage(self) -> StagingFile:
        """A spool for the bytes of one instance."""
        return self._service.blobs.stage()

    async def ingest_batch(
        self, staged: Sequence[Staged], origin: Origin, expected_study_uid: str | None = None
    ) -> list[IngestOutcome]:
        """Store some; what became of each, in their order."""
        del origin, expected_study_uid  # which nobody asks for of these
        return [await self._service.store(one, self._category, self._expected_uid) for one in staged]


def _matching(metadata: Sequence[bytes], query: Query, shown: Callable[[bytes], bytes]) -> list[bytes]:
    return [shown(one) for one in metadata if matches(stored_document(one), query)]
