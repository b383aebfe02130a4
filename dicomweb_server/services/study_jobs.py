"""Study jobs: SplitStudy and MergeStudy: series and instances that move from one study to another."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.captured import captured
from dicomweb_server.dicom.edit_path import STUDY_UID, EditPath, tag_text
from dicomweb_server.dicom.edit_plan import EditPlan
from dicomweb_server.dicom.edit_value import EditValue
from dicomweb_server.dicom.header import open_part10
from dicomweb_server.dicom.modification import Modification
from dicomweb_server.dicom.pseudonyms import Pseudonyms
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Scope, StoredInstance
from dicomweb_server.services.edit_jobs import new_secret, secret_of, sources_of
from dicomweb_server.services.edit_run import EditRun
from dicomweb_server.services.edit_wishes import EditWishes, modification_wishes
from dicomweb_server.services.edits import EditService
from dicomweb_server.services.resources import Resource, ResourceService
from dicomweb_server.services.running_job import RunningJob

__all__ = ["MERGE", "SPLIT", "MergeJobs", "SplitJobs", "merge_parameters", "split_parameters"]

SPLIT, MERGE = "SplitStudy", "MergeStudy"

# The Patient and General Study modules (PS3.3 tables C.7-1 and C.7-3): what all instances of a study have in common.
_TAGS = (
    "00081120 00100010 00100020 00100021 00100022 00100024 00100026 00100027 00100030 00100032 00100033 00100034 "
    "00100035 00100040 00100200 00100212 00100213 00100216 00100218 00100219 00100221 00101000 00101001 00101002 "
    "00101100 00102160 00102201 00102202 00102292 00102293 00102294 00102297 00102298 00102299 00104000 00120062 "
    "00120063 00120064 00080020 00080030 00080050 00080051 00080090 00080096 0008009C 0008009D 00081030 00081032 "
    "00081048 00081049 00081060 00081062 00081110 0020000D 00200010 00321033 00321034 00401012"
)
PATIENT_AND_STUDY = frozenset(int(tag, 16) for tag in _TAGS.split())


def _scopes(resources: Iterable[Resource]) -> list[list[str | None]]:
    return [[one.scope.study_uid, one.scope.series_uid, one.scope.instance_uid] for one in resources]


def split_wishes(body: Mapping[str, Any]) -> EditWishes:
    """Replace and Remove of a split; ServerError(BAD_REQUEST) for what is not of the patient or study."""
    wanted = {name: body.get(name) for name in ("Replace", "Remove") if body.get(name) is not None}
    wishes = modification_wishes({**wanted, "Force": True, "KeepSource": body.get("KeepSource", False)})
    plan = wishes.plan
    for path in (*(path for path, _ in plan.replace), *plan.remove):
        is_known = isinstance(path, EditPath) and not path.steps and path.tag in PATIENT_AND_STUDY - {STUDY_UID}
        if not is_known:
            name = tag_text(path.tag) if isinstance(path, EditPath) else "a wildcard"
            problem = "Cannot modify the following tag while splitting a study (not in the patient/study modules)"
            raise ServerError(Reason.BAD_REQUEST, f"{problem}: {name}")
    return wishes


async def split_parameters(
    resources: ResourceService, study: Resource, body: Mapping[str, Any], listed: Mapping[Level, Sequence[str]]
) -> dict[str, Any]:
    """Of a job that moves series and instances of a study to a new one; ServerError: BAD_REQUEST, NOT_FOUND."""
    split_wishes(body)
    if not any(listed.values()):
        raise ServerError(Reason.BAD_REQUEST, 'Both the "Series" and the "Instances" fields are missing')
    members = [await resources.identify(level, one) for level, ids in listed.items() for one in ids]
    for one in members:
        if one.study_uid != study.study_uid:
            raise ServerError(Reason.BAD_REQUEST, f"this {one.level.name.lower()} is not of the study: {one.id}")
    return {"Body": dict(body), "Scopes": _scopes(members), "Secret": new_secret()}


async def merge_parameters(
    resources: ResourceService, target: Resource, listed: Sequence[str], *, keep_source: bool
) -> dict[str, Any]:
    """Of a job that moves other studies, series or instances to this one; ServerError(NOT_FOUND)."""
    members = []
    for public_id in listed:
        one = await resources.identify_any(public_id)
        if one.level is Level.PATIENT:
            problem = f"This resource is neither a study, nor a series, nor an instance: {public_id} is a Patient"
            raise ServerError(Reason.NOT_FOUND, problem)
        if one.study_uid == target.study_uid:
            raise ServerError(Reason.NOT_FOUND, f"Cannot merge a study into the same study: {public_id}")
        members.append(one)
    return {
        "KeepSource": keep_source,
        "Scopes": _scopes(members),
        "Secret": new_secret(),
        "Target": target.study_uid,
        "TargetStudy": target.id,
    }


def _moving(plan: EditPlan, pseudonyms: Pseudonyms, sources: Iterable[StoredInstance], study_uid: str) -> Modification:
    """New series and instances in a study, which refer to each other as before."""
    uids: dict[str, str] = {}
    for one in sources:
        uids[one.study_uid] = study_uid
        uids[one.series_uid] = pseudonyms.uid(one.series_uid)
        uids[one.instance_uid] = pseudonyms.uid(one.instance_uid)
    return Modification(plan, uids)


@dataclass(frozen=True, slots=True)
class SplitJobs:
    """Series and instances that get a study of their own."""

    edits: EditService
    type: str = SPLIT

    async def run(self, job: RunningJob) -> None:
        """Move them."""
        parameters = job.parameters
        wishes, pseudonyms = split_wishes(parameters["Body"]), Pseudonyms(secret_of(parameters))
        sources = await sources_of(self.edits, parameters["Scopes"])
        study_uid = pseudonyms.uid("study:" + parameters["Secret"])
        change = _moving(wishes.plan, pseudonyms, sources, study_uid)
        keep_labels = bool(parameters["Body"].get("KeepLabels"))
        run = await _run(self.edits, job, change, sources, keep_source=wishes.keep_source, keep_labels=keep_labels)
        told = {"TargetStudy": run.results[0].id_at(Level.STUDY)} if run.results else {}
        await job.save(content={**job.content, **_counted(run), **told, "TargetStudyUID": study_uid})


@dataclass(frozen=True, slots=True)
class MergeJobs:
    """Series and instances of other studies that become part of one."""

    edits: EditService
    type: str = MERGE

    async def run(self, job: RunningJob) -> None:
        """Move them; they get the patient and study attributes of the target."""
        parameters = job.parameters
        sources = await sources_of(self.edits, parameters["Scopes"])
        plan = await self._plan(parameters["Target"])
        change = _moving(plan, Pseudonyms(secret_of(parameters)), sources, parameters["Target"])
        run = await _run(self.edits, job, change, sources, keep_source=bool(parameters["KeepSource"]))
        await job.save(content={**job.content, **_counted(run), "TargetStudy": parameters["TargetStudy"]})

    async def _plan(self, study_uid: str) -> EditPlan:
        async for batch in self.edits.index.instances(Scope(study_uid)):
            for one in batch:
                file = await self.edits.blobs.map(one.key)
                return _plan_of(captured(open_part10(file), PATIENT_AND_STUDY))
        raise ServerError(Reason.NOT_FOUND, "the study that others should become part of is gone")


def _plan_of(values: Sequence[EditValue]) -> EditPlan:
    absent = PATIENT_AND_STUDY - {value.tag for value in values}
    return EditPlan(
        replace=tuple((EditPath((), value.tag), value) for value in values),
        remove=tuple(EditPath((), tag) for tag in sorted(absent)),
    )


async def _run(
    edits: EditService,
    job: RunningJob,
    change: Modification,
    sources: list[StoredInstance],
    *,
    keep_source: bool,
    keep_labels: bool = False,
) -> EditRun:
    if not sources and job.cursor is None:
        raise ServerError(Reason.NOT_FOUND, "what was to be moved is gone")
    permissive = bool(job.parameters.get("Permissive"))
    run = EditRun(
        edits,
        job,
        change,
        sources,
        keep_source=keep_source,
        permissive=permissive,
        descends_as="ModifiedFrom",
        keep_labels=keep_labels,
    )
    await run.run()
    return run


def _counted(run: EditRun) -> dict[str, int]:
    return {"FailedInstancesCount": run.failed, "InstancesCount": run.count}
