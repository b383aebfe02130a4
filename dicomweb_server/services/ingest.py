"""IngestService: the one way in, whatever door an instance came through. Acknowledges only what is durable."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.dicom.record import InstanceRecord
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.blobs import Blobs, Staged, StagingFile
from dicomweb_server.ports.index import Added, Index, NewInstance, OnDuplicate, Scope
from dicomweb_server.services.admission import (
    Admitted,
    GroupReader,
    IngestPolicy,
    Preamble,
    Refused,
    admit,
    without_message,
)
from dicomweb_server.services.workers import Workers

__all__ = [
    "IngestMeter",
    "IngestOutcome",
    "IngestPolicy",
    "IngestService",
    "OnDuplicate",
    "Preamble",
    "Staged",
    "StagingFile",
    "Status",
]

_log = logging.getLogger(__name__)

# Groups at a time, so that one is read while another is written; each takes what waits, up to these limits. Large
# instances gain from more lanes (hashing and writing run beside the interpreter), small ones lose by them.
_LANES = 1
_LANES_FOR_MANY = 2
_LANES_FOR_LARGE = 4
_GROUP_INSTANCES = 64
_GROUP_BYTES = 1024 * 1024
# Up to this size a group is read on the loop (a tenth of a millisecond for an instance): a hop to a thread costs more.
_SMALL_BYTES = 64 * 1024
# From this number on, small instances are worth the way to another process and back.
_MANY = 8


class Status(Enum):
    """What became of an instance. The first four are successes: it, or another under its UIDs, is stored."""

    STORED = "stored"
    DUPLICATE = "duplicate"  # the same bytes were stored before
    KEPT = "kept"  # other bytes under its UIDs were stored before, and stay
    REPLACED = "replaced"  # other bytes under its UIDs were stored before, and are gone
    REJECTED = "rejected"  # for what it is
    FAILED = "failed"  # for what the server is not able to do now


@dataclass(frozen=True, slots=True)
class IngestOutcome:
    """What became of one instance. `reason` is None for a success; UIDs are "" as far as they could not be read."""

    status: Status
    reason: Reason | None = None
    detail: str = ""
    study_uid: str = ""
    series_uid: str = ""
    instance_uid: str = ""
    sop_class_uid: str = ""

    @property
    def is_success(self) -> bool:
        """Whether the sender may forget its copy."""
        return self.reason is None


class IngestMeter(Protocol):
    """Counts what goes in, for the metrics."""

    def instance(self, protocol: str, outcome: str) -> None:
        """One instance has its outcome (the value of its `Status`)."""


class _NoMeter:
    def instance(self, protocol: str, outcome: str) -> None:
        """Count nothing."""


@dataclass(slots=True, eq=False)
class _Batch:
    """What one caller handed in."""

    staged: Sequence[Staged]
    origin: Origin
    expected_study_uid: str | None
    done: "asyncio.Future[list[IngestOutcome]]"


@dataclass(slots=True, eq=False)
class _Item:
    """One instance on its way."""

    staged: Staged
    origin: Origin
    expected_study_uid: str | None
    admitted: Admitted | None = None
    key: str = ""
    outcome: IngestOutcome | None = None

    def settle(self, status: Status, reason: Reason | None = None, detail: str = "") -> None:
        self.outcome = _outcome(status, reason, detail, self.admitted.parsed.record if self.admitted else None)

    @property
    def scope(self) -> Scope:
        assert self.admitted is not None
        record = self.admitted.parsed.record
        return Scope(record.study_uid, record.series_uid, record.instance_uid)

    @property
    def new(self) -> NewInstance:
        assert self.admitted is not None
        return NewInstance(self.admitted.parsed, self.key, self.staged.size, self.admitted.digest, self.origin)


class IngestService:
    """Takes staged instances, tells what became of each."""

    def __init__(
        self,
        blobs: Blobs,
        index: Index,
        workers: Workers,
        policy: IngestPolicy | None = None,
        meter: IngestMeter | None = None,
        reader: GroupReader | None = None,
    ) -> None:
        self._blobs = blobs
        self._index = index
        self._workers = workers
        self._policy = policy or IngestPolicy()
        self._meter = meter or _NoMeter()
        self._reader = reader
        self._waiting: deque[_Batch] = deque()
        self._lanes: set[asyncio.Task[None]] = set()
        self._working = 0  # lanes that will still look at what waits

    def warm_up(self) -> None:
        """Start what the first instances would otherwise have to do without."""
        if self._reader is not None:
            self._reader.start()

    def stage(self) -> StagingFile:
        """A spool for the bytes of one instance."""
        return self._blobs.stage()

    async def ingest(self, staged: Staged, origin: Origin, expected_study_uid: str | None = None) -> IngestOutcome:
        """Store one instance; never raises for what is wrong with it."""
        return (await self.ingest_batch([staged], origin, expected_study_uid))[0]

    async def ingest_batch(
        self, staged: Sequence[Staged], origin: Origin, expected_study_uid: str | None = None
    ) -> list[IngestOutcome]:
        """Store instances together; outcomes in their order. Goes on to the end even if the caller is cancelled."""
        done: asyncio.Future[list[IngestOutcome]] = asyncio.get_running_loop().create_future()
        batch = _Batch(staged, origin, expected_study_uid, done)
        self._waiting.append(batch)
        if self._working < self._lanes_for(*_weight(batch)):
            self._working += 1
            lane = asyncio.create_task(self._work())
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        return await done

    async def close(self) -> None:
        """Wait until all that was handed in has its outcome."""
        while self._lanes:
            await asyncio.wait(self._lanes)

    def _lanes_for(self, instances: int, size: int) -> int:
        if size >= _GROUP_BYTES:
            return _LANES_FOR_LARGE
        return _LANES_FOR_MANY if self._reader is not None and instances >= _MANY else _LANES

    async def _work(self) -> None:
        try:
            while self._waiting:
                batches = self._take()
                items = [
                    _Item(one, batch.origin, batch.expected_study_uid) for batch in batches for one in batch.staged
                ]
                await self._store(items)
                self._answer(batches, items)
        finally:
            # Not when the task is done: somebody who comes between would wait for a lane that takes no more.
            self._working -= 1

    def _answer(self, batches: Sequence[_Batch], items: Sequence[_Item]) -> None:
        outcomes = iter([self._told(item) for item in items])
        for batch in batches:
            mine = [next(outcomes) for _ in batch.staged]
            if not batch.done.done():
                batch.done.set_result(mine)

    def _take(self) -> list[_Batch]:
        """What waits, up to the limits, and one batch at least."""
        taken = [self._waiting.popleft()]
        instances, size = _weight(taken[0])
        while self._waiting:
            more_instances, more_size = _weight(self._waiting[0])
            instances, size = instances + more_instances, size + more_size
            if instances > _GROUP_INSTANCES or size > _GROUP_BYTES:
                break
            taken.append(self._waiting.popleft())
        return taken

    def _told(self, item: _Item) -> IngestOutcome:
        outcome = item.outcome or _outcome(Status.FAILED, Reason.INTERNAL, "", None)
        self._meter.instance(item.origin.protocol, outcome.status.value)
        return outcome

    async def _store(self, items: list[_Item]) -> None:
        """Give every item its outcome."""
        is_small = sum(item.staged.size for item in items) <= _SMALL_BYTES
        admit_all = self._admit_at_once if is_small else self._admit
        try:
            for step in (admit_all, self._pass_over_known, self._place, self._add):
                left = [item for item in items if item.outcome is None]
                if left:
                    await _fail_together(left, step)
        finally:
            unplaced = [item.staged for item in items if not item.key]
            if unplaced:
                await self._discard(unplaced)

    async def _discard(self, staged: Sequence[Staged]) -> None:
        try:
            await self._blobs.discard(staged)
        except Exception as error:  # an edge: the outcomes stand; the next start empties the spool
            _log.error("the spool could not be cleaned: %s", without_message(error))

    async def _admit(self, items: list[_Item]) -> None:
        """Read all of them in one hop to a worker."""
        reader = self._reader
        is_many = len(items) >= _MANY and all(item.staged.data is not None for item in items)
        if reader is not None and is_many:
            group = [(item.staged, item.expected_study_uid) for item in items]
            self._note_admission(items, await self._workers.run(lambda: reader.read(group, self._policy)))
        else:
            self._note_admission(items, await self._workers.run(lambda: self._read(items)))

    async def _admit_at_once(self, items: list[_Item]) -> None:
        """Read a few small ones here."""
        self._note_admission(items, self._read(items))

    def _read(self, items: list[_Item]) -> list[Admitted | Refused]:
        return [admit(item.staged, item.expected_study_uid, self._policy) for item in items]

    @staticmethod
    def _note_admission(items: list[_Item], results: list[Admitted | Refused]) -> None:
        for item, result in zip(items, results, strict=True):
            if isinstance(result, Refused):
                status = Status.FAILED if result.reason is Reason.INTERNAL else Status.REJECTED
                item.outcome = _outcome(status, result.reason, result.detail, result.record)
            else:
                item.admitted, item.staged = result, result.staged

    async def _pass_over_known(self, items: list[_Item]) -> None:
        """Nothing is written for what is stored already, unless it is to be replaced."""
        digests = await self._index.digests([item.scope for item in items])
        for item, digest in zip(items, digests, strict=True):
            assert item.admitted is not None
            if digest == item.admitted.digest:
                _settle_as(item, Added.IDENTICAL)
            elif digest is not None and self._policy.on_duplicate is OnDuplicate.KEEP:
                _settle_as(item, Added.KEPT)
            elif digest is not None and self._policy.on_duplicate is OnDuplicate.REJECT:
                _settle_as(item, Added.REFUSED)

    async def _place(self, items: list[_Item]) -> None:
        keys = await self._blobs.place([item.staged for item in items])
        for item, key in zip(items, keys, strict=True):
            item.key = key

    async def _add(self, items: list[_Item]) -> None:
        try:
            added = await self._index.add([item.new for item in items], self._policy.on_duplicate)
        except Exception:
            if len(items) == 1:
                await self._take_back(items)
                raise
            # One that the index cannot take must not fail the others.
            for item in items:
                await _fail_together([item], self._add)
            return
        for item, outcome in zip(items, added, strict=True):
            _settle_as(item, outcome)
        await self._blobs.remove(
            [item.key for item, outcome in zip(items, added, strict=True) if outcome not in _WRITTEN]
        )

    async def _take_back(self, items: list[_Item]) -> None:
        """Remove blobs that no row refers to. (After a failed sync rows do, and the next start will judge them.)"""
        keys = [item.key for item in items]
        known = await self._index.known_keys(keys)
        await self._blobs.remove([key for key in keys if key not in known])


_WRITTEN = (Added.STORED, Added.REPLACED)
_STATUS = {
    Added.STORED: Status.STORED,
    Added.IDENTICAL: Status.DUPLICATE,
    Added.KEPT: Status.KEPT,
    Added.REPLACED: Status.REPLACED,
    Added.REFUSED: Status.REJECTED,
}


def _settle_as(item: _Item, added: Added) -> None:
    if added is Added.REFUSED:
        item.settle(Status.REJECTED, Reason.DUPLICATE_REFUSED, Reason.DUPLICATE_REFUSED.value)
    else:
        item.settle(_STATUS[added])


async def _fail_together(items: list[_Item], step: Callable[[list[_Item]], Awaitable[None]]) -> None:
    """Run a step; if it fails, that is the outcome of each item that has none yet."""
    try:
        await step(items)
        return
    except ServerError as error:
        reason, detail = error.reason, error.detail
        _log.warning("ingest failed: %s: %s", reason.name, detail)
    except Exception as error:  # an edge: failures are told per instance
        reason, detail = Reason.INTERNAL, "the server failed to store this instance"
        _log.error("ingest failed: %s", without_message(error))
    for item in items:
        if item.outcome is None:
            item.settle(Status.FAILED, reason, detail)


def _outcome(status: Status, reason: Reason | None, detail: str, record: InstanceRecord | None) -> IngestOutcome:
    if record is None:
        return IngestOutcome(status, reason, detail)
    uids = (record.study_uid, record.series_uid, record.instance_uid, record.sop_class_uid)
    return IngestOutcome(status, reason, detail, *uids)


def _weight(batch: _Batch) -> tuple[int, int]:
    return len(batch.staged), sum(one.size for one in batch.staged)
