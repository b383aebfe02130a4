"""Rendered resources of WADO-RS (PS3.18 §10.4.1.1.3): pictures, video, documents, pages, drawings."""

from collections.abc import AsyncIterator, Sequence
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.frames import FrameIndex
from dicomweb_server.dicom.rendering.image_format import JPEG, PNG
from dicomweb_server.dicom.rendering.options import RenderingOptions, Viewport
from dicomweb_server.dicomweb.context import Context, path_of_instance, scope_of
from dicomweb_server.dicomweb.frames import listed_numbers
from dicomweb_server.dicomweb.rendered_response import (
    picture_response,
    rendered_offers,
    rendered_validators,
    rendered_variant,
    stream_response,
)
from dicomweb_server.dicomweb.rendering_parameters import rendering_options
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.conditional import is_fresh, not_modified
from dicomweb_server.http.headers import accepted, parameters
from dicomweb_server.http.parts import Part, related_stream
from dicomweb_server.http.responses import Whole
from dicomweb_server.services.contents import at_hand
from dicomweb_server.services.rendering import RenderingService
from dicomweb_server.services.retrieve import Scope, StoredInstance
from dicomweb_server.services.shown import Kind, Shown, kind_of
from dicomweb_server.wire.media_types import Offer, choose

THUMBNAIL_TYPES = (JPEG, PNG, "image/webp", "image/gif")
_THUMBNAIL_SIDE = 256


async def retrieve_rendered(request: Request, context: Context) -> Response:
    """A study, series, instance or frames as something that a browser shows."""
    http, rendering = request.scope, context.services.rendering
    query = parameters(http)
    options = rendering_options(query)
    scope, listed = scope_of(request), _listed(request)
    instance = await rendering.representative(scope)
    kind = kind_of(instance)
    lasting = scope.instance_uid is not None
    if kind in (Kind.VIDEO, Kind.DOCUMENT):
        shown = Shown(instance, tuple(listed))
        return await stream_response(request, context, shown, accepted(http), options, lasting=lasting)
    offer = choose(accepted(http), rendered_offers(kind, single=len(listed) <= 1))
    if offer.multipart:
        return await _all_of(request, context, scope, listed, offer, options)
    state = await _presentation(rendering, scope, dict(query))
    if state is not None and kind is not Kind.IMAGE:
        raise ServerError(Reason.BAD_REQUEST, "a presentation state applies to images only")
    shown = Shown(instance, tuple(listed))
    return await picture_response(request, context, shown, offer.media_type, options, state, lasting=lasting)


async def retrieve_thumbnail(request: Request, context: Context) -> Response:
    """One small picture of a study, series, instance or frame (PS3.18 §10.4.1.1.5)."""
    http, rendering = request.scope, context.services.rendering
    offer = choose(accepted(http), [Offer(name) for name in THUMBNAIL_TYPES])
    asked = [pair for pair in parameters(http) if pair[0] == "viewport"]
    viewport = rendering_options(asked).viewport if asked else Viewport(_THUMBNAIL_SIDE, _THUMBNAIL_SIDE)
    scope, listed = scope_of(request), _listed(request)
    instance = await rendering.representative(scope)
    variant = rendered_variant(RenderingOptions(viewport), offer.media_type, listed, None)
    headers = rendered_validators(context, instance, "thumbnail-" + variant, lasting=scope.instance_uid is not None)
    if is_fresh(http, headers[0][1], instance.received):
        return not_modified(headers)
    made = await rendering.thumbnail(instance, listed[0] if listed else None, offer.media_type, viewport)
    return Whole(made, offer.media_type.encode("ascii"), headers=headers)


def _listed(request: Request) -> Sequence[int]:
    listed = request.scope["path_params"].get("frames")
    return listed_numbers(listed) if listed is not None else ()


async def _presentation(rendering: RenderingService, scope: Scope, query: dict[str, str]) -> StoredInstance | None:
    """The presentation state that the query names."""
    series, uid = query.get("presentationSeriesUID", ""), query.get("presentationUID", "")
    return await rendering.presentation_state(scope.study_uid, series, uid) if series or uid else None


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
