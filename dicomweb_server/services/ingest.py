"""IngestService: the one way in, whatever door an instance came through. Acknowledges only what is durable."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, NamedTuple, Protocol

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.dicom.record import InstanceRecord
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.blobs import Blobs, Placement, Staged, StagingFile
from dicomweb_server.ports.index import Added, Index, NewInstance, OnDuplicate
from dicomweb_server.services.admission import (
    Admitted,
    GroupReader,
    IngestPolicy,
    Preamble,
    Refused,
    without_message,
)
from dicomweb_server.services.group_admission import GroupAdmission
from dicomweb_server.services.same_data_set import is_stored
from dicomweb_server.services.unbroken import Unbroken
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

_OTHER_IDENTITY = "UIDs of the command and the data set differ"


class Status(Enum):
    """What became of an instance. The first four are successes: it, or another under its UIDs, is stored."""

    STORED = "stored"
    DUPLICATE = "duplicate"  # the same data set was stored before
    KEPT = "kept"  # other bytes under its UIDs were stored before, and stay
    REPLACED = "replaced"  # other bytes under its UIDs were stored before, and are gone
    REJECTED = "rejected"  # for what it is
    FAILED = "failed"  # for what the server is not able to do now


class IngestOutcome(NamedTuple):
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


class Transcoder(Protocol):
    """Changes what arrives before it is read."""

    async def transcoded(self, staged: Staged, origin: Origin) -> Staged:
        """The instance as it is to be stored; what was staged before is used up if it is another one."""


class _NoMeter:
    def instance(self, protocol: str, outcome: str) -> None:
        """Count nothing."""


@dataclass(slots=True, eq=False)
class _Item:
    """One instance on its way."""

    staged: Staged
    origin: Origin
    identity: tuple[str, str] | None = None
    when_stored: Callable[[], None] | None = None
    admitted: Admitted | None = None
    placement: Placement | None = None
    outcome: IngestOutcome | None = None

    def settle(self, status: Status, reason: Reason | None = None, detail: str = "") -> None:
        self.outcome = _outcome(status, reason, detail, self.admitted.parsed.record if self.admitted else None)

    @property
    def has_other_identity(self) -> bool:
        """Whether it is not the instance that it should be."""
        if self.identity is None or self.admitted is None:
            return False
        record = self.admitted.parsed.record
        return self.identity != (record.sop_class_uid, record.instance_uid)

    @property
    def key(self) -> str:
        """Where its bytes are, "" if they are not placed."""
        return "" if self.placement is None else self.placement.key

    @property
    def new(self) -> NewInstance:
        admitted = self.admitted
        assert admitted is not None
        return NewInstance(
            admitted.parsed, "", self.staged.size, admitted.digest, self.origin, None, self.placement, self.when_stored
        )


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
        transcoder: Transcoder | None = None,
    ) -> None:
        self._blobs = blobs
        self._index = index
        self._workers = workers
        self._policy = policy or IngestPolicy()
        self._meter = meter or _NoMeter()
        self._reader = reader
        self._transcoder = transcoder
        self._admission = GroupAdmission(workers, self._policy, reader)
        self._tasks: set[asyncio.Task[list[IngestOutcome]]] = set()  # of those who do not wait any more
        self._under_way = 0
        self._at_rest: asyncio.Future[None] | None = None

    def warm_up(self) -> None:
        """Start what the first instances would otherwise have to do without."""
        if self._reader is not None:
            self._reader.start()

    def stage(self) -> StagingFile:
        """A spool for the bytes of one instance."""
        return self._blobs.stage()

    async def ingest(
        self,
        staged: Staged,
        origin: Origin,
        expected_study_uid: str | None = None,
        *,
        identity: tuple[str, str] | None = None,
        when_stored: Callable[[], None] | None = None,
    ) -> IngestOutcome:
        """Store one instance; never raises for what is wrong with it.

        `identity`: SOP class and instance UID that it must have, if they are known. `when_stored`: perhaps called in
        another thread, as soon as it is certain that the outcome will be STORED.
        """
        return (await self._unbroken([_Item(staged, origin, identity, when_stored)], expected_study_uid))[0]

    async def ingest_batch(
        self, staged: Sequence[Staged], origin: Origin, expected_study_uid: str | None = None
    ) -> list[IngestOutcome]:
        """Store instances together; outcomes in their order. Goes on to the end even if the caller is cancelled."""
        return await self._unbroken([_Item(one, origin) for one in staged], expected_study_uid)

    async def _unbroken(self, items: list[_Item], expected_study_uid: str | None) -> list[IngestOutcome]:
        work = self._ingested(items, expected_study_uid)
        if self._transcoder is None:
            return await Unbroken(work, self._go_on)
        return await asyncio.shield(self._go_on(work))

    async def close(self) -> None:
        """Wait until all that was handed in has its outcome."""
        while self._under_way:
            self._at_rest = asyncio.get_running_loop().create_future()
            await self._at_rest

    def _go_on(self, work: Coroutine[Any, Any, list[IngestOutcome]]) -> asyncio.Task[list[IngestOutcome]]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _ingested(self, items: list[_Item], expected_study_uid: str | None) -> list[IngestOutcome]:
        """Give every instance its outcome."""
        self._under_way += 1
        try:
            if self._transcoder is not None:
                await _fail_together(items, partial(self._transcode, self._transcoder))
            for step in (partial(self._admit, expected_study_uid), self._add):
                left = [item for item in items if item.outcome is None]
                if left:
                    await _fail_together(left, step)
        finally:
            self._blobs.release([item.staged for item in items if item.key])
            unplaced = [item.staged for item in items if not item.key]
            if unplaced:
                await self._discard(unplaced)
            self._under_way -= 1
            if self._at_rest is not None and not self._at_rest.done():
                self._at_rest.set_result(None)
        return [self._told(item) for item in items]

    def _told(self, item: _Item) -> IngestOutcome:
        outcome = item.outcome or _outcome(Status.FAILED, Reason.INTERNAL, "", None)
        self._meter.instance(item.origin.protocol, outcome.status.value)
        return outcome

    async def _discard(self, staged: Sequence[Staged]) -> None:
        try:
            await self._blobs.discard(staged)
        except Exception as error:  # an edge: the outcomes stand; the next start empties the spool
            _log.error("the spool could not be cleaned: %s", without_message(error))

    async def _transcode(self, transcoder: Transcoder, items: list[_Item]) -> None:
        async def transcode(item: _Item) -> None:
            item.staged = await transcoder.transcoded(item.staged, item.origin)

        async with asyncio.TaskGroup() as group:
            for item in items:
                group.create_task(transcode(item))

    async def _admit(self, expected_study_uid: str | None, items: list[_Item]) -> None:
        results = await self._admission.admit([(item.staged, expected_study_uid) for item in items])
        for item, result in zip(items, results, strict=True):
            if isinstance(result, Refused):
                status = Status.FAILED if result.reason is Reason.INTERNAL else Status.REJECTED
                item.outcome = _outcome(status, result.reason, result.detail, result.record)
            else:
                item.admitted, item.staged = result, result.staged
                if item.has_other_identity:
                    item.settle(Status.REJECTED, Reason.MISMATCHED_IDENTITY, _OTHER_IDENTITY)
                else:
                    item.placement = self._blobs.placement(result.staged)

    async def _add(self, items: list[_Item]) -> None:
        """Bytes and rows become durable in one trip to the index, which places what it does not know yet."""
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
            _settle_as(item, Added.IDENTICAL if await self._is_same(item, outcome) else outcome)
        pairs = zip(items, added, strict=True)
        unwanted = [item.key for item, outcome in pairs if item.key and outcome not in _WRITTEN]
        if unwanted:  # placed in a transaction that was undone; then another one came first
            await self._blobs.remove(unwanted)

    async def _is_same(self, item: _Item, added: Added) -> bool:
        """Whether only its file meta information is other than that of the instance that was kept."""
        if added not in (Added.KEPT, Added.REFUSED) or item.admitted is None:
            return False
        record = item.admitted.parsed.record
        return await is_stored(record, item.staged, self._index, self._blobs, self._workers)

    async def _take_back(self, items: list[_Item]) -> None:
        """Remove blobs that no row refers to. (After a failed sync rows do, and the next start will judge them.)"""
        keys = [item.key for item in items if item.key]
        if not keys:
            return
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
