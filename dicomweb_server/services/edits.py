"""Edits: stored instances changed into others: modified, anonymized, moved to another study. Stores nothing itself."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.deidentify import Deidentification
from dicomweb_server.dicom.deidentify_rules import Profile
from dicomweb_server.dicom.dictionary import keyword_of
from dicomweb_server.dicom.edit import Outcome, Task, edit
from dicomweb_server.dicom.edit_path import INSTANCE_UID, PATIENT_ID, SERIES_UID, STUDY_UID
from dicomweb_server.dicom.edit_plan import EditPlan
from dicomweb_server.dicom.edited import Edited
from dicomweb_server.dicom.header import Buffer, Header, open_part10
from dicomweb_server.dicom.modification import Modification
from dicomweb_server.dicom.pseudonyms import Pseudonyms
from dicomweb_server.dicom.repeated_edit import RepeatedEdit
from dicomweb_server.errors import ServerError
from dicomweb_server.ports.annotations import Annotations
from dicomweb_server.ports.blobs import Blobs, Staged
from dicomweb_server.ports.index import Index, StoredInstance
from dicomweb_server.services.edit_wishes import CHANGING, EditWishes
from dicomweb_server.services.ingest import IngestService
from dicomweb_server.services.transcoding import TranscodingService, TranscodingWish
from dicomweb_server.services.workers import Workers

__all__ = ["Change", "EditService", "ReportLine", "change_of", "level_of_change"]

Change = Modification | Deidentification


@dataclass(frozen=True, slots=True)
class ReportLine:
    """What would become of one element."""

    path: str
    name: str
    vr: str
    outcome: str


@dataclass(frozen=True, slots=True)
class EditedInstance:
    """An instance that was edited, and the patient it belongs to now: ID and name."""

    edited: Edited
    patient: tuple[str, str]


def change_of(wishes: EditWishes, secret: bytes, level: Level, sources: Iterable[StoredInstance]) -> Change:
    """The change of all sources together, so that they refer to each other afterwards as they did before.

    `secret`: that of the job, unless the client brought one.
    """
    if wishes.secret:
        secret = hashlib.sha256(wishes.secret.encode("utf-8", "surrogatepass")).digest()
    pseudonyms = Pseudonyms(secret)
    if wishes.options is None:
        changing = CHANGING[level]
        return Modification(wishes.plan, _successors(wishes.plan, pseudonyms, changing, sources))
    given = _successors(wishes.plan, None, (), sources)
    profile = Profile(wishes.options, Pseudonyms(secret, given), wishes.keeps_private)
    return Deidentification(wishes.plan, profile)


def level_of_change(plan: EditPlan) -> Level:
    """For a single instance: its highest parent that becomes another one."""
    tags = {Level.PATIENT: PATIENT_ID, Level.STUDY: STUDY_UID, Level.SERIES: SERIES_UID}
    return next((level for level, tag in tags.items() if plan.replaces(tag)), Level.INSTANCE)


def _successors(
    plan: EditPlan, pseudonyms: Pseudonyms | None, changing: Sequence[int], sources: Iterable[StoredInstance]
) -> dict[str, str]:
    """The UIDs of the sources that become others, or that must not, where pseudonyms are made for all others."""
    texts = {value.tag: value.text or "" for value in plan.inserts}
    found: dict[str, str] = {}
    for source in sources:
        uids = ((STUDY_UID, source.study_uid), (SERIES_UID, source.series_uid), (INSTANCE_UID, source.instance_uid))
        for tag, uid in uids:
            if tag in texts:
                found[uid] = texts[tag]
            elif plan.keeps(tag):
                if pseudonyms is None:
                    found[uid] = uid
            elif pseudonyms is not None and tag in changing:
                found[uid] = pseudonyms.uid(uid)
    return found


class EditService:
    """Edits stored instances; `index`, `blobs`, `ingest` and `annotations` are for those who store what came of it."""

    def __init__(
        self,
        index: Index,
        blobs: Blobs,
        ingest: IngestService,
        workers: Workers,
        annotations: Annotations,
        transcoding: TranscodingService,
    ) -> None:
        """`ingest`: one that replaces what has the same UIDs."""
        self.annotations = annotations
        self.index = index
        self.blobs = blobs
        self.ingest = ingest
        self._workers = workers
        self._transcoding = transcoding

    async def edited(
        self, instance: StoredInstance, change: Change, transcode: TranscodingWish | None = None
    ) -> EditedInstance:
        """An instance as it becomes; ServerError if it cannot be understood, is damaged, or cannot be transcoded."""
        file = await self._source(instance, transcode)
        return await self._workers.run(lambda: _edited(open_part10(file), change))

    async def staged(
        self, instances: Sequence[StoredInstance], change: RepeatedEdit, transcode: TranscodingWish | None = None
    ) -> list[tuple[Staged | ServerError, tuple[str, str]]]:
        """Instances as they become, in the spool; what was wrong with one in its place."""
        if transcode is None:
            return await self._stage([_Making(await self._source_or_error(one), change) for one in instances])
        made = []
        for one in instances:  # what was transcoded is in memory, so that each goes to the spool before the next one
            made += await self._stage([_Making(await self._source_or_error(one, transcode), change)])
        return made

    async def _stage(self, makings: Sequence["_Making"]) -> list[tuple[Staged | ServerError, tuple[str, str]]]:
        staged = await self.blobs.stage_made(makings)
        return [(one, making.patient) for one, making in zip(staged, makings, strict=True)]

    async def _source(self, instance: StoredInstance, transcode: TranscodingWish | None) -> Buffer:
        """What is edited: the instance, with the pixels that are wanted."""
        if transcode is None:
            return await self.blobs.map(instance.key)
        return await self._transcoding.whole(instance, transcode)

    async def _source_or_error(
        self, instance: StoredInstance, transcode: TranscodingWish | None = None
    ) -> Buffer | ServerError:
        try:
            return await self._source(instance, transcode)
        except ServerError as error:
            return error

    async def report(self, instance: StoredInstance, change: Change) -> list[ReportLine]:
        """What would become of the elements of an instance that do not stay as they are."""
        file = await self.blobs.map(instance.key)
        lines: list[ReportLine] = []

        def note(path: str, vr: str, outcome: Outcome) -> None:
            lines.append(ReportLine(path, _name(path), vr, outcome.value))

        await self._workers.run(lambda: edit(header := open_part10(file), change.task(header, note)))
        return lines


@dataclass(slots=True)
class _Making:
    """The edit of one instance, when it is its turn; then it knows the patient."""

    file: Buffer | ServerError
    change: RepeatedEdit
    patient: tuple[str, str] = ("", "")

    def __call__(self) -> Iterable[bytes | bytearray | memoryview]:
        """Edit."""
        if isinstance(self.file, ServerError):
            raise self.file
        edited, task = self.change.edit(open_part10(self.file))
        self.patient = task.patient
        return edited.buffers()


def _edited(header: Header, change: Change) -> EditedInstance:
    task: Task = change.task(header)
    return EditedInstance(edit(header, task), task.patient)


def _name(path: str) -> str:
    """The keyword of the attribute at a path."""
    return keyword_of(int(path.rpartition(".")[2].replace(",", ""), 16))
