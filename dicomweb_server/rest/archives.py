"""…/archive, …/media and /tools/create-archive, create-media: ZIP archives, streamed or as jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.responses import Pieces
from dicomweb_server.rest.arguments import Arguments
from dicomweb_server.rest.body import Members, any_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.disposition import attachment
from dicomweb_server.rest.identify import resource_of
from dicomweb_server.rest.submission import Wish, job_answer, submit, wish_of
from dicomweb_server.rest.table import JSON, TEXT, ZIP, Row, Table, flag, row, word
from dicomweb_server.rest.transcoding import TRANSCODING_PARAMETERS, transcoding_by_arguments, transcoding_by_members
from dicomweb_server.services.archive_job import archive_job
from dicomweb_server.services.archives import ArchiveWish, Layout
from dicomweb_server.services.resources import Resource

_FILENAME = "Archive.zip"
_MOST_RESOURCES = 100_000


@dataclass(frozen=True, slots=True)
class _Asked:
    archive: ArchiveWish
    job: Wish
    filename: str


async def get_archive(request: Request, context: Context, *, layout: Layout) -> Response:
    """The archive of one resource."""
    resource = await resource_of(request, context)
    asked = _asked_by_arguments(request, layout, f"{resource.id}.zip")
    return await _answer(request, context, [resource], asked)


async def post_archive(request: Request, context: Context, *, layout: Layout) -> Response:
    """The same, or a job that gives it."""
    resource = await resource_of(request, context)
    body = await any_body(request, context)
    asked = _asked_by_members(Members({} if body is None or body == [] else body), layout, f"{resource.id}.zip")
    return await _answer(request, context, [resource], asked)


async def get_chosen(request: Request, context: Context, *, layout: Layout) -> Response:
    """The archive of the resources that a parameter lists."""
    ids = [one for one in Arguments(request.scope).text("resources").split(",") if one]
    if not ids:
        raise ServerError(Reason.BAD_REQUEST, "the parameter resources must list identifiers, separated by commas")
    asked = _asked_by_arguments(request, layout, _FILENAME)
    return await _answer(request, context, await _resources(context, ids), asked)


async def post_chosen(request: Request, context: Context, *, layout: Layout) -> Response:
    """The archive of the resources that a body lists, or a job that gives it."""
    body = await any_body(request, context)
    members = Members({"Resources": body} if isinstance(body, list) else body)
    if "Resources" not in members:
        raise ServerError(Reason.BAD_REQUEST, "Resources is missing: a list of identifiers is expected")
    asked = _asked_by_members(members, layout, _FILENAME)
    return await _answer(request, context, await _resources(context, members.texts("Resources")), asked)


async def _resources(context: Context, ids: Sequence[str]) -> list[Resource]:
    if len(ids) > _MOST_RESOURCES:
        raise ServerError(Reason.TOO_LARGE, f"an archive can be of at most {_MOST_RESOURCES} resources")
    return [await context.services.resources.identify_any(one) for one in dict.fromkeys(ids)]


async def _answer(request: Request, context: Context, resources: Sequence[Resource], asked: _Asked) -> Response:
    if asked.job.asynchronous:
        type_, parameters = archive_job(asked.archive, resources, asked.filename)
        return job_answer(await submit(request, context, type_, parameters, asked.job))
    archives = context.services.archives
    archive = await archives.plan(resources, asked.archive)
    headers = [attachment(asked.filename)]
    return Pieces(archives.pieces(archive), ZIP.encode("ascii"), length=archive.size, headers=headers)


def _asked_by_arguments(request: Request, layout: Layout, filename: str) -> _Asked:
    arguments = Arguments(request.scope)
    wish = ArchiveWish(
        layout=_extended(layout, wanted=arguments.flag("extended")), transcode=transcoding_by_arguments(arguments)
    )
    return _Asked(wish, Wish(), arguments.text("filename") or filename)


def _asked_by_members(members: Members, layout: Layout, filename: str) -> _Asked:
    wish = ArchiveWish(
        layout=_extended(layout, wanted=members.flag("Extended")),
        transcode=transcoding_by_members(members),
        ascii_names=not members.flag("Utf8", default=True),
    )
    return _Asked(wish, wish_of(members), members.text("Filename", "") or filename)


def _extended(layout: Layout, *, wanted: bool) -> Layout:
    return Layout.EXTENDED_MEDIA if wanted and layout is Layout.MEDIA else layout


_PARAMETERS = (word("filename", "The name to offer"), *TRANSCODING_PARAMETERS)
_CHOICE = word("resources", "Identifiers at any level, separated by commas")
_EXTENDED = flag("extended", "A DICOMDIR that says more than it must")


def _rows() -> list[Row]:
    rows: list[Row] = []
    for root, noun in (("patients", "a patient"), ("studies", "a study"), ("series", "a series")):
        for name, layout, what, more in (
            ("archive", Layout.FOLDERS, "ZIP archive of the files", ()),
            ("media", Layout.MEDIA, "ZIP archive of a file-set with DICOMDIR", (_EXTENDED,)),
        ):
            path = f"/{root}/{{id}}/{name}"
            rows += _pair(path, (get_archive, post_archive), layout, f"{what} of {noun}", (*_PARAMETERS, *more))
    for name, layout, what in (
        ("create-archive", Layout.FOLDERS, "ZIP archive of the files of chosen resources"),
        ("create-media", Layout.MEDIA, "ZIP archive of a file-set with DICOMDIR, of chosen resources"),
        ("create-media-extended", Layout.EXTENDED_MEDIA, "The same with a DICOMDIR that says more than it must"),
    ):
        rows += _pair(f"/tools/{name}", (get_chosen, post_chosen), layout, what, (_CHOICE, *_PARAMETERS))
    return rows


def _pair(path: str, endpoints: tuple[Any, Any], layout: Layout, what: str, parameters: Sequence[Any]) -> list[Row]:
    get, post = (partial(endpoint, layout=layout) for endpoint in endpoints)
    return [
        row("GET", path, get, what, *parameters, produces=(ZIP,), errors=(404,)),
        row("POST", path, post, f"{what}, or a job for it", produces=(ZIP, JSON), consumes=(JSON,),
            may_be_empty="{id}" in path, errors=(404,)),
    ]  # fmt: skip


async def export(request: Request, context: Context) -> Response:
    """Never done: a path on the server in a request is a way to overwrite whatever the server may write."""
    raise ServerError(Reason.FORBIDDEN, "this server writes no files to paths that a request names")


OPERATIONS: Table = (
    *_rows(),
    row(
        "POST",
        "/instances/{id}/export",
        export,
        "Refused: this server writes no files to paths that a request names",
        consumes=(TEXT,),
        errors=(403,),
    ),
)
