"""What rendered resources answer with, however they were asked for: pictures, pages, drawings; streams as they are."""

from collections.abc import AsyncIterator, Sequence
from functools import lru_cache
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.frames import FrameIndex
from dicomweb_server.dicom.rendering.image_format import IMAGE_TYPES
from dicomweb_server.dicom.rendering.options import RenderingOptions
from dicomweb_server.dicom.rendering.rendering_job import HTML, SVG, TEXT
from dicomweb_server.dicom.uids import transfer_syntax
from dicomweb_server.dicomweb.context import Context
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.conditional import entity_tag, is_fresh, not_modified, range_applies, validators
from dicomweb_server.http.parts import Part, alone, related_stream
from dicomweb_server.http.responses import HeaderList, Whole
from dicomweb_server.services.rendering import RenderingService, animated_frames
from dicomweb_server.services.retrieve import StoredInstance
from dicomweb_server.services.shown import Kind, Shown, kind_of
from dicomweb_server.wire.media_types import MediaRange, Offer, choose

_DOCUMENT = "00420011"
_IMAGE_OFFERS = tuple(Offer(name) for name in IMAGE_TYPES)
_PART_OFFERS = tuple(Offer(name, multipart=True) for name in IMAGE_TYPES)


def rendered_offers(kind: Kind, *, single: bool) -> Sequence[Offer]:
    """The representations of an instance of a kind; `single`: of one frame, or of whatever stands for it."""
    if kind is Kind.REPORT:
        return (Offer(HTML), Offer(TEXT), *_IMAGE_OFFERS)
    if kind is Kind.WAVEFORM:
        return (Offer(SVG),)
    if kind is Kind.OTHER:
        raise ServerError(Reason.NOT_ACCEPTABLE, "there is nothing in it that can be rendered")
    # Several frames are the parts of a multipart body, or one animation.
    return (*_IMAGE_OFFERS, *_PART_OFFERS) if single else (*_PART_OFFERS, Offer("image/gif"))


async def picture_response(
    request: Request,
    context: Context,
    shown: Shown,
    media_type: str,
    options: RenderingOptions,
    state: StoredInstance | None = None,
    *,
    lasting: bool,
) -> Response:
    """Frames, or what has none, rendered; `lasting`: what was asked for names this instance, and no other one later."""
    instance, rendering = shown.instance, context.services.rendering
    if not shown.frames:
        slide = await rendering.slide(instance) if state is None else None
        shown = slide or Shown(instance, tuple(await _main_frames(rendering, instance, media_type)))
    variant = rendered_variant(options, media_type, shown.frames, state)
    headers = rendered_validators(context, instance, variant, lasting=lasting)
    if is_fresh(request.scope, headers[0][1], instance.received):
        return not_modified(headers)
    made = await rendering.rendered(shown, media_type, options, state)
    content_type = f"{made.media_type}; charset=utf-8" if made.media_type.startswith("text/") else made.media_type
    return Whole(made.data, content_type.encode("ascii"), headers=headers)


async def stream_response(
    request: Request,
    context: Context,
    shown: Shown,
    ranges: Sequence[MediaRange],
    options: RenderingOptions,
    *,
    lasting: bool,
) -> Response:
    """A video stream or an encapsulated document, of which ranges may be asked for; or a picture of it."""
    http, retrieve, instance = request.scope, context.services.retrieve, shown.instance
    if kind_of(instance) is Kind.VIDEO:
        media_type = transfer_syntax(instance.transfer_syntax_uid).media_type
        content = retrieve.frame(instance, FrameIndex.unpack(instance.frames), 1)
    else:
        value = await retrieve.bulk_value(instance, _DOCUMENT)
        media_type, content = value.media_type, retrieve.bulk_content(instance, value)
    pictures = _IMAGE_OFFERS if len(shown.frames) <= 1 else ()
    offer = choose(ranges, (Offer(media_type), Offer(media_type, multipart=True), *pictures))
    if offer in pictures:
        return await picture_response(request, context, shown, offer.media_type, options, lasting=lasting)
    headers = rendered_validators(context, instance, "rendered", lasting=lasting)
    if is_fresh(http, headers[0][1], instance.received):
        return not_modified(headers)
    content_type = media_type.encode("ascii")
    if offer.multipart:
        return related_stream(
            retrieve.contents,
            Part(content, ((b"Content-Type", content_type),)),
            _none(),
            media_type,
            instance.digest.hex()[:32],
            headers,
        )
    applies = range_applies(http, headers[0][1], instance.received)
    return await alone(http, retrieve.contents, content, content_type, headers, ranges=applies)


async def _none() -> AsyncIterator[Part]:
    return
    yield


async def _main_frames(rendering: RenderingService, instance: StoredInstance, media_type: str) -> Sequence[int]:
    """The frames that stand for an instance: all of them in an animation, else the main one."""
    kind = kind_of(instance)
    if kind in (Kind.REPORT, Kind.WAVEFORM, Kind.PRESENTATION_STATE, Kind.DOCUMENT):
        return ()
    animated = animated_frames(instance, media_type) if kind is Kind.IMAGE else ()
    return animated or (await rendering.main_frame(instance),)


def rendered_validators(context: Context, instance: StoredInstance, variant: str, *, lasting: bool) -> HeaderList:
    """The ETag first. What represents a study or series may change with it."""
    tag = entity_tag(instance.digest.hex()[:32], variant)
    return validators(tag, instance.received, immutable=context.options.immutable and lasting)


def rendered_variant(
    options: RenderingOptions, media_type: str, frames: Sequence[int], state: StoredInstance | None
) -> str:
    """What tells the renderings of an instance apart."""
    return _digest(options, media_type, tuple(frames), state.digest if state else b"")


@lru_cache(maxsize=256)  # most clients want the same of all instances
def _digest(*asked: object) -> str:
    return sha256(repr(asked).encode()).hexdigest()[:16]
