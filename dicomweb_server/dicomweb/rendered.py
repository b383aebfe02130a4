"""Rendered resources of WADO-RS (PS3.18 §10.4.1.1.3): pictures, video, documents, pages, drawings."""

from collections.abc import AsyncIterator, Sequence
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.frames import FrameIndex
from dicomweb_server.dicom.rendering.image_format import IMAGE_TYPES, JPEG, PNG
from dicomweb_server.dicom.rendering.options import RenderingOptions, Viewport
from dicomweb_server.dicom.rendering.rendering_job import HTML, SVG, TEXT
from dicomweb_server.dicom.uids import transfer_syntax
from dicomweb_server.dicomweb.context import Context, path_of_instance, scope_of
from dicomweb_server.dicomweb.frames import listed_numbers
from dicomweb_server.dicomweb.rendering_parameters import rendering_options
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.conditional import entity_tag, is_fresh, not_modified, range_applies, validators
from dicomweb_server.http.headers import accepted, parameters
from dicomweb_server.http.parts import Part, alone, related_stream
from dicomweb_server.http.responses import HeaderList, Whole
from dicomweb_server.services.contents import at_hand
from dicomweb_server.services.rendering import Kind, RenderingService, Shown, animated_frames, kind_of
from dicomweb_server.services.retrieve import Scope, StoredInstance
from dicomweb_server.wire.media_types import Offer, choose

THUMBNAIL_TYPES = (JPEG, PNG, "image/webp", "image/gif")
_THUMBNAIL_SIDE = 256
_DOCUMENT = "00420011"

_IMAGE_OFFERS = tuple(Offer(name) for name in IMAGE_TYPES)
_PART_OFFERS = tuple(Offer(name, multipart=True) for name in IMAGE_TYPES)


async def retrieve_rendered(request: Request, context: Context) -> Response:
    """A study, series, instance or frames as something that a browser shows."""
    http, rendering = request.scope, context.services.rendering
    query = parameters(http)
    options = rendering_options(query)
    scope, listed = scope_of(request), _listed(request)
    instance = await rendering.representative(scope)
    kind = kind_of(instance)
    if kind in (Kind.VIDEO, Kind.DOCUMENT):
        return await _as_it_is(request, context, instance, kind)
    offer = choose(accepted(http), _offers(kind, single=len(listed) == 1 or not listed))
    if offer.multipart:
        return await _all_of(request, context, scope, listed, offer, options)
    state = await _presentation(rendering, scope, dict(query))
    if state is not None and kind is not Kind.IMAGE:
        raise ServerError(Reason.BAD_REQUEST, "a presentation state applies to images only")
    frames = listed or await _frames(rendering, instance, kind, offer.media_type)
    variant = _variant(options, offer.media_type, frames, state)
    headers = _validators(context, instance, variant, scope)
    if is_fresh(http, headers[0][1], instance.received):
        return not_modified(headers)
    made = await rendering.rendered(Shown(instance, tuple(frames)), offer.media_type, options, state)
    return Whole(made.data, _content_type(made.media_type), headers=headers)


async def retrieve_thumbnail(request: Request, context: Context) -> Response:
    """One small picture of a study, series, instance or frame (PS3.18 §10.4.1.1.5)."""
    http, rendering = request.scope, context.services.rendering
    offer = choose(accepted(http), [Offer(name) for name in THUMBNAIL_TYPES])
    asked = [pair for pair in parameters(http) if pair[0] == "viewport"]
    viewport = rendering_options(asked).viewport if asked else Viewport(_THUMBNAIL_SIDE, _THUMBNAIL_SIDE)
    scope, listed = scope_of(request), _listed(request)
    instance = await rendering.representative(scope)
    variant = _variant(RenderingOptions(viewport), offer.media_type, listed, None)
    headers = _validators(context, instance, "thumbnail-" + variant, scope)
    if is_fresh(http, headers[0][1], instance.received):
        return not_modified(headers)
    made = await rendering.thumbnail(instance, listed[0] if listed else None, offer.media_type, viewport)
    return Whole(made, offer.media_type.encode("ascii"), headers=headers)


