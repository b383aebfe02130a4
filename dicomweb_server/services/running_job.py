"""RunningJob: what the kind of a job sees of it while it runs; JobKind: what a kind has to bring.

A kind works in steps and saves between them. What was not saved is done again after a pause or a crash: a step must
come to the same end when it is repeated.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Protocol, runtime_checkable

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.jobs import Job, JobQueue

LEASE = 60.0  # seconds; renewed while the job runs
# Saves that follow each other faster than this are written together.
_SAVE_INTERVAL = 0.1


class Stop(Enum):
    """Why a job has to stop before it is done."""

    PAUSED = "paused"
    CANCELED = "canceled"
    STOPPING = "the server is stopping"
    LOST = "another process has taken it over, or it was deleted"


class JobStopped(asyncio.CancelledError):
    """Raised by `RunningJob.save` when the job has to stop; its kind cleans up and lets it pass."""


class JobRetry(Exception):  # noqa: N818 - no error of the job: it asks for a later attempt
    """Raised by a kind to be run again, from its cursor, after `delay` seconds."""

    def __init__(self, delay: float, reason: Reason, details: str = "") -> None:
        super().__init__(details or reason.value)
        self.delay = delay
        self.reason = reason
        self.details = details or reason.value


class _Kept(Enum):
    KEPT = 0


class RunningJob:
    """A job between its claim and its end."""

    def __init__(self, job: Job, queue: JobQueue, owner: str) -> None:
        self.job = job
        self.owner = owner
        self.stop: Stop | None = None
        self._queue = queue
        self._started = time.monotonic()
        self._before = job.runtime
        self._saved = 0.0

    @property
    def id(self) -> str:
        """Of the job."""
        return self.job.id

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What was asked for."""
        return self.job.parameters

    @property
    def cursor(self) -> Any:
        """Where to go on: what `save` was given last, None at the beginning."""
        return self.job.cursor

    @property
    def content(self) -> Mapping[str, Any]:
        """What the job shows of itself."""
        return self.job.content

    async def save(
        self,
        *,
        progress: float | None = None,
        cursor: Any = _Kept.KEPT,
        content: Mapping[str, Any] | None = None,
        outputs: tuple[str, ...] | None = None,
    ) -> None:
        """A step is done. What is given replaces what was there before; `progress` is from 0 to 1.

        It is on the disk a tenth of a second later at the latest, or after `flush`. JobStopped if the job has to stop.
        """
        self.job = replace(
            self.job,
            progress=self.job.progress if progress is None else min(max(progress, 0.0), 1.0),
            cursor=self.job.cursor if cursor is _Kept.KEPT else cursor,
            content=self.job.content if content is None else content,
            outputs=self.job.outputs if outputs is None else outputs,
        )
        if self.stop is not None:
            raise JobStopped(self.stop.value)
        if time.monotonic() - self._saved >= _SAVE_INTERVAL:
            await self.flush()

    async def flush(self) -> None:
        """What was saved is durable when this returns. JobStopped if the job has to stop."""
        self._saved = time.monotonic()
        if not await self._queue.save(self.timed(), self.owner, LEASE):
            self.stop = self.stop or Stop.LOST
        if self.stop is not None:
            raise JobStopped(self.stop.value)

    def timed(self) -> Job:
        """The job with the time that it ran until now."""
        return replace(self.job, runtime=self._before + time.monotonic() - self._started)


class JobKind(Protocol):
    """What is to be done for all jobs of one type."""

    @property
    def type(self) -> str:
        """Its name, as the jobs show it."""

    async def run(self, job: RunningJob) -> None:
        """Go on from `job.cursor` to the end.

        ServerError: the job failed; JobRetry: it failed for now. Anything else that is raised is a defect.
        """


Buffer = bytes | memoryview


@dataclass(frozen=True, slots=True)
class JobOutput:
    """A result of a job, to be sent. `size`: None where it is not known before."""

    media_type: str
    filename: str
    pieces: AsyncIterator[Buffer]
    size: int | None = None


@runtime_checkable
class OutputKind(Protocol):
    """A kind whose jobs leave results."""

    async def output(self, job: Job, key: str) -> JobOutput:
        """The result that `job.outputs` has under the key; ServerError if it cannot be given any more."""


def failure(error: Exception) -> tuple[Reason, str]:
    """How a failed job tells of an error; a defect tells nothing of itself."""
    if isinstance(error, ServerError):
        return error.reason, error.detail
    if isinstance(error, JobRetry):
        return error.reason, error.details
    return Reason.INTERNAL, Reason.INTERNAL.value
