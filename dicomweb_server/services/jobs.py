"""JobService: takes jobs, runs a few of them at a time, keeps them over a restart, and tells how they stand."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.jobs import Job, JobQueue, JobState
from dicomweb_server.services.job_run import JobRun
from dicomweb_server.services.running_job import (
    JobKind,
    JobOutput,
    JobRetry,
    JobStopped,
    OutputKind,
    RunningJob,
    Stop,
)

__all__ = [
    "Job",
    "JobKind",
    "JobOptions",
    "JobOutput",
    "JobRetry",
    "JobService",
    "JobState",
    "JobStopped",
    "RunningJob",
]

_log = logging.getLogger(__name__)

_IDLE = 30.0  # seconds between looks at a queue where nothing is known to be due
_AFTER_FAILURE = 1.0
_LATELY = 16
# The states from which a job can be stopped for good.
_UNFINISHED = tuple(state for state in JobState if not state.is_final)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """`concurrent`: how many run at a time; `history`: how many that ended are kept; `save`: whether any outlive us.

    `grace`: seconds that a step may still take when its job has to stop.
    """

    concurrent: int = 2
    history: int = 1000
    save: bool = True
    grace: float = 1.0


class JobService:
    """The jobs of one server. Kinds are registered before `running` is entered."""

    def __init__(self, queue: JobQueue, options: JobOptions | None = None) -> None:
        self._queue = queue
        self._options = options or JobOptions()
        self._kinds: dict[str, JobKind] = {}
        self._runs: dict[str, JobRun] = {}
        self._waiters: dict[str, set[asyncio.Future[Job]]] = {}
        self._lately: dict[str, Job] = {}  # those that ended last: who submitted one may not wait for it yet
        self._finished = 0
        self._wake = asyncio.Event()
        self._is_stopping = False

    def register(self, kind: JobKind) -> None:
        """Jobs of this type can be submitted and run."""
        assert kind.type not in self._kinds, kind.type
        self._kinds[kind.type] = kind

    async def submit(
        self,
        type_: str,
        parameters: Mapping[str, Any],
        *,
        priority: int = 0,
        user: str = "",
        content: Mapping[str, Any] | None = None,
    ) -> Job:
        """A new job; durable when this returns. `parameters` and `content`, what it shows from the start, are JSON."""
        assert type_ in self._kinds, type_
        now = time.time()
        job = Job(
            id=str(uuid.uuid4()),
            type=type_,
            created=now,
            changed=now,
            priority=priority,
            user=user,
            parameters=parameters,
            content=content or {},
        )
        await self._queue.put(job)
        self._wake.set()
        return job

    def wake(self) -> None:
        """Jobs were put into the queue by other ways than `submit`."""
        self._wake.set()

    async def wait(self, job_id: str) -> Job:
        """The job when it has ended. ServerError: BUSY if the server stops before, NOT_FOUND if there is none."""
        future: asyncio.Future[Job] = asyncio.get_running_loop().create_future()
        waiting = self._waiters.setdefault(job_id, set())
        waiting.add(future)
        try:
            job = await self._as_it_stood(job_id)
            if job.state.is_final:
                return job
            if self._is_stopping:
                raise _stopping()
            return await future
        finally:
            waiting.discard(future)
            if not waiting:
                self._waiters.pop(job_id, None)

    async def _as_it_stood(self, job_id: str) -> Job:
        """One job, also one that has ended just now and is forgotten already."""
        try:
            return await self.get(job_id)
        except ServerError:
            if job_id in self._lately:
                return self._lately[job_id]
            raise

    async def run(self, type_: str, parameters: Mapping[str, Any], *, priority: int = 0, user: str = "") -> Job:
        """Submit and wait; ServerError with what the job failed for."""
        job = await self.wait((await self.submit(type_, parameters, priority=priority, user=user)).id)
        if job.state is JobState.FAILURE:
            raise ServerError(job.reason or Reason.INTERNAL, job.details)
        return job

    async def get(self, job_id: str) -> Job:
        """One job as it stands; ServerError(NOT_FOUND)."""
        job = await self._queue.get(job_id)
        if job is None:
            raise ServerError(Reason.NOT_FOUND, "there is no such job")
        return self._current(job)

    async def list(self) -> list[Job]:
        """All jobs as they stand, oldest first."""
        return [self._current(job) for job in await self._queue.list()]

    async def ids(self) -> Sequence[str]:
        """Of all jobs, oldest first."""
        return await self._queue.ids()

    async def counts(self) -> Mapping[JobState, int]:
        """How many jobs are in each state."""
        return await self._queue.counts()

    async def pause(self, job_id: str) -> None:
        """Stop it where it is until `resume`; a job that has ended stays as it is."""
        await self._stop(job_id, Stop.PAUSED)

    async def cancel(self, job_id: str) -> None:
        """Stop it for good; a job that has ended stays as it is."""
        await self._stop(job_id, Stop.CANCELED)

    async def resume(self, job_id: str) -> None:
        """Go on with a job that is paused; ServerError(BAD_REQUEST) if it is not."""
        now = time.time()
        await self._change(job_id, (JobState.PAUSED,), state=JobState.PENDING, changed=now)

    async def resubmit(self, job_id: str) -> None:
        """Run a job that failed once more, from its beginning; ServerError(BAD_REQUEST) if it did not fail."""
        fresh = {"cursor": None, "progress": 0.0, "runtime": 0.0, "attempts": 0, "reason": None, "details": ""}
        changed = {"state": JobState.PENDING, "changed": time.time(), "completed": None}
        await self._change(job_id, (JobState.FAILURE,), **fresh, **changed)

    async def delete(self, job_id: str) -> None:
        """Forget a job that has ended, with its results; ServerError(BAD_REQUEST) if it has not."""
        if not await self._queue.delete(job_id):
            raise self._wrong_state(await self.get(job_id))

    async def output(self, job_id: str, key: str) -> JobOutput:
        """A result of a job; ServerError(NOT_FOUND)."""
        job = await self.get(job_id)
        kind = self._kinds.get(job.type)
        if key not in job.outputs or job.state is not JobState.SUCCESS or not isinstance(kind, OutputKind):
            raise ServerError(Reason.NOT_FOUND, f'the job has no output "{key}"')
        return await kind.output(job, key)

    async def delete_output(self, job_id: str, key: str) -> None:
        """Give a result up; ServerError(NOT_FOUND)."""
        job = await self.get(job_id)
        if key not in job.outputs or not job.state.is_final:
            raise ServerError(Reason.NOT_FOUND, f'the job has no output "{key}"')
        left = tuple(output for output in job.outputs if output != key)
        await self._queue.change(job_id, (job.state,), outputs=left)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Jobs are run inside; at the end those under way stop where they are, to go on at the next start."""
        if self._options.save:
            released = await self._queue.release()
            if released:
                _log.info("jobs go on where the last run stopped", extra={"jobs": released})
        else:
            await self._queue.clear()
        counts = await self._queue.counts()
        self._finished = sum(count for state, count in counts.items() if state.is_final)
        dispatching = asyncio.create_task(self._dispatch(), name="jobs")
        try:
            yield
        finally:
            self._is_stopping = True
            dispatching.cancel()
            await asyncio.gather(dispatching, return_exceptions=True)
            await asyncio.gather(*(run.stop(Stop.STOPPING, self._options.grace) for run in [*self._runs.values()]))
            self._leave()

    async def _dispatch(self) -> None:
        while True:
            try:
                delay = await self._start_due()
            except ServerError as error:  # no room to note the claim, say: tried again soon
                _log.warning("jobs cannot be started: %s", error.detail)
                delay = _AFTER_FAILURE
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._wake.wait()

    async def _start_due(self) -> float:
        """Start what is due as far as there is room; the seconds until there might be more."""
        self._wake.clear()
        while len(self._runs) < self._options.concurrent:
            run = JobRun(self._queue)
            job = await run.claim([*self._kinds])
            if job is None:
                break
            self._runs[job.id] = run
            run.start(self._kinds[job.type], self._ended)
        due = await self._queue.next_due()
        return _IDLE if due is None else min(max(due - time.time(), 0.05), _IDLE)

    async def _ended(self, job: Job) -> None:
        """A run is over, and what became of the job is kept."""
        self._runs.pop(job.id, None)
        self._wake.set()
        if job.state.is_final:
            self._tell(job)
            self._lately[job.id] = job
            while len(self._lately) > _LATELY:
                del self._lately[next(iter(self._lately))]
            self._finished += 1
            if self._finished > self._options.history:
                await self._queue.trim(self._options.history)

    async def _stop(self, job_id: str, why: Stop) -> None:
        run = self._runs.get(job_id)
        if run is not None and await run.stop(why, self._options.grace):
            return
        if (await self.get(job_id)).state.is_final:
            return
        now = time.time()
        if why is Stop.PAUSED:
            values: dict[str, Any] = {"state": JobState.PAUSED, "changed": now, "not_before": None}
        else:
            canceled = {"reason": Reason.CANCELED, "details": Reason.CANCELED.value}
            values = {"state": JobState.FAILURE, "changed": now, "completed": now, "not_before": None, **canceled}
        await self._change(job_id, _UNFINISHED, **values)

    async def _change(self, job_id: str, states: Sequence[JobState], **values: Any) -> None:
        if not await self._queue.change(job_id, states, **values):
            raise self._wrong_state(await self.get(job_id))
        job = await self.get(job_id)
        if job.state.is_final:
            self._tell(job)
        self._wake.set()

    def _current(self, job: Job) -> Job:
        """The job with what its run has not written yet."""
        run = self._runs.get(job.id)
        if run is None or job.state is not JobState.RUNNING:
            return job
        now = run.timed()
        return replace(job, progress=now.progress, content=now.content, runtime=now.runtime)

    def _wrong_state(self, job: Job) -> ServerError:
        return ServerError(Reason.BAD_REQUEST, f"that cannot be done to a job in the state {job.state.value}")

    def _tell(self, job: Job) -> None:
        for future in self._waiters.get(job.id, ()):
            if not future.done():
                future.set_result(job)

    def _leave(self) -> None:
        """Nobody waits for what goes on at the next start."""
        for future in [future for waiting in self._waiters.values() for future in waiting]:
            if not future.done():
                future.set_exception(_stopping())


def _stopping() -> ServerError:
    return ServerError(Reason.BUSY, "the server is stopping; the job goes on at the next start")
