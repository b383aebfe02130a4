"""Verification: are these instances safely stored? By reading every byte of them, not by what the index believes."""

import asyncio
import hashlib
from collections.abc import Sequence

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.instance import stored_document
from dicomweb_server.dicom.query import Include, Match, MatchKind, Query
from dicomweb_server.dicom.uids import is_valid_uid
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Scope, StoredInstance
from dicomweb_server.ports.peers import Reference
from dicomweb_server.services import Services

_STUDY, _SERIES, _INSTANCE = 0x0020000D, 0x0020000E, 0x00080018
AT_ONCE = 500  # instances looked up by one search


async def refused(references: Sequence[Reference], services: Services) -> list[Reason | None]:
    """For each instance why the server cannot answer for it, None if it does.

    NOT_FOUND; MISMATCHED_IDENTITY: it has another SOP class; STORAGE_DAMAGED; INTERNAL: it could not be read.
    """
    found: list[Reason | None] = []
    for start in range(0, len(references), AT_ONCE):
        batch = references[start : start + AT_ONCE]
        where = await places(batch, services)
        found += [await _judged(reference, where.get(reference.instance_uid, []), services) for reference in batch]
    return found


async def places(references: Sequence[Reference], services: Services) -> dict[str, list[Scope]]:
    """Where instances of these UIDs, `AT_ONCE` at most, are; a UID that is stored in two series has two places."""
    uids = tuple(dict.fromkeys(each.instance_uid for each in references if is_valid_uid(each.instance_uid)))
    if not uids:
        return {}
    query = Query(
        level=Level.INSTANCE,
        matches=(Match((_INSTANCE,), "UI", MatchKind.UID_LIST, uids),),
        include=tuple(Include((tag,)) for tag in (_STUDY, _SERIES, _INSTANCE)),
    )
    found: dict[str, list[Scope]] = {}
    for match in (await services.search.find(query)).matches:
        attributes = stored_document(match)
        study, series, instance = (attributes[f"{tag:08X}"]["Value"][0] for tag in (_STUDY, _SERIES, _INSTANCE))
        found.setdefault(instance, []).append(Scope(study, series, instance))
    return found


async def _judged(reference: Reference, places: Sequence[Scope], services: Services) -> Reason | None:
    reason: Reason | None = Reason.NOT_FOUND
    for place in places:
        try:
            instance = await services.retrieve.instance(place)
            if instance.sop_class_uid != reference.sop_class_uid:
                reason = Reason.MISMATCHED_IDENTITY
            elif await _digest(instance, services) == instance.digest:
                return None
            else:
                reason = Reason.STORAGE_DAMAGED
        except ServerError as error:
            reason = error.reason if error.reason in (Reason.NOT_FOUND, Reason.STORAGE_DAMAGED) else Reason.INTERNAL
    return reason


async def _digest(instance: StoredInstance, services: Services) -> bytes:
    digest = hashlib.sha256()
    async for piece in services.retrieve.contents.stream(services.retrieve.file(instance)):
        await asyncio.to_thread(digest.update, piece)
    return digest.digest()
