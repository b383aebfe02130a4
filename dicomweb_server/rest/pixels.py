"""Pixels as data: frames as they are stored, arrays for NumPy and MATLAB, and the embedded PDF."""

import gzip
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.frames import FrameIndex
from dicomweb_server.dicom.rendering.export import Export
from dicomweb_server.dicom.rendering.image_format import JPEG, PAM, PNG
from dicomweb_server.dicom.uids import transfer_syntax
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.conditional import entity_tag, range_applies
from dicomweb_server.http.description import Parameter
from dicomweb_server.http.parts import alone
from dicomweb_server.http.responses import Whole
from dicomweb_server.rest.arguments import Arguments
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.disposition import attachment
from dicomweb_server.rest.identify import resource_of
from dicomweb_server.rest.images import (
    exporting,
    frame_of,
    image_endpoint,
    instance_of,
    list_frame_operations,
    list_frames,
    rendering,
)
from dicomweb_server.rest.table import OCTETS, Row, Table, flag, number, row

PDF = "application/pdf"
_DOCUMENT = "00420011"
_GZIP_LEVEL = 1


async def retrieve_raw(request: Request, context: Context) -> Response:
    """A frame as it is stored, or little endian if it is native."""
    instance, scope = await instance_of(request, context), request.scope
    frames = FrameIndex.unpack(instance.frames)
    content = context.services.retrieve.frame(instance, frames, frame_of(request))
    tag = entity_tag(instance.digest.hex()[:32], f"frame-{frame_of(request)}")
    media_type = transfer_syntax(instance.transfer_syntax_uid).media_type.encode("ascii")
    contents = context.services.retrieve.contents
    return await alone(scope, contents, content, media_type, [(b"etag", tag)], ranges=range_applies(scope, tag))


async def retrieve_raw_gzip(request: Request, context: Context) -> Response:
    """The same, compressed."""
    instance = await instance_of(request, context)
    frames = FrameIndex.unpack(instance.frames)
    retrieve = context.services.retrieve
    data = await retrieve.contents.read(retrieve.frame(instance, frames, frame_of(request)))
    compressed = await run_in_threadpool(partial(gzip.compress, data, _GZIP_LEVEL, mtime=0))
    return Whole(compressed, b"application/gzip")


async def retrieve_numpy(request: Request, context: Context) -> Response:
    """All frames of an instance, or one of them, as an array."""
    instance = await instance_of(request, context)
    named = "frame" in request.scope["path_params"]
    arguments = Arguments(request.scope)
    made = await context.services.rendering.numpy(
        [instance],
        frame_of(request) if named else None,
        rescale=arguments.flag("rescale", default=True),
        compress=arguments.flag("compress"),
    )
    return Whole(made, OCTETS.encode())


async def retrieve_series_numpy(request: Request, context: Context) -> Response:
    """All frames of a series, in the order of its instances."""
    resource, arguments = await resource_of(request, context), Arguments(request.scope)
    instances = await context.services.retrieve.instances(resource.scope)
    made = await context.services.rendering.numpy(
        instances, None, rescale=arguments.flag("rescale", default=True), compress=arguments.flag("compress")
    )
    return Whole(made, OCTETS.encode())


async def retrieve_matlab(request: Request, context: Context) -> Response:
    """A frame as an expression of MATLAB."""
    instance = await instance_of(request, context)
    return Whole(await context.services.rendering.matlab(instance, frame_of(request)), b"text/plain")


async def retrieve_pdf(request: Request, context: Context) -> Response:
    """The document that is embedded in an instance."""
    instance, scope = await instance_of(request, context), request.scope
    retrieve = context.services.retrieve
    value = await retrieve.bulk_value(instance, _DOCUMENT)
    if value.media_type != PDF:
        raise ServerError(Reason.NOT_FOUND, "the instance has no embedded PDF")
    tag = entity_tag(instance.digest.hex()[:32], "pdf")
    headers = [(b"etag", tag), attachment(f"{scope['path_params']['id']}.pdf")]
    content = retrieve.bulk_content(instance, value)
    return await alone(scope, retrieve.contents, content, PDF.encode(), headers, ranges=range_applies(scope, tag))


_INSTANCE, _FRAME = "/instances/{id}", "/instances/{id}/frames/{frame}"
_IMAGES = (PNG, JPEG, PAM)
_QUALITY = Parameter("quality", "Of JPEG", {"type": "integer", "minimum": 1, "maximum": 100})
_ICON = flag("returnUnsupportedImage", "An icon instead of 415 where no image can be made")
_ARRAY = (
    flag("compress", "As .npz instead of .npy"),
    flag("rescale", "Grayscale as floating point numbers after rescale slope and intercept; so unless it says no"),
)
_RENDERED = (
    Parameter("window-center", "Instead of that of the image", {"type": "number"}),
    Parameter("window-width", "Instead of that of the image", {"type": "number"}),
    number("width", "Largest width; 0 for any"),
    number("height", "Largest height; 0 for any"),
    flag("smooth", "Interpolate where the size changes"),
)
_EXPORTS = (
    ("preview", Export.PREVIEW, "stretched from its lowest to its highest value, or in colour"),
    ("image-uint8", Export.UINT8, "clamped to 0 to 255"),
    ("image-uint16", Export.UINT16, "clamped to 0 to 65535"),
    ("image-int16", Export.INT16, "clamped to -32768 to 32767, in two's complement"),
)


def _images(path: str, noun: str) -> list[Row]:
    rows = [
        row(
            "GET",
            f"{path}/{name}",
            image_endpoint(exporting(export)),
            f"{noun} {text}",
            _QUALITY,
            _ICON,
            produces=_IMAGES,
            errors=(406, 413, 415),
        )
        for name, export, text in _EXPORTS
    ]
    return [
        *rows,
        row(
            "GET",
            f"{path}/rendered",
            image_endpoint(rendering),
            f"{noun} with its window, resized",
            *_RENDERED,
            _QUALITY,
            _ICON,
            produces=_IMAGES,
            errors=(406, 413, 415),
        ),
        row(
            "GET", f"{path}/matlab", retrieve_matlab, f"{noun} for MATLAB", produces=("text/plain",), errors=(406, 413)
        ),
        row(
            "GET",
            f"{path}/numpy",
            retrieve_numpy,
            f"{noun} as an array",
            *_ARRAY,
            produces=(OCTETS,),
            errors=(406, 413),
        ),
    ]


_RANGED = {200: "All of it", 206: "A byte range of it"}
OPERATIONS: Table = (
    *_images(_INSTANCE, "The first frame"),
    row("GET", f"{_INSTANCE}/frames", list_frames, "The numbers of the frames, from 0"),
    row("GET", _FRAME, list_frame_operations, "What there is of a frame"),
    *_images(_FRAME, "A frame"),
    row(
        "GET",
        f"{_FRAME}/raw",
        retrieve_raw,
        "A frame as it is stored",
        produces=(OCTETS, "image/jpeg", "image/jp2", "image/jls", "image/jphc", "image/jxl", "image/dicom-rle"),
        success=_RANGED,
        errors=(416,),
    ),
    row("GET", f"{_FRAME}/raw.gz", retrieve_raw_gzip, "The same, compressed", produces=("application/gzip",)),
    row("GET", f"{_INSTANCE}/pdf", retrieve_pdf, "The embedded PDF", produces=(PDF,), success=_RANGED, errors=(416,)),
    row(
        "GET",
        "/series/{id}/numpy",
        retrieve_series_numpy,
        "All frames of the series as an array",
        *_ARRAY,
        produces=(OCTETS,),
        errors=(406, 413),
    ),
)
