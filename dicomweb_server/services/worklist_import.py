"""WorklistImport: takes over, now and then, what the worklists of other servers have; what is gone there goes here.

Steps that are imported are known by their ids: they begin with a word for all of them, and one for each source.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

from dicomweb_server.dicom.dictionary import public_vr
from dicomweb_server.dicom.scheduled import SCHEDULED_STEP_ID, SCHEDULED_STEP_SEQUENCE, step_of, study_uid_of, text_of
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.peers import PeerError
from dicomweb_server.ports.worklist import ScheduledStep, ScheduledSteps
from dicomweb_server.services.modalities import Modalities
from dicomweb_server.services.worklist import WorklistService

_log = logging.getLogger("dicomweb_server.worklist")
_IMPORTED = "import-"
_MOST = 20_000  # steps of one source
_READ = 200
_NAMESPACE = uuid.UUID("9e2d3c5a-6b0f-5d44-8a3e-51f0a7c2b9d1")  # ours, drawn once
_REQUESTED_PROCEDURE_ID, _ACCESSION_NUMBER, _START_DATE = "00401001", "00080050", "00400002"
# What PS3.4 table K.6-1 lets an item have, and tells to whoever performs the step.
_ASKED = (
    *(0x00080050, 0x00080080, 0x00080090, 0x00081110, 0x00081120, 0x00100010, 0x00100020, 0x00100021, 0x00100030),
    *(0x00100040, 0x00101030, 0x00102000, 0x00102110, 0x00102160, 0x001021B0, 0x001021C0, 0x00104000, 0x0020000D),
    *(0x00321032, 0x00321033, 0x00321060, 0x00321064, 0x00380010, 0x00380050, 0x00380300, 0x00380500, 0x00401001),
    *(0x00401002, 0x00401003, 0x00401004, 0x00401400, 0x00402400, 0x00403001),
)
_ASKED_OF_STEP = (
    *(0x00080060, 0x00321070, 0x00400001, 0x00400002, 0x00400003, 0x00400004, 0x00400005, 0x00400006, 0x00400007),
    *(0x00400008, 0x00400009, 0x00400010, 0x00400011, 0x00400012, 0x00400020, 0x00400400),
)


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """`sources`: names of modalities; `interval`: seconds from one import to the next; `days`: from yesterday on."""

    sources: tuple[str, ...] = ()
    interval: float = 300.0
    days: int = 7


class WorklistImport:
    """Keeps the scheduled steps of other servers among ours."""

    def __init__(
        self, scheduled: ScheduledSteps, worklist: WorklistService, modalities: Modalities, options: ImportOptions
    ) -> None:
        self._scheduled = scheduled
        self._worklist = worklist
        self._modalities = modalities
        self._options = options
        self._failed: set[str] = set()

    async def run_forever(self) -> None:
        """For a background task, ended by its cancellation; at first forget what former sources had."""
        await self._tried("", self._forget_former())
        while self._options.sources:
            for source in self._options.sources:
                await self._tried(source, self.take_over(source))
            await asyncio.sleep(self._options.interval)

    async def take_over(self, source: str) -> Mapping[str, int]:
        """How many steps were new, changed and removed; PeerError, ServerError if they could not be had."""
        found = {step.step_id: step for step in await self._steps(source)}
        known = await self._known(_prefix(source))
        counts = {"new": 0, "changed": 0, "removed": 0}
        for step_id, step in found.items():
            old = known.get(step_id)
            if old is None:
                await self._worklist.put(step)
                counts["new"] += 1
            elif old.document != step.document:
                await self._scheduled.put_scheduled_step(step)
                counts["changed"] += 1
        gone = [step_id for step_id in known if step_id not in found]
        counts["removed"] = await self._scheduled.remove_scheduled_steps(gone) if gone else 0
        if counts["new"]:  # what is done already is not offered again
            await self._worklist.tidy()
        return counts

    async def _steps(self, source: str) -> list[ScheduledStep]:
        peer, prefix = self._modalities.peer(self._modalities.named(source)), _prefix(source)
        steps, wrong = [], 0
        async with aclosing(peer.worklist(_keys(date.today(), self._options.days))) as items:  # type: ignore[type-var]
            async for item in items:
                number = _number(item)
                try:
                    steps.append(ScheduledStep(f"{prefix}{number}", self._worklist.checked(item, number), time.time()))
                except ServerError:
                    wrong += 1
                if len(steps) > _MOST:
                    raise ServerError(Reason.TOO_LARGE, f"more than {_MOST} scheduled steps")
        if wrong:
            _log.warning("scheduled steps were passed over", extra={"source": source, "steps": wrong})
        return steps

    async def _known(self, prefix: str) -> dict[str, ScheduledStep]:
        ids = await self._ids(prefix)
        found: dict[str, ScheduledStep] = {}
        for start in range(0, len(ids), _READ):
            steps = await self._scheduled.scheduled_steps(ids[start : start + _READ])
            found.update((step.step_id, step) for step in steps)
        return found

    async def _ids(self, prefix: str) -> list[str]:
        return [step_id for *_, step_id in await self._scheduled.scheduled_starts() if step_id.startswith(prefix)]

    async def _forget_former(self) -> Mapping[str, int]:
        prefixes = tuple(map(_prefix, self._options.sources))
        former = [step_id for step_id in await self._ids(_IMPORTED) if not step_id.startswith(prefixes)]
        return {"removed": await self._scheduled.remove_scheduled_steps(former) if former else 0}

    async def _tried(self, source: str, work: Coroutine[Any, Any, Mapping[str, int]]) -> None:
        """A source that is away is told once, until it is back; its steps stay."""
        try:
            counts = await work
        except (PeerError, ServerError) as error:
            if source not in self._failed:
                detail = error.detail if isinstance(error, ServerError) else type(error).__name__
                _log.warning("scheduled steps were not imported", extra={"source": source, "detail": detail})
            self._failed.add(source)
            return
        self._failed.discard(source)
        if any(counts.values()):
            _log.info("scheduled steps were imported", extra={"source": source, **counts})


def _prefix(source: str) -> str:
    return f"{_IMPORTED}{sha256(source.encode()).hexdigest()[:8]}-"


def _number(item: Mapping[str, Any]) -> uuid.UUID:
    """The same for the same step, whenever it comes."""
    request = [text_of(item, tag) for tag in (_ACCESSION_NUMBER, _REQUESTED_PROCEDURE_ID)]
    names = [study_uid_of(item), *request, text_of(step_of(item), SCHEDULED_STEP_ID)]
    return uuid.uuid5(_NAMESPACE, "\x1f".join(names))


def _keys(today: date, days: int) -> dict[str, Any]:
    first, last = today - timedelta(days=1), today + timedelta(days=days)
    step = _empty(_ASKED_OF_STEP) | {_START_DATE: {"vr": "DA", "Value": [f"{first:%Y%m%d}-{last:%Y%m%d}"]}}
    return _empty(_ASKED) | {SCHEDULED_STEP_SEQUENCE: {"vr": "SQ", "Value": [step]}}


def _empty(tags: Iterable[int]) -> dict[str, Any]:
    return {f"{tag:08X}": {"vr": public_vr(tag)} for tag in tags}
