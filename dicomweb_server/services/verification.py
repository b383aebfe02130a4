"""Verification: are these instances safely stored? By reading every byte of them, not by what the index believes."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.instance import stored_document
from dicomweb_server.dicom.query import Include, Match, MatchKind, Query
from dicomweb_server.dicom.uids import is_valid_uid
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.commitment import Judged, Wanted
from dicomweb_server.ports.index import Scope, StoredInstance
from dicomweb_server.ports.non_patient import NonPatientInstances
from dicomweb_server.ports.peers import Reference
from dicomweb_server.services.admission import IngestPolicy
from dicomweb_server.services.retrieve import RetrieveService
from dicomweb_server.services.search import SearchService

_STUDY, _SERIES, _INSTANCE, _SOP_CLASS = 0x0020000D, 0x0020000E, 0x00080018, 0x00080016
_INCLUDED = tuple(Include((tag,)) for tag in (_STUDY, _SERIES, _INSTANCE, _SOP_CLASS))
AT_ONCE = 500  # instances looked up by one search
NO_SUCH_INSTANCE = 0x0112
_PROCESSING_FAILURE = 0x0110
# Failure Reason (0008,1197) of storage commitment (PS3.3 §C.14.1.1); all others are failures in processing.
_FAILURES: Mapping[Reason, int] = {
    Reason.NOT_FOUND: NO_SUCH_INSTANCE,
    Reason.MISMATCHED_IDENTITY: 0x0119,
    Reason.UNSUPPORTED_SOP_CLASS: 0x0122,
    Reason.OUT_OF_RESOURCES: 0x0213,
    Reason.BUSY: 0x0213,
}


def failure_reason(reason: Reason) -> int:
    """How storage commitment names a reason."""
    return _FAILURES.get(reason, _PROCESSING_FAILURE)


class VerificationService:
    """Answers for instances, or says why not."""

    def __init__(
        self,
        search: SearchService,
        retrieve: RetrieveService,
        non_patient: NonPatientInstances,
        policy: IngestPolicy | None = None,
    ) -> None:
        """`policy`: what is stored at all."""
        self._non_patient = non_patient
        self._search = search
        self._retrieve = retrieve
        self._policy = policy or IngestPolicy()

    async def judged(self, wanted: Sequence[Wanted]) -> list[Judged]:
        """What we say of each instance, and of each study or series in which there are none."""
        named = [one for each in wanted for one in ([each] if each.reference else await self._contents(each))]
        found: list[Judged] = []
        for start in range(0, len(named), AT_ONCE):
            batch = named[start : start + AT_ONCE]
            where = await self.places([each.reference for each in batch if each.reference])
            found += [Judged(each, await self._failure(each, where)) for each in batch]
        return found

    async def places(self, references: Sequence[Reference]) -> dict[str, list[Scope]]:
        """Where instances of these UIDs, `AT_ONCE` at most, are; a UID that is stored in two series has two places."""
        uids = tuple(dict.fromkeys(each.instance_uid for each in references if is_valid_uid(each.instance_uid)))
        found: dict[str, list[Scope]] = {}
        if uids:
            query = Query(Level.INSTANCE, matches=(Match((_INSTANCE,), "UI", MatchKind.UID_LIST, uids),))
            for study, series, instance, _ in await self._identities(query):
                found.setdefault(instance, []).append(Scope(study, series, instance))
        return found

    async def _contents(self, wanted: Wanted) -> list[Wanted]:
        """The instances of a study or series; itself if there are none."""
        query = Query(Level.INSTANCE, wanted.study_uid, wanted.series_uid or None)
        found = await self._identities(query)
        return [Wanted(Reference(kind, uid), study, series) for study, series, uid, kind in found] or [wanted]

    async def _identities(self, query: Query) -> list[list[str]]:
        """Study, series, instance and SOP class of what is found."""
        page = await self._search.find(replace(query, include=_INCLUDED, only_included=True))
        documents: list[dict[str, Any]] = list(map(stored_document, page.matches))
        return [
            [each[f"{tag:08X}"]["Value"][0] for tag in (_STUDY, _SERIES, _INSTANCE, _SOP_CLASS)] for each in documents
        ]

    async def _failure(self, wanted: Wanted, where: Mapping[str, Sequence[Scope]]) -> int:
        reference = wanted.reference
        if reference is None:
            return NO_SUCH_INSTANCE
        is_stored = self._policy.stores(reference.sop_class_uid)
        reason: Reason | None = Reason.NOT_FOUND if is_stored else Reason.UNSUPPORTED_SOP_CLASS
        if reference.instance_uid not in where and not wanted.study_uid:
            reason = await self._non_patient_reason(reference, reason)
        for place in where.get(reference.instance_uid, ()):
            if wanted.study_uid in ("", place.study_uid) and wanted.series_uid in ("", place.series_uid):
                reason = await self._reason(reference, place)
                if reason is None:
                    break
        return 0 if reason is None else failure_reason(reason)

    async def _reason(self, reference: Reference, place: Scope) -> Reason | None:
        """Why the server does not answer for what is at a place, None if it does."""
        try:
            instance = await self._retrieve.instance(place)
            if instance.sop_class_uid != reference.sop_class_uid:
                return Reason.MISMATCHED_IDENTITY
            return None if await self._digest(instance) == instance.digest else Reason.STORAGE_DAMAGED
        except ServerError as error:
            return error.reason

    async def _non_patient_reason(self, reference: Reference, otherwise: Reason | None) -> Reason | None:
        """The same of what is in no study; `otherwise`: it is not there either."""
        found = await self._non_patient.non_patient("", reference.instance_uid)
        if found is None:
            return otherwise
        if found.sop_class_uid != reference.sop_class_uid:
            return Reason.MISMATCHED_IDENTITY
        is_sound = await asyncio.to_thread(lambda: hashlib.sha256(found.file).digest() == found.digest)
        return None if is_sound else Reason.STORAGE_DAMAGED

    async def _digest(self, instance: StoredInstance) -> bytes:
        digest = hashlib.sha256()
        async for piece in self._retrieve.contents.stream(self._retrieve.file(instance)):
            await asyncio.to_thread(digest.update, piece)
        return digest.digest()
