"""Intake: hands the instances of one request to ingest while the rest arrives, which waits when ingest is behind."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.ingest import IngestOutcome, Staged, StagingFile, Status

# A batch is handed over at this size: large enough to share a disk sync, small enough to bound memory.
_BATCH_SIZE = 8 << 20
_BATCH_COUNT = 64
_MOST_UNDER_WAY = 2


class Ingesting(Protocol):
    """Takes instances in."""

    def stage(self) -> StagingFile:
        """A spool for the bytes of one instance."""

    async def ingest_batch(
        self, staged: Sequence[Staged], origin: Origin, expected_study_uid: str | None = None
    ) -> list[IngestOutcome]:
        """Store some; what became of each, in their order."""


class Intake:
    """Collects what became of the parts of one request, in their order."""

    def __init__(self, ingest: Ingesting, origin: Origin, study_uid: str | None, *, max_instance_size: int) -> None:
        """`study_uid`: the study of the request's path, if it names one."""
        self._ingest = ingest
        self._origin = origin
        self._study_uid = study_uid
        self._max_instance_size = max_instance_size
        self._outcomes: list[IngestOutcome | asyncio.Task[list[IngestOutcome]]] = []
        self._under_way: deque[asyncio.Task[list[IngestOutcome]]] = deque()
        self._waiting: list[tuple[StagingFile, Staged]] = []
        self._waiting_size = 0
        self._receiving: StagingFile | None = None
        self._received = 0

    @property
    def is_empty(self) -> bool:
        """Whether there was no part at all."""
        return not self._outcomes and not self._waiting

    @property
    def is_receiving(self) -> bool:
        """Whether an instance is arriving that was not refused."""
        return self._receiving is not None

    def spool(self) -> StagingFile:
        """A place for something that is no instance; the caller discards it."""
        return self._ingest.stage()

    def begin(self) -> None:
        """An instance begins to arrive."""
        self._receiving = self._ingest.stage()
        self._received = 0

    async def write(self, data: bytes | memoryview) -> None:
        """Some bytes of it; ignored if it was refused meanwhile."""
        if self._receiving is None:
            return
        self._received += len(data)
        if self._received > self._max_instance_size:
            problem = f"an instance exceeds {self._max_instance_size} bytes"
            if self.is_empty:
                # Nothing is lost by an answer before the end.
                raise ServerError(Reason.TOO_LARGE, problem)
            await self.refuse(Reason.TOO_LARGE, problem)
            return
        if isinstance(data, memoryview) and isinstance(data.obj, bytes) and len(data) == len(data.obj):
            data = data.obj  # which need not be copied to be kept
        try:
            await self._receiving.write(data)
        except ServerError as error:
            await self.refuse(error.reason, error.detail)

    async def end(self) -> None:
        """It is whole."""
        if self._receiving is None:
            return
        receiving, self._receiving = self._receiving, None
        try:
            staged = await receiving.finish()
        except ServerError as error:
            await receiving.discard()
            await self.refuse(error.reason, error.detail)
            return
        self._waiting.append((receiving, staged))
        self._waiting_size += staged.size
        if self._waiting_size >= _BATCH_SIZE or len(self._waiting) >= _BATCH_COUNT:
            await self._hand_over()
            while len(self._under_way) > _MOST_UNDER_WAY:
                await asyncio.wait([self._under_way.popleft()])

    async def refuse(self, reason: Reason, detail: str, *, instance_uid: str = "", sop_class_uid: str = "") -> None:
        """The part that is arriving, or one that never will, cannot be stored."""
        await self._hand_over()
        await self._drop()
        status = Status.FAILED if reason in (Reason.OUT_OF_RESOURCES, Reason.BUSY) else Status.REJECTED
        outcome = IngestOutcome(status, reason, detail, instance_uid=instance_uid, sop_class_uid=sop_class_uid)
        self._outcomes.append(outcome)

    async def finish(self) -> list[IngestOutcome]:
        """What became of each part."""
        await self._hand_over()
        outcomes: list[IngestOutcome] = []
        for entry in self._outcomes:
            outcomes += [entry] if isinstance(entry, IngestOutcome) else await entry
        return outcomes

    async def close(self) -> None:
        """The request is over, perhaps too early: keep what ingest has, free the rest."""
        await self._drop()
        for file, _ in self._waiting:
            await file.discard()
        self._waiting.clear()

    async def _hand_over(self) -> None:
        if not self._waiting:
            return
        batch = [staged for _, staged in self._waiting]
        self._waiting, self._waiting_size = [], 0
        task = asyncio.create_task(self._ingest.ingest_batch(batch, self._origin, self._study_uid))
        self._outcomes.append(task)
        self._under_way.append(task)

    async def _drop(self) -> None:
        if self._receiving is not None:
            receiving, self._receiving = self._receiving, None
            await receiving.discard()