def _offers(kind: Kind, *, single: bool) -> Sequence[Offer]:
    if kind is Kind.REPORT:
        return (Offer(HTML), Offer(TEXT))
    if kind is Kind.WAVEFORM:
        return (Offer(SVG),)
    if kind is Kind.OTHER:
        raise ServerError(Reason.NOT_ACCEPTABLE, "there is nothing in it that can be rendered")
    # Several frames are the parts of a multipart body, or one animation.
    return (*_IMAGE_OFFERS, *_PART_OFFERS) if single else (*_PART_OFFERS, Offer("image/gif"))


def _listed(request: Request) -> Sequence[int]:
    listed = request.scope["path_params"].get("frames")
    return listed_numbers(listed) if listed is not None else ()


async def _frames(rendering: RenderingService, instance: StoredInstance, kind: Kind, media_type: str) -> Sequence[int]:
    """The frames that stand for an instance: all of them in an animation, else the main one."""
    if kind in (Kind.REPORT, Kind.WAVEFORM, Kind.PRESENTATION_STATE):
        return ()
    animated = animated_frames(instance, media_type) if kind is Kind.IMAGE else ()
    return animated or (await rendering.main_frame(instance),)


async def _presentation(rendering: RenderingService, scope: Scope, query: dict[str, str]) -> StoredInstance | None:
    """The presentation state that the query names."""
    series, uid = query.get("presentationSeries", ""), query.get("presentationInstance", "")
    return await rendering.presentation_state(scope.study_uid, series, uid) if series or uid else None


async def _as_it_is(request: Request, context: Context, instance: StoredInstance, kind: Kind) -> Response:
    """A video stream or an encapsulated document, of which ranges may be asked for."""
    http, retrieve = request.scope, context.services.retrieve
    if kind is Kind.VIDEO:
        media_type = transfer_syntax(instance.transfer_syntax_uid).media_type
        content = retrieve.frame(instance, FrameIndex.unpack(instance.frames), 1)
    else:
        value = await retrieve.bulk_value(instance, _DOCUMENT)
        media_type, content = value.media_type, retrieve.bulk_content(instance, value)
    offer = choose(accepted(http), (Offer(media_type), Offer(media_type, multipart=True)))
    headers = _validators(context, instance, "rendered", scope_of(request))
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
    ranges = range_applies(http, headers[0][1], instance.received)
    return await alone(http, retrieve.contents, content, content_type, headers, ranges=ranges)


async def _none() -> AsyncIterator[Part]:
    return
    yield


async def _all_of(
    request: Request, context: Context, scope: Scope, listed: Sequence[int], offer: Offer, options: RenderingOptions
) -> Response:
    """Every frame that can be shown of a study, series or instance, each as a part."""
    rendering = context.services.rendering
    root = context.options.service_url.root(request.scope)

    async def parts() -> AsyncIterator[Part]:
        for instance in await context.services.retrieve.instances(scope):
            if kind_of(instance) not in (Kind.IMAGE, Kind.SEGMENTATION):
                continue
            for number in listed or range(1, FrameIndex.unpack(instance.frames).count + 1):
                made = await rendering.rendered(Shown(instance, (number,)), offer.media_type, options)
                location = f"{root}{path_of_instance(instance)}/frames/{number}/rendered"
                yield Part(
                    at_hand(made.data),
                    (
                        (b"Content-Type", made.media_type.encode("ascii")),
                        (b"Content-Location", location.encode("latin-1")),
                    ),
                )

    found = parts()
    first = await anext(found, None)
    if first is None:
        raise ServerError(Reason.NOT_ACCEPTABLE, "there is nothing in it that can be rendered as images")
    boundary = sha256(repr((scope, options)).encode()).hexdigest()[:32]
    headers = [(b"vary", b"Accept")]
    return related_stream(context.services.retrieve.contents, first, found, offer.media_type, boundary, headers)


def _validators(context: Context, instance: StoredInstance, variant: str, scope: Scope) -> HeaderList:
    """The ETag first. What represents a study or series may change with it."""
    tag = entity_tag(instance.digest.hex()[:32], variant)
    immutable = context.options.immutable and scope.instance_uid is not None
    return validators(tag, instance.received, immutable=immutable)


def _variant(options: RenderingOptions, media_type: str, frames: Sequence[int], state: StoredInstance | None) -> str:
    """What tells the renderings of an instance apart."""
    asked = repr((options, media_type, tuple(frames), state.digest if state else b""))
    return sha256(asked.encode()).hexdigest()[:16]


def _content_type(media_type: str) -> bytes:
    return (media_type + "; charset=utf-8" if media_type.startswith("text/") else media_type).encode("ascii")
