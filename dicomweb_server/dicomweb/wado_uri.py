"""WADO-URI (PS3.18 chapter 9): one instance by query parameters, as DICOM or rendered."""

from collections.abc import Mapping
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.frames import FrameIndex
from dicomweb_server.dicom.rendering.options import DEFAULT_QUALITY, Region, RenderingOptions
from dicomweb_server.dicom.rendering.window import Window
from dicomweb_server.dicomweb.context import Context
from dicomweb_server.dicomweb.instances import instance_response
from dicomweb_server.dicomweb.rendered_response import picture_response, rendered_offers, stream_response
from dicomweb_server.dicomweb.rendering_parameters import (
    annotations,
    bad,
    colour_space,
    named,
    number,
    valid_window,
    viewport_size,
    whole,
)
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.description import Description, Parameter
from dicomweb_server.http.headers import joined_header, parameters
from dicomweb_server.http.routing import Operation
from dicomweb_server.services.retrieve import Scope, StoredInstance
from dicomweb_server.services.shown import Kind, Shown, kind_of
from dicomweb_server.wire.media_types import DICOM, MediaRange, Offer, choose, parse_accept

_IDENTIFIERS = ("studyUID", "seriesUID", "objectUID")
_RENDERED_ONLY = ("rows", "columns", "region", "windowCenter", "windowWidth", "imageQuality", "annotation")
_STREAMS = (Kind.VIDEO, Kind.DOCUMENT)


async def retrieve_by_query(request: Request, context: Context) -> Response:
    """The instance that the query names, in the representation it wants."""
    query = _query(request)
    retrieve = context.services.retrieve
    scope = Scope(query["studyUID"], query["seriesUID"], query["objectUID"])
    instance = retrieve.peek(scope) or await retrieve.instance(scope)
    kind = kind_of(instance)
    ranges = _ranges(request, query, kind)
    if kind in _STREAMS and not any(one.name == DICOM for one in ranges):
        _refuse_with_rendered(query)
        shown = Shown(instance, _frame(query, instance))
        return await stream_response(request, context, shown, ranges, _options(query), lasting=True)
    offers = () if kind in (*_STREAMS, Kind.OTHER) else rendered_offers(kind, single=True)
    offer = choose(ranges, [*(one for one in offers if not one.multipart), Offer(DICOM)])
    if offer.media_type == DICOM:
        return await _as_dicom(request, context, instance, query)
    _refuse_with_rendered(query)
    state = None
    if "presentationUID" in query or "presentationSeriesUID" in query:
        state = await _state(context, query)
    shown = Shown(instance, _frame(query, instance))
    return await picture_response(request, context, shown, offer.media_type, _options(query), state, lasting=True)


def _query(request: Request) -> Mapping[str, str]:
    """The parameters; ServerError(BAD_REQUEST) without those that are needed, or with one of them twice."""
    query: dict[str, str] = {}
    for name, value in parameters(request.scope):
        if name in query:
            raise ServerError(Reason.BAD_REQUEST, f"{name[:40]}: given more than once")
        query[name] = value.strip()
    if query.get("requestType", "").upper() != "WADO":
        raise bad("requestType", "WADO")
    for name in _IDENTIFIERS:
        if not query.get(name):
            raise bad(name, "a UID")
    return query


def _ranges(request: Request, query: Mapping[str, str], kind: Kind) -> tuple[MediaRange, ...]:
    """What `contentType` wants; without it what Accept allows, or what is usual for a kind (PS3.18 §9.1.2.2.1)."""
    # Browsers decode a plus in a query as a space.
    wanted = query.get("contentType", "").replace(" ", "+")
    if wanted:
        return parse_accept(wanted)
    accepted = parse_accept(joined_header(request.scope, b"accept"))
    single = tuple(one for one in accepted if not one.name.startswith("multipart/"))
    return single or parse_accept(DICOM if kind is Kind.OTHER else "")


async def _as_dicom(request: Request, context: Context, instance: StoredInstance, query: Mapping[str, str]) -> Response:
    if query.get("anonymize", "no") != "no":
        named("anonymize", query["anonymize"], {"yes": True, "no": False})
        raise ServerError(
            Reason.NOT_ACCEPTABLE, "this server does not de-identify on retrieval: anonymize=yes cannot be satisfied"
        )
    syntax = query.get("transferSyntax", "")
    if syntax and syntax != "*" and not syntax.replace(".", "").isdigit():
        raise bad("transferSyntax", "a UID or *")
    accept = f"{DICOM}; transfer-syntax={syntax}" if syntax else DICOM
    return await instance_response(request, context, instance, accept)


def _refuse_with_rendered(query: Mapping[str, str]) -> None:
    if "transferSyntax" in query:
        raise ServerError(Reason.BAD_REQUEST, "transferSyntax: only application/dicom has one")
    if query.get("anonymize", "no") != "no":
        raise ServerError(Reason.BAD_REQUEST, "anonymize: only application/dicom can be de-identified")


