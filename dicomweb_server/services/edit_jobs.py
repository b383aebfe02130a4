"""Edit jobs: ResourceModification, SplitStudy and MergeStudy, as kinds that go on where they stopped."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Scope, StoredInstance
from dicomweb_server.services.edit_run import EditRun, Result
from dicomweb_server.services.edit_wishes import EditWishes, anonymization_wishes, modification_wishes
from dicomweb_server.services.edits import EditService, change_of
from dicomweb_server.services.resources import Resource, ResourceService
from dicomweb_server.services.running_job import RunningJob

__all__ = ["MODIFICATION", "ModificationJobs", "modification_parameters"]

MODIFICATION = "ResourceModification"
_NAMES = {Level.PATIENT: "Patient", Level.STUDY: "Study", Level.SERIES: "Series", Level.INSTANCE: "Instance"}
_PATHS = {Level.PATIENT: "patients", Level.STUDY: "studies", Level.SERIES: "series", Level.INSTANCE: "instances"}


def secret_of(parameters: Mapping[str, Any]) -> bytes:
    """The secret of a job."""
    return bytes.fromhex(parameters["Secret"])


def new_secret() -> str:
    """A secret that nobody knows, for the parameters of a job."""
    return secrets.token_hex(32)


async def modification_parameters(
    resources: ResourceService,
    body: Mapping[str, Any],
    wishes: EditWishes,
    level: Level,
    sources: Sequence[Resource],
    *,
    is_bulk: bool = False,
) -> dict[str, Any]:
    """What a job needs to know; ServerError(BAD_REQUEST) if it cannot be done to these resources."""
    scopes = [scope for source in sources for scope in await resources.scopes(source)]
    instances = sum([len(await resources.instances(source)) for source in sources]) if _counts(wishes) else 2
    wishes.require(level, instances)
    return {
        "Body": dict(body),
        "IsAnonymization": wishes.is_anonymization,
        "IsBulk": is_bulk,
        "Level": int(level),
        "Parents": [source.id for source in sources],
        "Scopes": [[scope.study_uid, scope.series_uid, scope.instance_uid] for scope in scopes],
        "Secret": new_secret(),
    }


def _counts(wishes: EditWishes) -> bool:
    return wishes.plan.replaces(0x00080018)


def wishes_of(parameters: Mapping[str, Any]) -> EditWishes:
    """What the client of a job asked for."""
    read = anonymization_wishes if parameters["IsAnonymization"] else modification_wishes
    return read(parameters["Body"])


async def sources_of(edits: EditService, scopes: Sequence[Sequence[str | None]]) -> list[StoredInstance]:
    """All instances below scopes, each once."""
    found: dict[tuple[str, str, str], StoredInstance] = {}
    for study_uid, series_uid, instance_uid in scopes:
        async for batch in edits.index.instances(Scope(study_uid or "", series_uid, instance_uid)):
            for one in batch:
                found.setdefault((one.study_uid, one.series_uid, one.instance_uid), one)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class ModificationJobs:
    """Modifications and anonymizations of whatever resources."""

    edits: EditService
    type: str = MODIFICATION

    async def run(self, job: RunningJob) -> None:
        """Edit all instances, store them, delete their sources if asked, tell what came of it."""
        parameters = job.parameters
        wishes, level = wishes_of(parameters), Level(parameters["Level"])
        sources = await sources_of(self.edits, parameters["Scopes"])
        if not sources and parameters["Scopes"] and job.cursor is None:
            raise ServerError(Reason.NOT_FOUND, "what was to be modified is gone")
        run = EditRun(
            self.edits,
            job,
            change_of(wishes, secret_of(parameters), level, sources),
            sources,
            transcode=wishes.transcode,
            keep_source=wishes.keep_source,
            permissive=bool(parameters.get("Permissive")),
            is_in_place=wishes.keeps_uids(level),
            collects=bool(parameters["IsBulk"]),
            descends_as="AnonymizedFrom" if wishes.is_anonymization else "ModifiedFrom",
            keep_labels=wishes.keep_labels,
        )
        await run.run()
        content = {
            **job.content,
            "FailedInstancesCount": run.failed,
            "InstancesCount": run.count,
            "IsAnonymization": wishes.is_anonymization,
            "ParentResources": parameters["Parents"],
        }
        told = bulk_content(run.results) if parameters["IsBulk"] else single_content(run.results, level)
        await job.save(content={**content, **told})


def single_content(results: Sequence[Result], level: Level) -> dict[str, Any]:
    """What became of one resource."""
    if not results:
        return {}
    public_id = results[0].id_at(level)
    return {
        "ID": public_id,
        "PatientID": results[0].id_at(Level.PATIENT),
        "Path": f"/{_PATHS[level]}/{public_id}",
        "Type": _NAMES[level],
    }


def bulk_content(results: Sequence[Result]) -> dict[str, Any]:
    """All that came of several."""
    listed = []
    for level in reversed(Level):
        ids = dict.fromkeys(result.id_at(level) for result in results)
        listed += [{"ID": one, "Path": f"/{_PATHS[level]}/{one}", "Type": _NAMES[level]} for one in sorted(ids)]
    return {"Resources": listed}
