"""MaintenanceService: compares index and blobs, repairs what can be, rebuilds the index from the blobs alone.

For an operator's commands, while no server uses the store; it never changes or removes a blob that an instance has.
"""

import logging
import mmap
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.dicom.origin import Origin
from dicomweb_server.errors import ServerError
from dicomweb_server.ports.blobs import Blobs, received_at
from dicomweb_server.ports.index import Added, Index, IndexUpkeep, NewInstance, OnDuplicate, StoredInstance
from dicomweb_server.services.admission import without_message
from dicomweb_server.services.workers import Workers

_log = logging.getLogger(__name__)

_BATCH = 200
_RECOVERED = Origin(protocol="import")

# (done, all that are expected), now and then.
Progress = Callable[[int, int], None]


class MaintainedIndex(Index, IndexUpkeep, Protocol):
    """An index with what upkeep needs."""


@dataclass(slots=True)
class CheckReport:
    """What `check` found. The lists name keys of blobs; `repaired` counts what was put right."""

    instances: int = 0
    blobs: int = 0
    missing: list[str] = field(default_factory=list)  # an instance has no blob
    damaged: list[str] = field(default_factory=list)  # a blob has another size or digest than its instance
    unreferenced: list[str] = field(default_factory=list)  # a blob has no instance
    index: list[str] = field(default_factory=list)  # what is wrong in the index itself, in words
    adopted: int = 0  # unreferenced blobs that became instances
    repaired: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return not (self.missing or self.damaged or self.unreferenced or self.index)


@dataclass(slots=True)
class ReindexReport:
    """What `reindex` did. `refused`: keys of blobs that are no instances, and why."""

    blobs: int = 0
    added: int = 0
    known: int = 0  # were in the index already
    attachments: int = 0
    duplicates: int = 0  # another blob has the same UIDs
    refused: list[tuple[str, str]] = field(default_factory=list)


class MaintenanceService:
    """Keeps a store up."""

    def __init__(
        self,
        blobs: Blobs,
        index: MaintainedIndex,
        workers: Workers,
        extra_tags: frozenset[int] = frozenset(),
    ) -> None:
        """`extra_tags`: further attributes to index, as ingest does."""
        self._blobs = blobs
        self._index = index
        self._workers = workers
        self._extra_tags = extra_tags

    async def check(
        self, *, repair: bool = False, digests: bool = False, progress: Progress | None = None
    ) -> CheckReport:
        """Compare the index with the blobs, both ways. `digests`: read every byte too, which takes long.

        `repair` drops instances whose blobs are missing, writes the counters anew, makes instances of blobs that have
        none and removes those that are none. A damaged blob is reported, never removed: there may be no other copy.
        """
        report = CheckReport()
        total = (await self._index.counts())["instances"]
        async for batch in self._instances():
            await self._compare(batch, report, digests=digests)
            report.instances += len(batch)
            if progress is not None:
                progress(report.instances, total)
        async for keys in self._unknown_keys(report):
            report.unreferenced += keys
        report.index = await self._index.recount()
        if repair:
            await self._repair(report)
        return report

    async def reindex(self, progress: Progress | None = None, *, attachments: Collection[str] = ()) -> ReindexReport:
        """Add every blob that the index does not know, oldest first, but not `attachments`. May be run again."""
        report = ReindexReport()
        total = 0
        async for _ in self._blobs.keys():
            total += 1
        async for keys in self._all_keys():
            report.blobs += len(keys)
            unattached = [key for key in keys if key not in attachments]
            report.attachments += len(keys) - len(unattached)
            known = await self._index.known_keys(unattached)
            report.known += len(known)
            await self._adopt([key for key in unattached if key not in known], report)
            if progress is not None:
                progress(report.blobs, total)
        return report

    async def sweep_unreferenced(self, before: float) -> int:
        """Remove blobs that no row refers to and that are older than a time (seconds of the epoch); how many.

        Only where a crash is known to be what left them: what a restored index does not know may be instances.
        """
        removed = 0
        old: list[str] = []
        async for key, _, modified in self._blobs.keys():
            if modified < before:
                old.append(key)
            if len(old) >= _BATCH:
                removed += await self._remove_unknown(old)
                old = []
        return removed + await self._remove_unknown(old)

    async def _remove_unknown(self, keys: Sequence[str]) -> int:
        known = await self._index.known_keys(keys)
        unknown = [key for key in keys if key not in known]
        await self._blobs.remove(unknown)
        return len(unknown)

    async def _instances(self) -> AsyncIterator[list[StoredInstance]]:
        after = ""
        while batch := await self._index.by_key(after, _BATCH):
            yield batch
            after = batch[-1].key

    async def _all_keys(self) -> AsyncIterator[list[str]]:
        keys: list[str] = []
        async for key, _, _ in self._blobs.keys():
            keys.append(key)
            if len(keys) >= _BATCH:
                yield keys
                keys = []
        if keys:
            yield keys

    async def _unknown_keys(self, report: CheckReport) -> AsyncIterator[list[str]]:
        async for keys in self._all_keys():
            report.blobs += len(keys)
            known = await self._index.known_keys(keys)
            yield [key for key in keys if key not in known]

    async def _compare(self, batch: Sequence[StoredInstance], report: CheckReport, *, digests: bool) -> None:
        for instance in batch:
            size = await self._blobs.size(instance.key)
            if size is None:
                report.missing.append(instance.key)
            elif size != instance.size or (digests and await self._digest(instance.key) != instance.digest):
                report.damaged.append(instance.key)

    async def _digest(self, key: str) -> bytes:
        found = sha256()
        async for chunk in self._blobs.stream(key):
            found.update(chunk)
        return found.digest()

    async def _repair(self, report: CheckReport) -> None:
        report.repaired += await self._index.drop(report.missing)
        adopted = ReindexReport()
        for start in range(0, len(report.unreferenced), _BATCH):
            await self._adopt(report.unreferenced[start : start + _BATCH], adopted)
        report.adopted = adopted.added
        await self._remove_unknown(report.unreferenced)
        report.repaired += len(report.unreferenced)
        if report.index:
            await self._index.repair_counts()
            report.repaired += len(report.index)

    async def _adopt(self, keys: Sequence[str], report: ReindexReport) -> None:
        """Make instances of blobs, where they are. One with UIDs that are stored already stays without a row."""
        new: list[NewInstance] = []
        for key in keys:
            result = await self._read(key)
            if isinstance(result, str):
                report.refused.append((key, result))
            else:
                new.append(result)
        added = await self._index.add(new, OnDuplicate.KEEP)
        report.added += added.count(Added.STORED)
        report.duplicates += len(added) - added.count(Added.STORED)

    async def _read(self, key: str) -> NewInstance | str:
        """A blob as an instance, or what is wrong with it."""
        try:
            data = await self._blobs.map(key)
            return await self._workers.run(lambda: self._parse(key, data))
        except ServerError as error:
            return error.detail
        except Exception as error:  # an edge: one blob must not stop the others
            _log.error("blob %s could not be read: %s", key, without_message(error))
            return "the server failed to read this blob"

    def _parse(self, key: str, data: bytes | mmap.mmap) -> NewInstance:
        parsed = parse_instance(data, extra=self._extra_tags)
        return NewInstance(parsed, key, len(data), sha256(data).digest(), _RECOVERED, received_at(key))