def _frame(query: Mapping[str, str], instance: StoredInstance) -> tuple[int, ...]:
    if "frameNumber" not in query:
        return ()
    frames = FrameIndex.unpack(instance.frames)
    highest = frames.declared if frames.video else frames.count
    return (whole("frameNumber", query["frameNumber"], 1, max(highest, 1)),)


async def _state(context: Context, query: Mapping[str, str]) -> StoredInstance:
    series, uid = query.get("presentationSeriesUID", ""), query.get("presentationUID", "")
    if not series or not uid:
        raise ServerError(Reason.BAD_REQUEST, "presentationUID and presentationSeriesUID: both are needed")
    if any(name in query for name in ("region", "windowCenter", "windowWidth")):
        raise ServerError(Reason.BAD_REQUEST, "presentationUID: excludes window and region")
    return await context.services.rendering.presentation_state(query["studyUID"], series, uid)


def _options(query: Mapping[str, str]) -> RenderingOptions:
    options = RenderingOptions(viewport=viewport_size(query.get("columns"), query.get("rows")))
    if "region" in query:
        options = replace(options, viewport=replace(options.viewport, region=_region(query["region"])))
    if "windowCenter" in query or "windowWidth" in query:
        if not ("windowCenter" in query and "windowWidth" in query):
            raise ServerError(Reason.BAD_REQUEST, "windowCenter and windowWidth: both are needed")
        center, width = (number(name, query[name]) for name in ("windowCenter", "windowWidth"))
        options = replace(options, window=valid_window(Window(center, width)))
    if "annotation" in query:
        options = replace(options, annotations=annotations(query["annotation"]))
    if "iccprofile" in query:
        options = replace(options, colour_space=colour_space(query["iccprofile"]))
    quality = query.get("imageQuality")
    return replace(options, quality=whole("imageQuality", quality, 1, 100) if quality else DEFAULT_QUALITY)


def _region(text: str) -> Region:
    """Left, top, right, bottom, from 0 to 1."""
    parts = text.split(",")
    if len(parts) != 4:
        raise bad("region", "left,top,right,bottom")
    left, top, right, bottom = (number("region", part) for part in parts)
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise bad("region", "left,top,right,bottom from 0 to 1, left before right and top before bottom")
    return Region(left, top, right - left, bottom - top, relative=True)


def _parameter(name: str, text: str, example: str = "", *, required: bool = False) -> Parameter:
    return Parameter(
        name, text, {"type": "string", "examples": [example]} if example else {"type": "string"}, required=required
    )


_PARAMETERS = (
    Parameter("requestType", "WADO", {"type": "string", "enum": ["WADO"]}, required=True),
    _parameter("studyUID", "Study Instance UID", "1.2.3", required=True),
    _parameter("seriesUID", "Series Instance UID", "1.2.3.1", required=True),
    _parameter("objectUID", "SOP Instance UID", "1.2.3.1.1", required=True),
    _parameter("contentType", "Acceptable media types; without it those of Accept, else image/jpeg", "image/png"),
    _parameter("transferSyntax", "Of application/dicom; * for the one it is stored in", "1.2.840.10008.1.2.1"),
    _parameter("anonymize", "yes is refused", "no"),
    _parameter("frameNumber", "From 1; without it, the frame that stands for the instance", "1"),
    _parameter("rows", "Largest height", "256"),
    _parameter("columns", "Largest width", "256"),
    _parameter("region", "left,top,right,bottom from 0 to 1", "0,0,0.5,0.5"),
    _parameter("windowCenter", "With windowWidth, instead of the window of the image", "40"),
    _parameter("windowWidth", "See windowCenter", "400"),
    _parameter("imageQuality", "1 to 100", "90"),
    _parameter("annotation", "patient, technique, or both", "patient"),
    _parameter("iccprofile", "As for WADO-RS", "srgb"),
    _parameter("presentationSeriesUID", "With presentationUID: a presentation state to be applied"),
    _parameter("presentationUID", "See presentationSeriesUID"),
    _parameter("charset", "Text comes in UTF-8, whatever is asked for", "utf-8"),
)

OPERATIONS = (
    Operation(
        "GET",
        "",
        retrieve_by_query,
        Description(
            "retrieveByQuery",
            "One instance, as DICOM or rendered (PS3.18 chapter 9)",
            "Retrieve (WADO-URI)",
            {200: "The instance", 206: "A byte range", 304: "The client has the current representation"},
            ("image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/jp2", DICOM, "text/html",
             "text/plain", "image/svg+xml", "application/pdf", "video/mp4", "video/mpeg"),
            parameters=_PARAMETERS,
            errors=(400, 404, 406, 409, 413, 416, 500, 503),
        ),
    ),
)  # fmt: skip
