"""JobRun: one run of one job, from its claim to what becomes of it; the edge at which a kind's defects end."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.jobs import Job, JobQueue, JobState
from dicomweb_server.services.admission import without_message
from dicomweb_server.services.running_job import LEASE, JobKind, JobRetry, RunningJob, Stop, failure

_log = logging.getLogger(__name__)

_RENEWAL = LEASE / 4
_TRIES_TO_FINISH = 5
# What is too busy is asked again, but not for ever.
_WHILE_BUSY, _MOST_ATTEMPTS = 2.0, 10
_WELL: Mapping[str, Any] = {"reason": None, "details": ""}
_STATE_OF_STOP = {Stop.PAUSED: JobState.PAUSED, Stop.CANCELED: JobState.FAILURE, Stop.STOPPING: JobState.PENDING}


class JobRun:
    """Claims a job, runs its kind, and keeps what became of it."""

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue
        self._running: RunningJob | None = None
        self._work: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def claim(self, types: Collection[str]) -> Job | None:
        """The next job; None if none is due."""
        owner = uuid.uuid4().hex
        job = await self._queue.claim(owner, types, LEASE)
        if job is not None:
            self._running = RunningJob(job, self._queue, owner)
        return job

    def start(self, kind: JobKind, ended: Callable[[Job], Awaitable[None]]) -> None:
        """Run what was claimed; `ended` is told what became of it."""
        self._work = asyncio.create_task(kind.run(self._claimed), name=f"job {kind.type}")
        self._task = asyncio.create_task(self._supervise(ended), name=f"run of job {kind.type}")

    async def stop(self, why: Stop, grace: float) -> bool:
        """Have it end, between two steps if it comes to that in the grace time; False if it was over already."""
        if self._task is None or self._work is None or self._work.done():
            await self._over()
            return False
        self._claimed.stop = self._claimed.stop or why
        await asyncio.wait({self._work}, timeout=grace)
        self._work.cancel()
        await self._over()
        return self._claimed.stop is why and self._claimed.job.state is _STATE_OF_STOP[why]

    def timed(self) -> Job:
        """The job as it is now."""
        return self._claimed.timed()

    @property
    def _claimed(self) -> RunningJob:
        assert self._running is not None
        return self._running

    async def _over(self) -> None:
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _supervise(self, ended: Callable[[Job], Awaitable[None]]) -> None:
        work = self._work
        assert work is not None
        while not (await asyncio.wait({work}, timeout=_RENEWAL))[0]:
            await self._renew(work)
        job = self._outcome(work)
        self._claimed.job = job
        try:
            await self._finish(job)
            await ended(job)
        except ServerError as error:  # the lease runs out, and it is claimed once more
            _log.error("what became of a job cannot be kept: %s", error.detail, extra={"job": job.id})

    async def _renew(self, work: "asyncio.Task[None]") -> None:
        """A step takes long: the claim goes on, or the work ends."""
        try:
            await self._claimed.flush()
        except asyncio.CancelledError:
            if self._claimed.stop is Stop.LOST:
                work.cancel()
        except ServerError as error:
            _log.warning("a job cannot be saved: %s", error.detail, extra={"job": self._claimed.id})

    async def _finish(self, job: Job) -> None:
        for left in reversed(range(_TRIES_TO_FINISH)):
            with contextlib.suppress(*((ServerError,) if left else ())):
                await self._queue.finish(job, self._claimed.owner)
                return
            await asyncio.sleep(0.5)

    def _outcome(self, work: "asyncio.Task[None]") -> Job:
        job, now = self._claimed.timed(), time.time()
        error = asyncio.CancelledError() if work.cancelled() else work.exception()
        if error is None:
            return replace(job, state=JobState.SUCCESS, progress=1.0, changed=now, completed=now, **_WELL)
        if isinstance(error, asyncio.CancelledError):
            return self._stopped(job, now)
        if isinstance(error, JobRetry):
            later: dict[str, Any] = {"not_before": now + error.delay, "attempts": job.attempts + 1}
            return replace(job, state=JobState.RETRY, changed=now, reason=error.reason, details=error.details, **later)
        if isinstance(error, ServerError) and error.reason is Reason.BUSY and job.attempts < _MOST_ATTEMPTS:
            busy: dict[str, Any] = {"reason": error.reason, "details": error.detail, "attempts": job.attempts + 1}
            return replace(job, state=JobState.RETRY, changed=now, not_before=now + _WHILE_BUSY, **busy)
        # An edge: whatever a kind raises ends its job, and only that.
        assert isinstance(error, Exception)
        if not isinstance(error, ServerError):
            _log.error("a job of type %s failed: %s", job.type, without_message(error), extra={"job": job.id})
        reason, details = failure(error)
        return replace(job, state=JobState.FAILURE, changed=now, completed=now, reason=reason, details=details)

    def _stopped(self, job: Job, now: float) -> Job:
        state = _STATE_OF_STOP.get(self._claimed.stop or Stop.CANCELED, JobState.PENDING)
        if state is JobState.FAILURE:
            canceled = Reason.CANCELED
            return replace(job, state=state, changed=now, completed=now, reason=canceled, details=canceled.value)
        return replace(job, state=state, changed=now)
