"""WADO-RS frames (PS3.18 §10.4.1.1.6): as they are stored if they are compressed, else little endian."""

import re
from collections.abc import Sequence
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.frames import FrameIndex
from dicomweb_server.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN, transfer_syntax
from dicomweb_server.dicomweb.context import Context, path_of_instance, scope_of
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.conditional import entity_tag, is_fresh, not_modified, range_applies, validators
from dicomweb_server.http.headers import accept_text
from dicomweb_server.http.parts import Part, alone, related
from dicomweb_server.services.retrieve import StoredInstance
from dicomweb_server.wire.media_types import OCTET_STREAM, Offer, choose, parse_accept

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
    offer = chosen_offer(accept_text(request.scope), instance.transfer_syntax_uid, alone=len(numbers) == 1)
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
    tag = entity_tag(digest, "parts" if offer.multipart else "")
    headers = validators(tag, instance.received, immutable=context.options.immutable)
    if is_fresh(http, tag, instance.received):
        return not_modified(headers)
    retrieve = context.services.retrieve
    contents = [retrieve.frame(instance, frames, number) for number in numbers]
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


@lru_cache(maxsize=4096)
def chosen_offer(accept: str, transfer_syntax_uid: str, *, alone: bool) -> Offer:
    """The representation of frames that is stored in a transfer syntax; `alone`: of one frame."""
    return choose(parse_accept(accept), pixel_offers(transfer_syntax_uid, alone=alone))


def pixel_offers(transfer_syntax_uid: str, *, alone: bool) -> tuple[Offer, ...]:
    """The representations of frames (PS3.18 table 8.7.3-5): octet-stream if native, else the stored compression."""
    syntax = transfer_syntax(transfer_syntax_uid)
    # Encapsulated uncompressed pixels are served like native ones.
    named = syntax.uid if syntax.media_type != OCTET_STREAM else EXPLICIT_VR_LITTLE_ENDIAN
    parts = Offer(syntax.media_type, multipart=True, transfer_syntax=named, stored=True)
    return (parts, Offer(syntax.media_type, transfer_syntax=named, stored=True)) if alone else (parts,)


def listed_numbers(listed: str) -> list[int]:
    """The numbers of a list; ServerError(BAD_REQUEST) if it is ill-formed."""
    if not _LIST.fullmatch(listed):
        raise ServerError(
            Reason.BAD_REQUEST, "the list of frames is ill-formed: numbers from 1 expected, separated by commas"
        )
    return [int(number) for number in listed.split(",")]
