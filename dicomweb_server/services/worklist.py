"""WorklistService: the modality worklist: steps that REST scheduled and those in files, with what became of them."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.compose import compose_data_set
from dicomweb_server.dicom.matching import matches
from dicomweb_server.dicom.query import Match, MatchKind, Query
from dicomweb_server.dicom.scheduled import (
    KEYS,
    SCHEDULED_STEP_ID,
    SCHEDULED_STEP_SEQUENCE,
    SCHEDULED_STEP_STATUS,
    STATION_AE_TITLE,
    STUDY_INSTANCE_UID,
    items_of,
    start_of,
    step_of,
    study_uid_of,
    text_of,
    with_status,
)
from dicomweb_server.dicom.uids import is_valid_uid
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.worklist import (
    PerformedSteps,
    ScheduledStep,
    ScheduledStepFiles,
    ScheduledSteps,
    StepFilter,
    StepReference,
    StepStart,
)
from dicomweb_server.services.document_page import DocumentPage, document_page
from dicomweb_server.services.priors import PriorsOfSteps

__all__ = ["ScheduledStep", "WorklistOptions", "WorklistSearch", "WorklistService"]

_logger = logging.getLogger("dicomweb_server.worklist")
_START_DATE_PATH = (0x00400100, 0x00400002)
_STATUS_PATH = (0x00400100, 0x00400020)
_SCHEDULED = "SCHEDULED"
_OVER = frozenset({"COMPLETED", "DISCONTINUED", "CANCELED"})
_IN_PROGRESS = "IN PROGRESS"
_LARGEST_ITEM = 1 << 20
_CHARACTER_SET = "00080005"
_BATCH = 200  # steps that are looked at in one go


@dataclass(frozen=True, slots=True)
class WorklistOptions:
    """How the worklist is kept.

    `own_station_only`: whoever asks gets the steps of its own AE title; `limit`: most answers to one query, 0 is all;
    `add_study_uid`: to steps that come without; `remove_when_stored`: a step of ours goes when its study has come and
    has not changed for `stable_after` seconds; `keep`: seconds after which it goes anyway, 0 is never.
    """

    own_station_only: bool = False
    limit: int = 0
    add_study_uid: bool = True
    remove_when_stored: bool = True
    stable_after: float = 60.0
    keep: float = 0.0
    interval: float = 60.0


@dataclass(frozen=True, slots=True)
class WorklistSearch:
    """A query of the worklist, and who asks under which name of ours."""

    matches: tuple[Match, ...]
    calling_ae_title: str = ""
    called_ae_title: str = ""
    fuzzy: bool = False


class WorklistService:
    """Scheduled procedure steps. A step that is over is found only by a query for its status."""

    def __init__(
        self,
        scheduled: ScheduledSteps,
        performed: PerformedSteps,
        files: ScheduledStepFiles | None = None,
        options: WorklistOptions | None = None,
        priors: PriorsOfSteps | None = None,
    ) -> None:
        self._priors = priors
        self._scheduled = scheduled
        self._performed = performed
        self._files = files
        self._options = options or WorklistOptions()

    async def find(self, search: WorklistSearch) -> AsyncGenerator[list[Mapping[str, Any]], None]:
        """The worklist items that match, by the start of their steps, in batches; some of these may be empty.

        If there are more than the limit: so many, and then ServerError(TOO_LARGE).
        """
        by_status = tuple(match for match in search.matches if match.path == _STATUS_PATH)
        limit, count = self._options.limit, 0
        async for steps in self._batches(search.matches):
            matching = await asyncio.to_thread(self._matching, steps, search)
            found = [each.document for each in await self._with_statuses(matching)]
            found = [document for document in found if _has_status(document, by_status)]
            count += len(found)
            if limit and count > limit:
                yield found[: limit - count]
                raise ServerError(Reason.TOO_LARGE, f"cut after {limit} matches, a limit of this server")
            yield found

    async def page(self, search: WorklistSearch, offset: int, limit: int) -> DocumentPage:
        """At most `limit` of what `find` finds, after `offset` others."""
        return await document_page(self.find(search), offset, limit)

    async def all(self) -> list[ScheduledStep]:
        """Every step, also those that are over, by start."""
        return [step async for batch in self._batches(()) for step in await self._with_statuses(batch)]

    async def step(self, step_id: str) -> ScheduledStep:
        """One step; ServerError(NOT_FOUND)."""
        found = await self._scheduled.scheduled_step(step_id)
        if found is None and self._files is not None:
            found = next((each for each in await self._files.scheduled_steps() if each.step_id == step_id), None)
        if found is None:
            raise ServerError(Reason.NOT_FOUND, "there is no such scheduled step")
        return (await self._with_statuses([found]))[0]

    async def schedule(self, document: Mapping[str, Any]) -> ScheduledStep:
        """Add a worklist item; ServerError(BAD_REQUEST, CANNOT_UNDERSTAND) if it is none."""
        number = uuid.uuid4()
        step = ScheduledStep(str(number), self.checked(document, number), time.time())
        await self.put(step)
        return step

    async def put(self, step: ScheduledStep) -> None:
        """Add one that was checked; whoever prepares its patient's earlier studies is told."""
        await self._scheduled.put_scheduled_step(step)
        if self._priors is not None:
            await self._priors.scheduled(step.document)

    async def reschedule(self, step_id: str, document: Mapping[str, Any]) -> ScheduledStep:
        """Replace a worklist item of ours; ServerError as `schedule`, NOT_FOUND, or BAD_REQUEST for one in a file."""
        old = await self._own(step_id)
        if not study_uid_of(document) and study_uid_of(old.document):
            document = {**document, STUDY_INSTANCE_UID: old.document[STUDY_INSTANCE_UID]}
        step = replace(old, document=self.checked(document, uuid.UUID(step_id[-36:])))
        await self._scheduled.put_scheduled_step(step)
        return step

    async def remove(self, step_id: str) -> None:
        """Remove a worklist item of ours; ServerError NOT_FOUND, or BAD_REQUEST for one in a file."""
        await self._own(step_id)
        await self._scheduled.remove_scheduled_steps([step_id])

    async def tidy(self) -> int:
        """Remove the steps of ours that are not to be kept longer; how many."""
        options, now = self._options, time.time()
        gone: dict[str, None] = {}
        if options.remove_when_stored:
            gone.update(dict.fromkeys(await self._scheduled.finished_before(now - options.stable_after)))
        if options.keep:
            async for steps in self._batches(()):
                gone.update(dict.fromkeys(each.step_id for each in steps if each.created < now - options.keep))
        return await self._scheduled.remove_scheduled_steps(list(gone)) if gone else 0

    async def tidy_forever(self) -> None:
        """Do it now and then."""
        while True:
            await asyncio.sleep(self._options.interval)
            try:
                removed = await self.tidy()
            except ServerError as error:  # the next time may go better
                _logger.warning("scheduled steps could not be tidied", extra={"detail": error.detail})
                continue
            if removed:
                _logger.info("scheduled steps were removed", extra={"steps": removed})

    async def _own(self, step_id: str) -> ScheduledStep:
        found = await self._scheduled.scheduled_step(step_id)
        if found is None:
            await self.step(step_id)
            raise ServerError(Reason.BAD_REQUEST, "this step is in a file, which only its writer changes")
        return found

    def checked(self, document: Mapping[str, Any], number: uuid.UUID) -> dict[str, Any]:
        """A worklist item as it is kept, what it lacks made of a number; ServerError as of `schedule`."""
        item = {tag: attribute for tag, attribute in document.items() if tag != _CHARACTER_SET}
        if len(compose_data_set(item)) > _LARGEST_ITEM:
            raise ServerError(Reason.TOO_LARGE, f"a worklist item of more than {_LARGEST_ITEM} bytes")
        if len(items_of(item, SCHEDULED_STEP_SEQUENCE)) != 1:
            raise ServerError(Reason.BAD_REQUEST, "expected one item in the Scheduled Procedure Step Sequence")
        study_uid = study_uid_of(item)
        if study_uid and not is_valid_uid(study_uid):
            raise ServerError(Reason.BAD_REQUEST, "the Study Instance UID is ill-formed")
        if not study_uid and self._options.add_study_uid:
            item[STUDY_INSTANCE_UID] = {"vr": "UI", "Value": [f"2.25.{number.int}"]}
        step = dict(step_of(item))
        if not text_of(step, SCHEDULED_STEP_ID):  # by it a performed step names it
            step[SCHEDULED_STEP_ID] = {"vr": "SH", "Value": [f"{number.int % 10**15:015}"]}
        if not text_of(step, SCHEDULED_STEP_STATUS):
            step[SCHEDULED_STEP_STATUS] = {"vr": "CS", "Value": [_SCHEDULED]}
        return {**item, SCHEDULED_STEP_SEQUENCE: {"vr": "SQ", "Value": [step]}}

    async def _batches(self, keys: Sequence[Match]) -> AsyncGenerator[list[ScheduledStep], None]:
        """The steps that may match, by start. Which they are is settled at once; few of them are in memory."""
        starts = await self._scheduled.scheduled_starts(_filter(keys))
        filed: dict[str, ScheduledStep] = {}
        if self._files is not None:
            filed = {each.step_id: each for each in await self._files.scheduled_steps()}
            starts = await asyncio.to_thread(_merged, starts, filed.values())
        for start in range(0, len(starts), _BATCH):
            step_ids = [step_id for *_, step_id in starts[start : start + _BATCH]]
            own = await self._scheduled.scheduled_steps([each for each in step_ids if each not in filed])
            known = {each.step_id: each for each in own}
            yield [step for each in step_ids if (step := filed.get(each) or known.get(each))]

    def _matching(self, steps: Sequence[ScheduledStep], search: WorklistSearch) -> list[ScheduledStep]:
        keys = [match for match in search.matches if match.path != _STATUS_PATH]
        query = Query(Level.STUDY, matches=tuple(keys), fuzzy=search.fuzzy, combined_datetime=True)
        own = search.calling_ae_title if self._options.own_station_only else ""
        return [
            each
            for each in steps
            if _is_offered(each, search)
            and (not own or own in _values(step_of(each.document), STATION_AE_TITLE))
            and matches(each.document, query)
        ]

    async def _with_statuses(self, steps: Sequence[ScheduledStep]) -> list[ScheduledStep]:
        references = [
            StepReference(study_uid_of(each.document), text_of(step_of(each.document), SCHEDULED_STEP_ID))
            for each in steps
        ]
        statuses = await self._performed.statuses([each for each in references if each.scheduled_step_id])
        return [
            replace(step, document=with_status(step.document, _status(performed)))
            if (performed := statuses.get(reference))
            else step
            for step, reference in zip(steps, references, strict=True)
        ]


