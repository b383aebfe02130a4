"""JobQueue: work that is done beside the requests, step by step, kept so that a restart goes on where it stopped."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from dicomweb_server.errors import Reason


class JobState(Enum):
    """Where a job stands. A job that was canceled is a failure, with the reason CANCELED."""

    PENDING = "Pending"
    RUNNING = "Running"
    PAUSED = "Paused"
    RETRY = "Retry"  # it failed for now and waits for its next attempt
    SUCCESS = "Success"
    FAILURE = "Failure"

    @property
    def is_final(self) -> bool:
        """Nothing more happens by itself."""
        return self in (JobState.SUCCESS, JobState.FAILURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job as it is kept. Times are seconds of the epoch.

    `parameters`: what was asked for; `content`: what the job shows of itself; `cursor`: where its kind goes on, None at
    the beginning (these three are JSON). `outputs`: keys under which results can be fetched. `not_before`: time of the
    next attempt.
    """

    id: str
    type: str
    created: float
    priority: int = 0
    user: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    content: Mapping[str, Any] = field(default_factory=dict)
    cursor: Any = None
    outputs: tuple[str, ...] = ()
    state: JobState = JobState.PENDING
    progress: float = 0.0  # from 0 to 1
    runtime: float = 0.0  # seconds that it ran until now
    attempts: int = 0  # that failed for now
    not_before: float | None = None
    changed: float = 0.0  # when the state became what it is
    completed: float | None = None
    reason: Reason | None = None
    details: str = ""


class JobQueue(Protocol):
    """The jobs, durable. `owner`: a name of one claim; what lost its claim can write no more."""

    async def put(self, job: Job) -> None:
        """Keep a new job; durable when this returns."""

    async def claim(self, owner: str, types: Collection[str], lease: float) -> Job | None:
        """Take the first job that waits, is due and of one of the types: by priority, then by age. It is RUNNING then.

        After `lease` seconds without `save` others may claim it.
        """

    async def next_due(self) -> float | None:
        """When `claim` might have something new to give: the earliest time of an attempt or the end of a lease."""

    async def save(self, job: Job, owner: str, lease: float) -> bool:
        """Keep progress, runtime, cursor, content and outputs of a claimed job; False if the claim is lost."""

    async def finish(self, job: Job, owner: str) -> bool:
        """Keep a claimed job with its new state, and give the claim back; False if the claim was lost."""

    async def change(self, job_id: str, states: Collection[JobState], **values: Any) -> bool:
        """Set fields of a job that is in one of the states; False if it is not, or is not there."""

    async def release(self) -> int:
        """All claims are those of a process that is gone: their jobs are pending again. Returns how many."""

    async def get(self, job_id: str) -> Job | None:
        """One job."""

    async def list(self) -> Sequence[Job]:
        """All, oldest first."""

    async def ids(self) -> Sequence[str]:
        """Their ids, oldest first."""

    async def counts(self) -> Mapping[JobState, int]:
        """How many there are in each state."""

    async def delete(self, job_id: str) -> bool:
        """Forget a job that has ended; False if it has not, or is not there."""

    async def trim(self, keep: int) -> None:
        """Forget what ended longest ago, all but `keep` jobs that succeeded and as many that failed."""

    async def clear(self) -> None:
        """Forget all jobs."""
