"""EditRun: all sources of a job edited and stored, batch by batch, some of them at the same time.

Repeats itself: what is done twice, after a crash, comes to the same bytes and is stored once. Originals go last.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.origin import Origin
from dicomweb_server.dicom.orthanc_id import orthanc_id
from dicomweb_server.dicom.repeated_edit import RepeatedEdit
from dicomweb_server.dicom.searchable import folded_name
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.annotations import Descent
from dicomweb_server.ports.blobs import Staged
from dicomweb_server.ports.index import Scope, StoredInstance
from dicomweb_server.services.edits import Change, EditService
from dicomweb_server.services.ingest import IngestOutcome
from dicomweb_server.services.running_job import RunningJob
from dicomweb_server.services.transcoding import TranscodingWish

_BATCH_INSTANCES = 32
_BATCH_BYTES = 16 << 20
_BATCHES_AT_ONCE = 3  # one is hashed and written, or synced, while another is edited
_NAMELESS = "\x1f"


@dataclass(frozen=True, slots=True)
class Result:
    """One instance that was stored, by what identifies it."""

    identity: str
    uids: tuple[str, str, str]

    def id_at(self, level: Level) -> str:
        """Orthanc's identifier of it, or of its parent at a level."""
        return orthanc_id(self.identity, *self.uids[:level])


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A result on its way to be stored: its source, and ID and name of its patient."""

    source: StoredInstance
    staged: Staged
    patient: tuple[str, str]


@dataclass(slots=True)
class EditRun:
    """What a job does. `is_in_place`: results have the UIDs of their sources; `permissive`: failures are counted."""

    edits: EditService
    job: RunningJob
    change: Change
    sources: Sequence[StoredInstance]
    transcode: TranscodingWish | None = None
    keep_source: bool = True
    permissive: bool = False
    is_in_place: bool = False
    collects: bool = False  # every result, not only the first
    descends_as: str = ""  # the name of the metadata that tells what a result was made of
    keep_labels: bool = False
    failed: int = 0
    results: list[Result] = field(default_factory=list)
    count: int = 0
    _repeated: RepeatedEdit = field(init=False)
    _spared: set[str] = field(default_factory=set)  # sources that stay: they failed, or are results now

    def __post_init__(self) -> None:
        self._repeated = RepeatedEdit(self.change)

    async def run(self) -> None:
        """Go on from the cursor to the end."""
        under_way: deque[tuple[int, asyncio.Task[None]]] = deque()
        try:
            for start, batch in self._batches(self._resume()):
                under_way.append((start + len(batch), asyncio.create_task(self._edit_and_store(batch))))
                if len(under_way) >= _BATCHES_AT_ONCE:
                    await self._finish(under_way)
            while under_way:
                await self._finish(under_way)
        finally:
            if under_way:  # what has begun comes to its end: it would be done again otherwise
                await asyncio.wait({task for _, task in under_way})
        if self.is_in_place:
            for study_uid in {one.study_uid for one in self.sources}:
                await self.edits.index.forget_absent(study_uid)
        elif not self.keep_source:
            await self.job.flush()
            await self._delete_sources()

    async def _finish(self, under_way: "deque[tuple[int, asyncio.Task[None]]]") -> None:
        """Wait for the first batch under way and note that it is done."""
        done, task = under_way[0]
        await asyncio.shield(task)
        under_way.popleft()
        await self._save(done)

    def _resume(self) -> int:
        """How many sources are done; none if they are not those of before. All, once their deletion has begun."""
        cursor = self.job.cursor or {}
        is_deleting = not self.keep_source and cursor and cursor["done"] == cursor["count"]
        if not cursor or (cursor["sources"] != self._fingerprint() and not is_deleting):
            self.count = len(self.sources)
            return 0
        self.count, self.failed, self._spared = cursor["count"], cursor["failed"], set(cursor["spared"])
        self.results = [Result(identity, (study, series, one)) for identity, study, series, one in cursor["results"]]
        return len(self.sources) if is_deleting else int(cursor["done"])

    async def _save(self, done: int) -> None:
        cursor: dict[str, Any] = {
            "done": self.count if done == len(self.sources) else done,
            "count": self.count,
            "failed": self.failed,
            "results": [[result.identity, *result.uids] for result in self.results],
            "sources": self._fingerprint(),
            "spared": sorted(self._spared),
        }
        await self.job.save(progress=done / max(len(self.sources), 1), cursor=cursor)

    def _fingerprint(self) -> str:
        uids = "\n".join(one.instance_uid for one in self.sources)
        return hashlib.sha256(uids.encode("ascii", "replace")).hexdigest()[:32]

    def _batches(self, done: int) -> Sequence[tuple[int, Sequence[StoredInstance]]]:
        batches, start = [], done
        while start < len(self.sources):
            end, size = start, 0
            while end < len(self.sources) and end - start < _BATCH_INSTANCES:
                size += self.sources[end].size
                if size > _BATCH_BYTES and end > start:
                    break
                end += 1
            batches.append((start, self.sources[start:end]))
            start = end
        return batches

    async def _edit_and_store(self, batch: Sequence[StoredInstance]) -> None:
        """One batch."""
        wanted = [one for one in batch if not self._is_done(one)]
        made = await self.edits.staged(wanted, self._repeated, self.transcode)
        errors = [(source, one) for source, (one, _) in zip(wanted, made, strict=True) if isinstance(one, ServerError)]
        waiting = [
            _Waiting(source, one, patient)
            for source, (one, patient) in zip(wanted, made, strict=True)
            if isinstance(one, Staged)
        ]
        if errors and not self.permissive:
            await self.edits.blobs.discard([one.staged for one in waiting])
            raise errors[0][1]
        for source, _ in errors:
            self._fail(source)
        origin = Origin("job", user=self.job.job.user)
        outcomes = await self.edits.ingest.ingest_batch([one.staged for one in waiting], origin)
        for one, outcome in zip(waiting, outcomes, strict=True):
            self._note(one, outcome)
        if self.descends_as:
            descents = [_descent(one, outcome) for one, outcome in zip(waiting, outcomes, strict=True)]
            await self.edits.annotations.note_descent(self.descends_as, descents, with_labels=self.keep_labels)

    def _is_done(self, source: StoredInstance) -> bool:
        """Whether a source was replaced by its result before a crash: then it must not be edited twice."""
        return self.is_in_place and source.received >= self.job.job.created

    def _note(self, waiting: _Waiting, outcome: IngestOutcome) -> None:
        if not outcome.is_success:
            if not self.permissive:
                problem = f"Error while storing a modified instance: {outcome.detail}"
                raise ServerError(outcome.reason or Reason.INTERNAL, problem)
            self._fail(waiting.source)
            return
        patient_id, name = waiting.patient
        result = Result(
            patient_id or _NAMELESS + folded_name(name),
            (outcome.study_uid, outcome.series_uid, outcome.instance_uid),
        )
        if self.collects or not self.results:
            self.results.append(result)
        source = waiting.source
        if result.uids == (source.study_uid, source.series_uid, source.instance_uid):
            self._spared.add(source.instance_uid)

    def _fail(self, source: StoredInstance) -> None:
        self.failed += 1
        self._spared.add(source.instance_uid)

    async def _delete_sources(self) -> None:
        """Those that have a result elsewhere."""
        gone = [one for one in self.sources if one.instance_uid not in self._spared]
        by_study: dict[str, list[StoredInstance]] = {}
        for one in gone:
            by_study.setdefault(one.study_uid, []).append(one)
        for study_uid, members in by_study.items():
            await self._delete(study_uid, {one.instance_uid: one for one in members})

    async def _delete(self, study_uid: str, members: dict[str, StoredInstance]) -> None:
        """A whole study at once, if all that is in it goes; else what goes, one by one."""
        there = {one.instance_uid async for batch in self.edits.index.instances(Scope(study_uid)) for one in batch}
        if there and there <= members.keys():
            await self.edits.index.delete(Scope(study_uid))
            return
        for uid in there & members.keys():
            one = members[uid]
            await self.edits.index.delete(Scope(one.study_uid, one.series_uid, one.instance_uid))


def _descent(waiting: _Waiting, outcome: IngestOutcome) -> Descent:
    source = waiting.source
    return Descent(
        Scope(source.study_uid, source.series_uid, source.instance_uid),
        Scope(outcome.study_uid, outcome.series_uid, outcome.instance_uid),
    )
