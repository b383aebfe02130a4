"""POST /instances: a DICOM file, a ZIP archive of them, or an HTML form with files."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.archived_instances import store_archive
from dicomweb_server.http.body import chunks
from dicomweb_server.http.headers import header
from dicomweb_server.http.intake import Intake
from dicomweb_server.http.origin import origin_of
from dicomweb_server.rest.answers import json_answer
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.table import DICOM, OCTETS, ZIP, Table, row
from dicomweb_server.services.ingest import IngestOutcome, Status
from dicomweb_server.services.resources import Resource, Scope
from dicomweb_server.wire import multipart
from dicomweb_server.wire.media_types import parse_media_type

_ZIP_START = b"PK\3\4"
_FORM = "multipart/form-data"
_SHOWN = {
    Status.STORED: "Success",
    Status.REPLACED: "Success",
    Status.DUPLICATE: "AlreadyStored",
    Status.KEPT: "AlreadyStored",
}

Body = AsyncIterator[bytes]


async def upload(request: Request, context: Context) -> Response:
    """Store what the body holds, whatever its Content-Type says: archives are known by their first bytes."""
    scope, options = request.scope, context.options
    intake = Intake(
        context.services.ingest, origin_of(request, "rest"), None, max_instance_size=options.max_instance_size
    )
    try:
        async with aclosing(chunks(scope, request.receive, options.max_request_size)) as body:
            is_many = await _store(body, intake, header(scope, b"content-type") or "")
        outcomes = await intake.finish()
    finally:
        await intake.close()
    return await _answer(context, outcomes, is_many=is_many)


async def _store(body: Body, intake: Intake, content_type: str) -> bool:
    """Whether several instances may have come."""
    if content_type.lower().startswith(_FORM):
        await _store_form(body, intake, content_type)
        return True
    start, rest = await _begun(body)
    if start.startswith(_ZIP_START):
        await store_archive(rest, intake)
        return True
    if not start:
        raise ServerError(
            Reason.BAD_REQUEST, "the body of the request is empty: a DICOM file or a ZIP archive is expected"
        )
    intake.begin()
    async for chunk in rest:
        await intake.write(chunk)
    await intake.end()
    return False


async def _begun(body: Body) -> tuple[bytes, Body]:
    """The first bytes, and a body that has them again."""
    start = b""
    async for chunk in body:
        start += chunk
        if len(start) >= len(_ZIP_START):
            break

    async def whole() -> Body:
        yield start
        async for chunk in body:
            yield chunk

    return start, whole()


async def _store_form(body: Body, intake: Intake, content_type: str) -> None:
    """The files of an HTML form; its other fields are passed over."""
    reader = multipart.Reader(parse_media_type(content_type).parameters.get("boundary", ""))
    is_file = False
    async for chunk in body:
        for event in reader.feed(chunk):
            if isinstance(event, multipart.PartBegin):
                is_file = "filename" in event.headers.get("content-disposition", "")
                if is_file:
                    intake.begin()
            elif isinstance(event, multipart.PartData) and is_file:
                await intake.write(event.data)
            elif isinstance(event, multipart.PartEnd) and is_file:
                await intake.end()
    reader.finish()


async def _answer(context: Context, outcomes: Sequence[IngestOutcome], *, is_many: bool) -> Response:
    """Of several, those that are no instances are passed over, unless none is one."""
    stored = [outcome for outcome in outcomes if outcome.is_success]
    if not stored and outcomes:
        first = outcomes[0]
        raise ServerError(first.reason or Reason.INTERNAL, first.detail)
    scopes = [Scope(one.study_uid, one.series_uid, one.instance_uid) for one in stored]
    found = await context.services.resources.of_scopes(scopes)
    told = [shown(one, outcome) for one, outcome in zip(found, stored, strict=True) if one is not None]
    if is_many or not told:
        return json_answer(told)
    return json_answer(told[0])


def shown(instance: Resource, outcome: IngestOutcome) -> dict[str, Any]:
    """An instance that was stored, as the answer tells of it."""
    return {
        "ID": instance.id,
        "ParentPatient": instance.id_at(Level.PATIENT),
        "ParentSeries": instance.id_at(Level.SERIES),
        "ParentStudy": instance.id_at(Level.STUDY),
        "Path": f"/instances/{instance.id}",
        "Status": _SHOWN[outcome.status],
    }


OPERATIONS: Table = (
    row(
        "POST",
        "/instances",
        upload,
        "Store a DICOM file, a ZIP archive of them, or the files of an HTML form; Content-Encoding may be gzip",
        consumes=(DICOM, ZIP, OCTETS, _FORM),
        errors=(409, 415, 503),
    ),
)
