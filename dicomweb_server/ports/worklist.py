"""Worklist: procedure steps that are scheduled, and those that modalities say they performed; where both are kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Document = Mapping[str, Any]
"""DICOM JSON of a data set."""


@dataclass(frozen=True, slots=True)
class ScheduledStep:
    """One item of the modality worklist (PS3.4 table K.6-1): a patient, a request, and one scheduled procedure step.

    `worklist`: the AE title that it is offered under, "" is any. `created`: seconds of the epoch.
    """

    step_id: str
    document: Document
    created: float = 0.0
    worklist: str = ""


@dataclass(frozen=True, slots=True)
class StepReference:
    """How a performed procedure step names a scheduled one (PS3.3 table C.4-13): it need not be one of ours."""

    study_uid: str
    scheduled_step_id: str


@dataclass(frozen=True, slots=True)
class PerformedStep:
    """A modality performed procedure step (PS3.4 annex F)."""

    instance_uid: str
    status: str
    document: Document
    references: tuple[StepReference, ...] = ()
    created: float = 0.0
    updated: float = 0.0


@dataclass(frozen=True, slots=True)
class StepFilter:
    """What a query surely wants, so that not all steps need to be read. Dates are YYYYMMDD, "" is no bound.

    `equal`: values by names of `dicom.scheduled.KEYS`, in the form in which they are compared.
    """

    first_date: str = ""
    last_date: str = ""
    equal: Mapping[str, str] = field(default_factory=dict)


ALL_STEPS = StepFilter()
StepStart = tuple[str, str, str]
"""Date and time at which a step starts, in forms that compare as text, and its id."""


class ScheduledSteps(Protocol):
    """The server's own scheduled steps."""

    async def scheduled_starts(self, wanted: StepFilter = ALL_STEPS) -> Sequence[StepStart]:
        """Those that may match, by start; a step without one of the values always may."""

    async def scheduled_steps(self, step_ids: Sequence[str]) -> Sequence[ScheduledStep]:
        """Some of them, in any order; those that are gone are left out."""

    async def scheduled_step(self, step_id: str) -> ScheduledStep | None:
        """One of them."""

    async def put_scheduled_step(self, step: ScheduledStep) -> None:
        """Add or replace; durable when it returns."""

    async def remove_scheduled_steps(self, step_ids: Sequence[str]) -> int:
        """Forget some; how many there were."""

    async def finished_before(self, moment: float) -> Sequence[str]:
        """Steps whose study is stored, and has not changed since a moment (seconds of the epoch)."""


class ScheduledStepFiles(Protocol):
    """Scheduled steps that others write into a folder."""

    async def scheduled_steps(self) -> Sequence[ScheduledStep]:
        """All that are there now."""


class PerformedSteps(Protocol):
    """What modalities report."""

    async def add_performed_step(self, step: PerformedStep) -> bool:
        """Keep one; False if its UID is known already. Durable when it returns."""

    async def performed_step(self, instance_uid: str) -> PerformedStep | None:
        """One of them."""

    async def performed_steps(self, limit: int, after: str = "") -> Sequence[PerformedStep]:
        """Some, by UID, after one."""

    async def change_performed_step(
        self, instance_uid: str, change: Callable[[PerformedStep], PerformedStep]
    ) -> PerformedStep | None:
        """Change one with nothing in between; what it is now, None if it is unknown. What `change` raises is raised."""

    async def statuses(self, references: Sequence[StepReference]) -> Mapping[StepReference, Sequence[str]]:
        """The statuses of the performed steps that refer to each scheduled one."""
