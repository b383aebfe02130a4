"""How much is there: in all, below a resource; and which patients are protected."""

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.rest.answers import json_answer, text_answer
from dicomweb_server.rest.body import text_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.identify import LEVELS, resource_of
from dicomweb_server.rest.table import TEXT, Table, row
from dicomweb_server.services.resources import Described

_MEGABYTE = 1 << 20


async def show_statistics(request: Request, context: Context) -> Response:
    """Totals of the store."""
    counts = await context.services.search.counts()
    size = counts["bytes"] + await context.services.annotations.attached_size()
    return json_answer(
        {
            "CountInstances": counts["instances"],
            "CountPatients": counts["patients"],
            "CountSeries": counts["series"],
            "CountStudies": counts["studies"],
            "TotalDiskSize": str(size),
            "TotalDiskSizeMB": size // _MEGABYTE,
            "TotalUncompressedSize": str(size),
            "TotalUncompressedSizeMB": size // _MEGABYTE,
        }
    )


async def show_resource_statistics(request: Request, context: Context) -> Response:
    """What is below one resource."""
    resource = await resource_of(request, context)
    return json_answer(await context.services.resources.describe(resource, _statistics))


def _statistics(described: Described) -> dict[str, object]:
    level, counts = described.resource.level, described.counts
    found: dict[str, object] = {}
    if level is Level.PATIENT:
        found["CountStudies"] = int(counts["NumberOfPatientRelatedStudies"])
        found["CountSeries"] = int(counts["NumberOfPatientRelatedSeries"])
    elif level is Level.STUDY:
        found["CountSeries"] = int(counts["NumberOfStudyRelatedSeries"])
    if level is not Level.INSTANCE:
        found["CountInstances"] = described.instances
    for kind in ("DicomDiskSize", "DicomUncompressedSize", "DiskSize", "UncompressedSize"):
        found[kind] = str(described.size)
        found[f"{kind}MB"] = described.size // _MEGABYTE
    return dict(sorted(found.items()))


async def show_protection(request: Request, context: Context) -> Response:
    """1 if the patient is never removed to make room."""
    is_protected = await context.services.annotations.is_protected(await resource_of(request, context))
    return text_answer("1" if is_protected else "0")


async def put_protection(request: Request, context: Context) -> Response:
    """The body says 1 or 0."""
    said = (await text_body(request)).strip()
    if said not in ("0", "1"):
        raise ServerError(Reason.BAD_REQUEST, "the body must be 1 (protected) or 0")
    await context.services.annotations.protect(await resource_of(request, context), protected=said == "1")
    return text_answer("")


_PROTECTED = "/patients/{id}/protected"
OPERATIONS: Table = (
    row("GET", "/statistics", show_statistics, "Totals of the store"),
    *(row("GET", f"/{name}/{{id}}/statistics", show_resource_statistics, "How much is below it") for name in LEVELS),
    row("GET", _PROTECTED, show_protection, "Whether the patient is never removed to make room", produces=(TEXT,)),
    row("PUT", _PROTECTED, put_protection, "Protect the patient (1) or not (0)", produces=(TEXT,), consumes=(TEXT,)),
)
