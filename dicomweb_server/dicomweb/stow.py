"""STOW-RS (PS3.18 §10.5): takes a request apart while it arrives, hands its instances to ingest, tells the outcome."""

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicomweb.context import Context
from dicomweb_server.dicomweb.store_response import OFFERS, store_response
from dicomweb_server.dicomweb.stow_metadata import store_metadata
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.archived_instances import store_archive
from dicomweb_server.http.body import chunks
from dicomweb_server.http.headers import accepted, header
from dicomweb_server.http.intake import Intake
from dicomweb_server.http.origin import origin_of
from dicomweb_server.services.ingest import IngestOutcome
from dicomweb_server.wire import multipart
from dicomweb_server.wire.media_types import (
    DICOM,
    DICOM_JSON,
    DICOM_XML,
    RELATED,
    ZIP,
    MediaType,
    choose,
    parse_media_type,
)

ACCEPTED = (
    f'{RELATED}; type="{DICOM}"',
    f'{RELATED}; type="{DICOM_JSON}"',
    f'{RELATED}; type="{DICOM_XML}"',
    DICOM,
    ZIP,
)

Body = AsyncIterator[bytes]
Store = Callable[[Body, Intake, MediaType], Coroutine[Any, Any, None]]


async def store_instances(request: Request, context: Context) -> Response:
    """Store what the body holds, in the study of the path if it names one."""
    http, options = request.scope, context.options
    # Before anything is read: a sender that cannot take the answer must not wonder what was stored.
    offer = choose(accepted(http), OFFERS)
    study_uid = http["path_params"].get("study")
    intake = Intake(
        context.services.ingest, origin_of(request, "stow"), study_uid, max_instance_size=options.max_instance_size
    )
    outcomes = await taken_in(request, intake, options.max_request_size)
    return store_response(outcomes, options.service_url.root(http), offer)


async def taken_in(request: Request, intake: Intake, limit: int) -> list[IngestOutcome]:
    """What became of the instances in a body of at most `limit` bytes; ServerError if there are none."""
    content_type = header(request.scope, b"content-type")
    if content_type is None:
        raise _unsupported("(none)")
    media_type = parse_media_type(content_type)
    store = _store_for(media_type)
    try:
        async with aclosing(chunks(request.scope, request.receive, limit)) as body:
            await _until_error(store(body, intake, media_type), intake)
        if intake.is_empty:
            raise ServerError(Reason.BAD_REQUEST, "the body of the request has no parts")
        return await intake.finish()
    finally:
        await intake.close()


async def _until_error(storing: Coroutine[Any, Any, None], intake: Intake) -> None:
    """Read up to an error in the request; what came whole before it counts, and the rest is one part that failed."""
    try:
        await storing
    except ServerError as error:
        if intake.is_empty:
            raise
        await intake.refuse(error.reason, error.detail)


def _store_for(media_type: MediaType) -> Store:
    """What takes a body of this type apart; ServerError(UNSUPPORTED_MEDIA_TYPE) if nothing does."""
    if media_type.name == DICOM:
        return _store_single
    if media_type.name == ZIP:
        return store_archive
    if media_type.name != RELATED:
        raise _unsupported(media_type.name)
    part_type = media_type.parameters.get("type", DICOM).lower()
    if part_type == DICOM:
        return _store_parts
    if part_type in (DICOM_JSON, DICOM_XML):
        return store_metadata
    raise _unsupported(f'{RELATED}; type="{part_type}"')


def _unsupported(name: str) -> ServerError:
    return ServerError(
        Reason.UNSUPPORTED_MEDIA_TYPE, f"Content-Type {name[:100]} cannot be stored; accepted are {', '.join(ACCEPTED)}"
    )


async def _store_single(body: Body, intake: Intake, media_type: MediaType) -> None:
    """The body is one instance."""
    begun = False
    async for chunk in body:
        if not begun:
            begun = True
            intake.begin()
        await intake.write(chunk)
    if begun:
        await intake.end()


async def _store_parts(body: Body, intake: Intake, media_type: MediaType) -> None:
    """Each part is an instance."""
    reader = multipart.Reader(media_type.parameters.get("boundary", ""))
    async for chunk in body:
        for event in reader.feed(chunk):
            if isinstance(event, multipart.PartData):
                await intake.write(event.data)
            elif isinstance(event, multipart.PartBegin):
                problem = _problem_of_part(event.headers)
                if problem:
                    await intake.refuse(Reason.UNSUPPORTED_MEDIA_TYPE, problem)
                else:
                    intake.begin()
            elif isinstance(event, multipart.PartEnd):
                await intake.end()
    reader.finish()


def _problem_of_part(fields: Mapping[str, str]) -> str:
    """Why a part is none of those that the Content-Type of the request promises, "" if it is one."""
    content_type = fields.get("content-type", DICOM)
    # The usual case first: parsing costs as much as all the rest of a small part.
    if content_type != DICOM:
        try:
            name = parse_media_type(content_type).name
        except ServerError as error:
            return error.detail
        if name != DICOM:
            return f"a part of type {name[:100]} in a body of type {DICOM}"
    encoding = fields.get("content-transfer-encoding", "binary").lower()
    return "" if encoding in ("binary", "8bit", "7bit") else f"Content-Transfer-Encoding {encoding[:40]} of a part"
