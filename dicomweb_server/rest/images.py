"""Images of instances and frames: previews, rendered pictures, decoded values as images and arrays, embedded PDF."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.frames import FrameIndex
from dicomweb_server.dicom.rendering.export import Export
from dicomweb_server.dicom.rendering.geometry import LARGEST_SIDE
from dicomweb_server.dicom.rendering.image_format import JPEG, PAM, PNG, Encoded
from dicomweb_server.dicom.rendering.options import DEFAULT_QUALITY, RenderingOptions, Viewport
from dicomweb_server.dicom.rendering.transforms import function_named
from dicomweb_server.dicom.rendering.window import Window
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.headers import accepted
from dicomweb_server.http.responses import Whole
from dicomweb_server.rest.answers import json_answer
from dicomweb_server.rest.arguments import Arguments
from dicomweb_server.rest.context import Context
from dicomweb_server.services.rendering import page_or_frame
from dicomweb_server.services.retrieve import StoredInstance
from dicomweb_server.wire.media_types import Offer, choose

_OFFERS = (Offer(PNG), Offer(JPEG), Offer(PAM))
# What stands in the way of an image because of what is stored, not of how it was asked for.
_UNSUPPORTED = frozenset({Reason.NOT_ACCEPTABLE, Reason.CANNOT_UNDERSTAND, Reason.UNSUPPORTED_MEDIA_TYPE})
_FRAME_OPERATIONS = (
    "image-int16", "image-uint16", "image-uint8", "matlab", "numpy", "preview", "raw", "raw.gz", "rendered",
)  # fmt: skip

Make = Callable[[Context, StoredInstance, int, str, Arguments], Awaitable[Encoded]]


async def instance_of(request: Request, context: Context) -> StoredInstance:
    """The instance of /instances/{id}/…"""
    public_id = request.scope["path_params"]["id"]
    resources = context.services.resources
    return resources.peek_instance(public_id) or await resources.instance(public_id)


def frame_of(request: Request) -> int:
    """The frame of …/frames/{frame}/…, counted from 1; there it is counted from 0."""
    text = request.scope["path_params"].get("frame", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ServerError(Reason.BAD_REQUEST, "the number of a frame is a whole number from 0")
    return int(text) + 1


def image_endpoint(make: Make) -> Callable[[Request, Context], Awaitable[Response]]:
    """The endpoint of an image that a function makes."""

    async def retrieve_image(request: Request, context: Context) -> Response:
        arguments = Arguments(request.scope)
        instance, frame_number = await instance_of(request, context), frame_of(request)
        offer = choose(accepted(request.scope), _OFFERS)
        made = await _made(make, context, instance, frame_number, offer.media_type, arguments)
        return Whole(made.data, made.media_type.encode("ascii"))

    return retrieve_image


async def _made(
    make: Make, context: Context, instance: StoredInstance, frame_number: int, media_type: str, arguments: Arguments
) -> Encoded:
    try:
        return await make(context, instance, frame_number, media_type, arguments)
    except ServerError as error:
        if error.reason not in _UNSUPPORTED and "no pixel data" not in error.detail:
            raise
        if arguments.flag("returnUnsupportedImage"):
            return await context.services.rendering.icon(PNG)
        raise ServerError(Reason.UNSUPPORTED_MEDIA_TYPE, error.detail) from None


def exporting(export: Export) -> Make:
    """Decoded values, without a window."""

    async def make(
        context: Context, instance: StoredInstance, frame_number: int, media_type: str, arguments: Arguments
    ) -> Encoded:
        return await context.services.rendering.exported(
            instance, frame_number, export, media_type, _quality(arguments)
        )

    return make


async def rendering(
    context: Context, instance: StoredInstance, frame_number: int, media_type: str, arguments: Arguments
) -> Encoded:
    """With a window, and as large as it is asked for."""
    width, height = (arguments.number(name, 0, LARGEST_SIDE) or None for name in ("width", "height"))
    options = RenderingOptions(
        viewport=Viewport(width, height, smooth=arguments.flag("smooth")),
        window=await _window(context, instance, frame_number, arguments),
        quality=_quality(arguments),
        square_pixels=False,
    )
    return await context.services.rendering.rendered(page_or_frame(instance, frame_number), media_type, options)


async def _window(context: Context, instance: StoredInstance, frame_number: int, arguments: Arguments) -> Window | None:
    """The window that is asked for; the half that is not told is that of the image."""
    asked = {name: arguments.decimal(name) for name in ("window-center", "window-width") if name in arguments}
    if not asked:
        return None
    known = Window(128, 256, function_named(""))
    if len(asked) < 2:
        known = await context.services.rendering.window(instance, frame_number) or known
    window = replace(
        known, center=asked.get("window-center", known.center), width=asked.get("window-width", known.width)
    )
    if not window.is_valid:
        raise ServerError(Reason.BAD_REQUEST, "the parameter window-width must be 1 or more")
    return window


def _quality(arguments: Arguments) -> int:
    quality = arguments.number("quality", DEFAULT_QUALITY, 100)
    if quality < 1:
        raise ServerError(Reason.BAD_REQUEST, "the parameter quality must be a whole number from 1 to 100")
    return quality


async def list_frames(request: Request, context: Context) -> Response:
    """The numbers of the frames, from 0."""
    frames = FrameIndex.unpack((await instance_of(request, context)).frames)
    return json_answer(list(range(frames.count)))


async def list_frame_operations(request: Request, context: Context) -> Response:
    """What there is of a frame."""
    await instance_of(request, context)
    frame_of(request)
    return json_answer(list(_FRAME_OPERATIONS))