def _merged(starts: Sequence[StepStart], filed: Iterable[ScheduledStep]) -> list[StepStart]:
    return sorted([*starts, *((*start_of(each.document), each.step_id) for each in filed)])


def _status(performed: Iterable[str]) -> str:
    """What the performed steps say about the scheduled one."""
    statuses = set(performed)
    if _IN_PROGRESS in statuses:
        return "STARTED"
    return "COMPLETED" if "COMPLETED" in statuses else "DISCONTINUED"


def _is_offered(step: ScheduledStep, search: WorklistSearch) -> bool:
    return not step.worklist or step.worklist == search.called_ae_title


def _has_status(document: Mapping[str, Any], keys: tuple[Match, ...]) -> bool:
    if not any(match.kind is not MatchKind.UNIVERSAL for match in keys):
        return text_of(step_of(document), SCHEDULED_STEP_STATUS) not in _OVER
    return matches(document, Query(Level.STUDY, matches=keys))


def _values(document: Mapping[str, Any], tag: str) -> list[str]:
    return [str(value).strip() for value in document.get(tag, {}).get("Value") or ()]


def _filter(keys: Iterable[Match]) -> StepFilter:
    """What the keys surely want."""
    dates, equal = ("", ""), {}
    names = {path: name for name, (path, _) in KEYS.items()}
    for match in keys:
        if match.path == _START_DATE_PATH and match.kind in (MatchKind.SINGLE, MatchKind.RANGE):
            dates = match.values[0], match.values[-1]
        elif match.path in names and match.kind is MatchKind.SINGLE:
            equal[names[match.path]] = match.values[0]
    return StepFilter(*dates, equal)
