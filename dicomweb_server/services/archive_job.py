"""Archives as jobs: the job looks whether all is there and tells sizes; its output is made while it is fetched."""

from collections.abc import Mapping, Sequence
from typing import Any

from dicomweb_server.services.archives import Archive, ArchiveService, ArchiveWish, Layout
from dicomweb_server.services.jobs import Job, JobOutput, RunningJob
from dicomweb_server.services.resources import Resource, ResourceService
from dicomweb_server.services.transcoding import TranscodingWish

OUTPUT = "archive"
_MEGABYTE = 2**20


def archive_job(wish: ArchiveWish, resources: Sequence[Resource], filename: str) -> tuple[str, dict[str, Any]]:
    """The type and the parameters of a job that gives an archive."""
    parameters = {
        "Resources": [resource.id for resource in resources],
        "Layout": wish.layout.value,
        "Transcode": wish.transcode.transfer_syntax_uid if wish.transcode else None,
        "LossyQuality": wish.transcode.quality if wish.transcode else None,
        "Ascii": wish.ascii_names,
        "Filename": filename,
    }
    return "Archive" if wish.layout is Layout.FOLDERS else "Media", parameters


class ArchiveKind:
    """Jobs of the types Archive and Media."""

    def __init__(self, type_: str, archives: ArchiveService, resources: ResourceService) -> None:
        self.type = type_
        self._archives = archives
        self._resources = resources

    async def run(self, job: RunningJob) -> None:
        """Find the instances."""
        archive = await self._archive(job.parameters)
        sizes = {"InstancesCount": len(archive.instances), **_sizes("UncompressedSize", archive.content_size)}
        if archive.size is not None:
            sizes |= _sizes("ArchiveSize", archive.size)
        await job.save(progress=1.0, content={**job.content, **sizes}, outputs=(OUTPUT,))

    async def output(self, job: Job, key: str) -> JobOutput:
        """The archive of what the resources have now; ServerError(NOT_FOUND) if one was deleted."""
        archive = await self._archive(job.parameters)
        return JobOutput("application/zip", job.parameters["Filename"], self._archives.pieces(archive), archive.size)

    async def _archive(self, parameters: Mapping[str, Any]) -> Archive:
        syntax, quality = parameters["Transcode"], parameters.get("LossyQuality")
        wish = ArchiveWish(
            layout=Layout(parameters["Layout"]),
            transcode=TranscodingWish(syntax, quality) if syntax else None,
            ascii_names=parameters["Ascii"],
        )
        resources = [await self._resources.identify_any(one) for one in parameters["Resources"]]
        return await self._archives.plan(resources, wish)


def _sizes(name: str, size: int) -> dict[str, Any]:
    return {name: str(size), f"{name}MB": size // _MEGABYTE}
