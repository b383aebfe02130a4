"""PerformedStepService: what modalities report about the steps they perform (PS3.4 annex F)."""

import time
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from dicomweb_server.dicom.dictionary import keyword_of
from dicomweb_server.dicom.scheduled import (
    PERFORMED_STEP_STATUS,
    SCHEDULED_STEP_ATTRIBUTES,
    STUDY_INSTANCE_UID,
    items_of,
    scheduled_references,
    text_of,
)
from dicomweb_server.dicom.uids import is_valid_uid
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.worklist import PerformedStep, PerformedSteps, StepReference
from dicomweb_server.services.passing_on import PassingOn

__all__ = ["IN_PROGRESS", "PerformedStep", "PerformedStepService", "StepProblem", "StepProblemError"]

IN_PROGRESS = "IN PROGRESS"
FINAL = frozenset({"COMPLETED", "DISCONTINUED"})
_CHARACTER_SET = "00080005"
_NEEDED_TO_BEGIN = (  # type 1 of an N-CREATE (PS3.4 table F.7.2-1)
    "00080060",  # Modality
    "00400241",  # Performed Station AE Title
    "00400244",  # Performed Procedure Step Start Date
    "00400245",  # … Time
    PERFORMED_STEP_STATUS,
    "00400253",  # Performed Procedure Step ID
    SCHEDULED_STEP_ATTRIBUTES,
)
_NEEDED_TO_END = ("00400250", "00400251")  # Performed Procedure Step End Date, End Time
# What only an N-CREATE gives (the same table): patient, request, and what identifies the step.
_FIXED = frozenset(
    {
        "00080060", "00081120", "00100010", "00100020", "00100030", "00100040", "00200010", "00400241", "00400242",
        "00400243", "00400244", "00400245", "00400253", SCHEDULED_STEP_ATTRIBUTES,
    }
)  # fmt: skip


class StepProblem(Enum):
    """Why a report is refused; in the words of PS3.7 annex C."""

    MISSING = "a needed attribute is missing or empty"
    INVALID = "an attribute has a value that it must not have"
    DUPLICATE = "there is a performed step of this UID"
    UNKNOWN = "there is no performed step of this UID"
    FINAL = "the performed step is over and cannot be changed"


_REASONS: Mapping[StepProblem, Reason] = {
    StepProblem.MISSING: Reason.BAD_REQUEST,
    StepProblem.INVALID: Reason.BAD_REQUEST,
    StepProblem.DUPLICATE: Reason.CONFLICT,
    StepProblem.UNKNOWN: Reason.NOT_FOUND,
    StepProblem.FINAL: Reason.CONFLICT,
}


class StepProblemError(ServerError):
    """A report that is refused. `problem`: of `StepProblem`; `tags`: of the attributes that are wrong."""

    def __init__(self, problem: StepProblem, tags: Sequence[str] = ()) -> None:
        self.problem = problem
        self.tags = tuple(int(tag, 16) for tag in tags)
        names = ", ".join(keyword_of(tag) for tag in self.tags)
        super().__init__(_REASONS[problem], f"{problem.value}: {names}" if names else problem.value)


class PerformedStepService:
    """Modality performed procedure steps: begun once, changed until they are over."""

    def __init__(self, steps: PerformedSteps, passing_on: PassingOn | None = None) -> None:
        """`passing_on`: who else gets the reports that were taken."""
        self._steps = steps
        self._passing_on = passing_on

    async def begin(self, instance_uid: str, document: Mapping[str, Any]) -> PerformedStep:
        """N-CREATE: a step in progress; StepProblemError."""
        references = checked_references(document)
        now = time.time()
        step = PerformedStep(instance_uid, IN_PROGRESS, _without_character_set(document), references, now, now)
        if not await self._steps.add_performed_step(step):
            raise StepProblemError(StepProblem.DUPLICATE)
        if self._passing_on is not None:
            await self._passing_on.begun(instance_uid, step.document)
        return step

    async def change(self, instance_uid: str, document: Mapping[str, Any]) -> list[int]:
        """N-SET: what is new about a step in progress, perhaps that it is over; StepProblemError.

        The tags of attributes that only N-CREATE can give, and that are therefore left as they were.
        """
        fixed: list[int] = []

        def changed(step: PerformedStep) -> PerformedStep:
            fixed[:] = [int(tag, 16) for tag in document if tag in _FIXED and document[tag] != step.document.get(tag)]
            return changed_step(step, document)

        step = await self._steps.change_performed_step(instance_uid, changed)
        if step is None:
            raise StepProblemError(StepProblem.UNKNOWN)
        if self._passing_on is not None:
            await self._passing_on.changed(instance_uid, _without_character_set(document), step.status)
        return fixed

    async def step(self, instance_uid: str) -> PerformedStep:
        """One step; StepProblemError."""
        found = await self._steps.performed_step(instance_uid)
        if found is None:
            raise StepProblemError(StepProblem.UNKNOWN)
        return found

    async def steps(self, limit: int, after: str = "") -> Sequence[PerformedStep]:
        """Some steps, by UID."""
        return await self._steps.performed_steps(limit, after)


def checked_references(document: Mapping[str, Any]) -> tuple[StepReference, ...]:
    """Which scheduled steps an N-CREATE names; StepProblemError if it may not begin a step."""
    missing = [tag for tag in _NEEDED_TO_BEGIN if not _has_value(document, tag)]
    if missing:
        raise StepProblemError(StepProblem.MISSING, missing)
    if text_of(document, PERFORMED_STEP_STATUS) != IN_PROGRESS:
        raise StepProblemError(StepProblem.INVALID, [PERFORMED_STEP_STATUS])
    items = items_of(document, SCHEDULED_STEP_ATTRIBUTES)
    if not all(is_valid_uid(text_of(item, STUDY_INSTANCE_UID)) for item in items):
        raise StepProblemError(StepProblem.MISSING, [STUDY_INSTANCE_UID])
    return tuple(StepReference(*each) for each in scheduled_references(document) if all(each))


def changed_step(step: PerformedStep, document: Mapping[str, Any]) -> PerformedStep:
    """A step with what an N-SET says; StepProblemError."""
    if step.status != IN_PROGRESS:
        raise StepProblemError(StepProblem.FINAL)
    new = {tag: each for tag, each in _without_character_set(document).items() if tag not in _FIXED}
    merged = {**step.document, **new}
    status = text_of(merged, PERFORMED_STEP_STATUS)
    if status != IN_PROGRESS and status not in FINAL:
        raise StepProblemError(StepProblem.INVALID, [PERFORMED_STEP_STATUS])
    if status in FINAL:
        missing = [tag for tag in _NEEDED_TO_END if not _has_value(merged, tag)]
        if missing:
            raise StepProblemError(StepProblem.MISSING, missing)
    return PerformedStep(step.instance_uid, status, merged, step.references, step.created, time.time())


def _has_value(document: Mapping[str, Any], tag: str) -> bool:
    values = document.get(tag, {}).get("Value")
    return bool(values) and values[0] not in (None, "")


def _without_character_set(document: Mapping[str, Any]) -> dict[str, Any]:
    return {tag: attribute for tag, attribute in document.items() if tag != _CHARACTER_SET}
