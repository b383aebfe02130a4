"""WADO-RS bulk data and pixel data (PS3.18 §10.4.1.1.4, §10.4.1.1.5): one value, or all below a resource."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.bulk_data import BulkValue
from dicomweb_server.dicom.frames import FrameIndex
from dicomweb_server.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN
from dicomweb_server.dicomweb.context import Context, path_of_instance, scope_of
from dicomweb_server.dicomweb.damage import damage_headers
from dicomweb_server.dicomweb.frames import frame_contents, pixel_response
from dicomweb_server.dicomweb.offers import chosen_frame_offer
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.conditional import entity_tag, is_fresh, not_modified, range_applies, validators
from dicomweb_server.http.headers import accept_text
from dicomweb_server.http.parts import Part, alone, related_stream, related_value
from dicomweb_server.services.contents import Content, stored
from dicomweb_server.services.retrieve import RetrieveService, StoredInstance
from dicomweb_server.wire.media_types import OCTET_STREAM, Offer, choose, parse_accept


async def retrieve_bulk_value(request: Request, context: Context) -> Response:
    """The value that a BulkDataURI of the metadata leads to; of compressed pixel data its frames."""
    scope, http = scope_of(request), request.scope
    retrieve = context.services.retrieve
    instance = retrieve.peek(scope) or await retrieve.instance(scope)
    value = await retrieve.bulk_value(instance, http["path_params"]["path"])
    if value.encapsulated:
        frames = FrameIndex.unpack(instance.frames)
        offer = chosen_frame_offer(accept_text(http), instance.transfer_syntax_uid, alone=frames.count == 1)
        return await pixel_response(request, context, instance, frames, range(1, frames.count + 1), offer)
    offer = _value_offer(accept_text(http), value.media_type)
    digest = instance.digest.hex()[:32]
    tag = entity_tag(digest, "-".join((offer.media_type.replace("/", "."), "parts" if offer.multipart else "")))
    headers = validators(tag, instance.received, immutable=context.options.immutable)
    if is_fresh(http, tag, instance.received):
        return not_modified(headers)
    content = retrieve.bulk_content(instance, value)
    ranges = range_applies(http, tag, instance.received)
    media_type = offer.media_type.encode("ascii")
    if not offer.multipart:
        return await alone(http, retrieve.contents, content, media_type, headers, ranges=ranges)
    source = _Source(context, context.options.service_url.root(http), {})
    part = source.part(instance, f"bulkdata/{value.path}", offer.media_type, content)
    return await related_value(http, retrieve.contents, part, offer.media_type, digest, headers, ranges=ranges)


async def retrieve_bulk_data(request: Request, context: Context) -> Response:
    """All values that the metadata leaves to URIs."""
    return await _set_response(request, context, _bulk_parts, "bulk data")


async def retrieve_pixel_data(request: Request, context: Context) -> Response:
    """All pixel data: a part for each frame if they are compressed, else for each instance."""
    return await _set_response(request, context, _pixel_parts, "pixel data")


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the parts of a set come from. `offers`: the representation of compressed frames by transfer syntax."""

    context: Context
    root: str
    offers: Mapping[str, Offer]

    @property
    def retrieve(self) -> RetrieveService:
        """Where all of it is found."""
        return self.context.services.retrieve

    def part(self, instance: StoredInstance, path: str, content_type: str, content: Content) -> Part:
        """A part that says where it can be found alone."""
        location = f"{self.root}{path_of_instance(instance)}/{path}"
        fields = ((b"Content-Type", content_type.encode("ascii")), (b"Content-Location", location.encode("latin-1")))
        return Part(content, fields)

    def frames(self, instance: StoredInstance, frames: FrameIndex) -> Iterator[Part]:
        """The compressed frames of an instance."""
        offer = self.offers[instance.transfer_syntax_uid]
        part_type, numbers = offer.part_type(), range(1, frames.count + 1)
        contents = frame_contents(self.context, instance, frames, numbers, offer)
        for number, content in zip(numbers, contents, strict=True):
            yield self.part(instance, f"frames/{number}", part_type, content)

    async def value(self, instance: StoredInstance, path: str) -> Part:
        """The value at a path."""
        value = await self.retrieve.bulk_value(instance, path)
        return self.octets(instance, value)

    def octets(self, instance: StoredInstance, value: BulkValue) -> Part:
        """A value as bytes of no particular kind."""
        content = self.retrieve.bulk_content(instance, value)
        return self.part(instance, f"bulkdata/{value.path}", OCTET_STREAM, content)


async def _set_response(
    request: Request,
    context: Context,
    parts_of: Callable[[_Source, Sequence[StoredInstance]], AsyncIterator[Part]],
    what: str,
) -> Response:
    http, retrieve = request.scope, context.services.retrieve
    instances = await retrieve.instances(scope_of(request))
    root = context.options.service_url.root(http)
    source = _Source(context, root, _set_offers(accept_text(http), instances, octets=what == "bulk data"))
    digest = sha256(b"".join([instance.digest for instance in instances])).hexdigest()[:32]
    tag = entity_tag(digest, "parts")
    modified = max(instance.received for instance in instances)
    headers = validators(tag, modified, immutable=False)
    if is_fresh(http, tag, modified):
        return not_modified(headers)
    there = await retrieve.present(instances)
    status = 200
    if not all(there):
        status, headers = 206, damage_headers(root, there)
    parts = parts_of(source, [one for one, is_there in zip(instances, there, strict=True) if is_there])
    first = await anext(parts, None)
    if first is None:
        raise ServerError(Reason.NOT_FOUND, f"there is no {what}")
    first = Part(await retrieve.contents.settled(first.content), first.fields)
    media_type = dict(first.fields)[b"Content-Type"].decode("ascii").partition(";")[0]
    return related_stream(retrieve.contents, first, parts, media_type, digest, headers, status=status)


def _set_offers(accept: str, instances: Iterable[StoredInstance], *, octets: bool) -> dict[str, Offer]:
    """The representations of pixel data by transfer syntax; `octets`: there may be other values as well."""
    syntaxes = dict.fromkeys(one.transfer_syntax_uid for one in instances)
    if octets:
        syntaxes[EXPLICIT_VR_LITTLE_ENDIAN] = None
    return {uid: chosen_frame_offer(accept, uid, alone=False) for uid in syntaxes}


async def _bulk_parts(source: _Source, instances: Sequence[StoredInstance]) -> AsyncIterator[Part]:
    for instance in instances:
        for value in await source.retrieve.bulk_values(instance):
            if value.encapsulated:
                for part in source.frames(instance, FrameIndex.unpack(instance.frames)):
                    yield part
            else:
                yield source.octets(instance, value)


async def _pixel_parts(source: _Source, instances: Sequence[StoredInstance]) -> AsyncIterator[Part]:
    for instance in instances:
        frames = FrameIndex.unpack(instance.frames)
        if frames.encapsulated:
            for part in source.frames(instance, frames):
                yield part
        elif frames.deflated or frames.big_endian:
            yield await source.value(instance, f"{frames.tag:08X}")
        elif frames.length:
            content = stored(instance.key, (frames.span(),))
            yield source.part(instance, f"bulkdata/{frames.tag:08X}", OCTET_STREAM, content)


@lru_cache(maxsize=1024)
def _value_offer(accept: str, media_type: str) -> Offer:
    """The representation of one value: as bytes, or in the media type that it is known to have."""
    types = dict.fromkeys((OCTET_STREAM, media_type))
    offers = [Offer(name, multipart=multipart) for multipart in (True, False) for name in types]
    return choose(parse_accept(accept), offers)
