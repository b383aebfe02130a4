"""WADO-RS frames (PS3.18 §10.4.1.1.6): as they are stored, little endian, or in the compression that is wanted."""

import re
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.frames import FrameIndex
from dicomweb_server.dicomweb.context import Context, path_of_instance, scope_of
from dicomweb_server.dicomweb.offers import chosen_frame_offer
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.conditional import entity_tag, is_fresh, not_modified, range_applies, validators
from dicomweb_server.http.headers import accept_text
from dicomweb_server.http.parts import Part, alone, related
from dicomweb_server.services.contents import Content
from dicomweb_server.services.retrieve import StoredInstance
from dicomweb_server.wire.media_types import Offer

_LIST = re.compile(r"[0-9]{1,10}(?:,[0-9]{1,10}){0,9999}", re.ASCII)


async def retrieve_frames(request: Request, context: Context) -> Response:
    """The listed frames of an instance, or all of them."""
    scope = scope_of(request)
    retrieve = context.services.retrieve
    # The hottest path of a viewer: in most cases nothing on it has to wait.
    instance = retrieve.peek(scope) or await retrieve.instance(scope)
    frames = FrameIndex.unpack(instance.frames)
    listed = request.scope["path_params"].get("frames")
    numbers = listed_numbers(listed) if listed is not None else range(1, frames.count + 1)
    if not numbers:
        frames.locate(1)  # says why there are none
    offer = chosen_frame_offer(accept_text(request.scope), instance.transfer_syntax_uid, alone=len(numbers) == 1)
    return await pixel_response(request, context, instance, frames, numbers, offer)


async def pixel_response(
    request: Request,
    context: Context,
    instance: StoredInstance,
    frames: FrameIndex,
    numbers: Sequence[int],
    offer: Offer,
) -> Response:
    """Frames of an instance in a representation that was chosen."""
    http = request.scope
    digest = instance.digest.hex()[:32]
    tag = entity_tag(digest, _variant(context, offer))
    headers = validators(tag, instance.received, immutable=context.options.immutable)
    if is_fresh(http, tag, instance.received):
        return not_modified(headers)
    retrieve = context.services.retrieve
    contents = frame_contents(context, instance, frames, numbers, offer)
    ranges = range_applies(http, tag, instance.received)
    part_type = offer.part_type().encode("ascii")
    if not offer.multipart:
        return await alone(http, retrieve.contents, contents[0], part_type, headers, ranges=ranges)
    location = context.options.service_url.root(http) + path_of_instance(instance) + "/frames/"
    parts = [
        Part(content, ((b"Content-Type", part_type), (b"Content-Location", f"{location}{number}".encode("latin-1"))))
        for number, content in zip(numbers, contents, strict=True)
    ]
    # No instance holds its own digest, so its digest is a boundary that occurs in none of its frames.
    return await related(http, retrieve.contents, parts, offer.media_type, digest, headers, ranges=ranges)


def frame_contents(
    context: Context, instance: StoredInstance, frames: FrameIndex, numbers: Sequence[int], offer: Offer
) -> list[Content]:
    """The frames of an instance in a representation; BAD_REQUEST or NOT_FOUND if there is no such frame."""
    if offer.stored:
        return [context.services.retrieve.frame(instance, frames, number) for number in numbers]
    assert offer.transfer_syntax is not None
    transcoding = context.services.transcoding
    return [transcoding.frame(instance, number, offer.transfer_syntax) for number in numbers]


def _variant(context: Context, offer: Offer) -> str:
    """What tells the representations of the same frames apart."""
    form = "parts" if offer.multipart else ""
    if offer.stored:
        return form
    assert offer.transfer_syntax is not None
    return f"{form}-{context.services.transcoding.variant(offer.transfer_syntax)}"


def listed_numbers(listed: str) -> list[int]:
    """The numbers of a list; ServerError(BAD_REQUEST) if it is ill-formed."""
    if not _LIST.fullmatch(listed):
        raise ServerError(
            Reason.BAD_REQUEST, "the list of frames is ill-formed: numbers from 1 expected, separated by commas"
        )
    return [int(number) for number in listed.split(",")]
