"""/tools/create-dicom: a new instance, or a series of them, of tags and contents."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.origin import origin_of
from dicomweb_server.rest.answers import json_answer
from dicomweb_server.rest.body import Members, object_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.table import JSON, Table, row
from dicomweb_server.rest.upload import shown
from dicomweb_server.services.creation import Creation, Part, Wish
from dicomweb_server.services.resources import Resource, Scope

_LARGEST = 1 << 28  # of the body: base64 and what is decoded of it are in memory
_PIXEL_DATA = "PixelData"


async def create_dicom(request: Request, context: Context) -> Response:
    """Make and store."""
    members = await object_body(request, context, _LARGEST)
    is_series = isinstance(members.all.get("Content"), list) and bool(members.all["Content"])
    creation = await _creation(members, context)
    outcomes = await context.services.creation.create(creation, origin_of(request, "rest"))
    scopes = [Scope(one.study_uid, one.series_uid, one.instance_uid) for one in outcomes]
    found = await context.services.resources.of_scopes(scopes[:1])
    if not found or found[0] is None:
        raise ServerError(Reason.INTERNAL, "what was stored is gone already")
    return json_answer(_series_shown(found[0]) if is_series else shown(found[0], outcomes[0]))


def _series_shown(instance: Resource) -> dict[str, Any]:
    series = instance.id_at(Level.SERIES)
    parents = {
        "ParentPatient": instance.id_at(Level.PATIENT),
        "ParentStudy": instance.id_at(Level.STUDY),
    }
    return {"ID": series, "Path": f"/series/{series}", "Status": "Success", **parents}


async def _creation(members: Members, context: Context) -> Creation:
    tags, contents = dict(members.members("Tags").all), members.all.get("Content")
    if "Tags" not in members.all and "Content" not in members.all and "Parent" not in members.all:
        # How the tags were sent to the first releases of Orthanc.
        tags = dict(members.all)
        contents = tags.pop(_PIXEL_DATA, None)
    wish = Wish(
        tags=tags,
        creator=members.text("PrivateCreator", ""),
        force=members.flag("Force"),
        interpret=members.flag("InterpretBinaryTags", default=True),
    )
    parent = None
    if "Parent" in members:
        parent = await context.services.resources.identify_any(members.text("Parent"))
    return Creation(wish=wish, parts=_parts(contents), parent=parent, encapsulate=members.flag("Encapsulate"))


def _parts(contents: Any) -> list[Part]:
    if contents is None:
        return []
    return [_part(one) for one in (contents if isinstance(contents, list) else [contents])]


def _part(content: Any) -> Part:
    if isinstance(content, str):
        return Part(content)
    members = Members(content, "each item of Content")
    return Part(members.text("Content"), members.members("Tags").all)


OPERATIONS: Table = (
    row(
        "POST",
        "/tools/create-dicom",
        create_dicom,
        "Make and store an instance of tags and an image or document, or a series of several",
        consumes=(JSON,),
        errors=(404, 409, 503),
    ),
)
