"""WADO-RS studies, series and instances (PS3.18 §10.4.1.1.1): parts, one file alone, or a ZIP archive."""

from collections.abc import Callable, Sequence
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.pixels.transcode import needs_codec
from dicomweb_server.dicomweb.archive import archive_response
from dicomweb_server.dicomweb.context import Context, path_of_instance, scope_of
from dicomweb_server.dicomweb.damage import damage_headers
from dicomweb_server.dicomweb.offers import chosen_instance_offer, instance_offers
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.conditional import entity_tag, is_fresh, not_modified, range_applies, validators
from dicomweb_server.http.headers import accept_text
from dicomweb_server.http.parts import Part, alone, related
from dicomweb_server.services.contents import Content
from dicomweb_server.services.retrieve import StoredInstance
from dicomweb_server.services.transcoding import made_syntax
from dicomweb_server.wire.media_types import ANY, DICOM, ZIP, MediaRange, Offer, choose, parse_accept


async def retrieve_instance(request: Request, context: Context) -> Response:
    """One instance, as a part or alone."""
    scope, retrieve = scope_of(request), context.services.retrieve
    instance = retrieve.peek(scope) or await retrieve.instance(scope)
    return await instance_response(request, context, instance, accept_text(request.scope))


async def instance_response(request: Request, context: Context, instance: StoredInstance, accept: str) -> Response:
    """An instance in the representation that was accepted."""
    http, retrieve = request.scope, context.services.retrieve
    offer = chosen_instance_offer(accept, instance.transfer_syntax_uid, alone=True)
    if offer.media_type == ZIP:
        return await _set_response(request, context, [instance], [await _makeable(context, instance, offer, accept)])
    digest = instance.digest.hex()[:32]
    tag = entity_tag(digest, _variant(context, offer))
    headers = validators(tag, instance.received, immutable=context.options.immutable)
    if is_fresh(http, tag, instance.received):
        return not_modified(headers)
    content, part_type = await _single(context, instance, offer)
    location = (context.options.service_url.root(http) + path_of_instance(instance)).encode("latin-1")
    if not offer.multipart:
        headers = [*headers, (b"content-location", location)]
        ranges = range_applies(http, tag, instance.received)
        return await alone(http, retrieve.contents, content, part_type, headers, ranges=ranges)
    part = Part(content, ((b"Content-Type", part_type), (b"Content-Location", location)))
    # No file holds its own digest, so it is a boundary that does not occur in it.
    return await related(http, retrieve.contents, [part], DICOM, digest, headers)


async def _single(context: Context, instance: StoredInstance, offer: Offer) -> tuple[Content, bytes]:
    """An instance and its media type; ServerError(NOT_ACCEPTABLE) if it cannot be made."""
    services = context.services
    if offer.stored:
        return services.retrieve.file(instance), _part_type(instance, offer)
    syntax = _syntax(offer)
    if made_syntax(instance, syntax) != syntax:
        raise ServerError(Reason.NOT_ACCEPTABLE, f"the instance has no pixels that could be compressed in {syntax}")
    content = await services.retrieve.contents.settled(services.transcoding.file(instance, syntax))
    return content, f"{DICOM}; transfer-syntax={syntax}".encode("ascii")


async def retrieve_instances(request: Request, context: Context) -> Response:
    """All instances of a study or series."""
    instances = await context.services.retrieve.instances(scope_of(request))
    accept = accept_text(request.scope)
    syntaxes = list(dict.fromkeys(instance.transfer_syntax_uid for instance in instances))
    chosen = _chosen(syntaxes, lambda uid: chosen_instance_offer(accept, uid, alone=False))
    if any(offer.media_type == ZIP for offer in chosen.values()):
        # One body has one form, also if what is accepted differs between the transfer syntaxes.
        zipped = tuple(one for one in parse_accept(accept) if one.name in (ZIP, ANY, "application/*"))
        chosen = _chosen(syntaxes, lambda uid: _zipped(zipped, uid))
    offers = [await _makeable(context, one, chosen.get(one.transfer_syntax_uid), accept) for one in instances]
    return await _set_response(request, context, instances, offers)


def _chosen(syntaxes: Sequence[str], choice: Callable[[str], Offer]) -> dict[str, Offer]:
    """What comes of each stored transfer syntax of which something acceptable can be made; ServerError if of none."""
    chosen: dict[str, Offer] = {}
    refusal: ServerError | None = None
    for uid in syntaxes:
        try:
            chosen[uid] = choice(uid)
        except ServerError as error:
            refusal = error
    if not chosen and refusal is not None:
        raise refusal
    return chosen


async def _makeable(context: Context, instance: StoredInstance, offer: Offer | None, accept: str) -> Offer | None:
    """The offer, if it can be kept; else the instance as it is stored, if that is acceptable; else nothing."""
    if offer is None or offer.stored or await context.services.transcoding.can_make(instance, _syntax(offer)):
        return offer
    stored = [one for one in instance_offers(instance.transfer_syntax_uid, alone=False) if one.stored]
    alike = [one for one in stored if one.media_type == offer.media_type]
    try:
        return choose(parse_accept(accept), alike)
    except ServerError:
        return None


async def _set_response(
    request: Request, context: Context, instances: Sequence[StoredInstance], offers: Sequence[Offer | None]
) -> Response:
    """Instances and how they come; those without an offer are left out (206, PS3.18 §10.4.3)."""
    http, retrieve = request.scope, context.services.retrieve
    if not any(offers):
        raise ServerError(Reason.NOT_ACCEPTABLE, "nothing of it can be had in an acceptable transfer syntax")
    digest = sha256(b"".join([instance.digest for instance in instances])).hexdigest()[:32]
    tag = entity_tag(digest, _variant(context, *(offer for offer in offers if offer is not None)))
    modified = max(instance.received for instance in instances)
    headers = validators(tag, modified, immutable=False)
    if is_fresh(http, tag, modified):
        return not_modified(headers)
    sound = await retrieve.present(instances)
    there = [is_sound and offer is not None for is_sound, offer in zip(sound, offers, strict=True)]
    status = 200
    if not all(there):
        status, headers = 206, damage_headers(context.options.service_url.root(http), there)
    kept = [(one, offer) for one, offer, is_there in zip(instances, offers, there, strict=True) if is_there and offer]
    contents = [_content(context, instance, offer) for instance, offer in kept]
    if kept and kept[0][1].media_type == ZIP:
        names = [f"{instance.series_uid}/{instance.instance_uid}.dcm" for instance, _ in kept]
        return archive_response(retrieve.contents, names, contents, headers, status)
    root = context.options.service_url.root(http)
    parts = [
        Part(
            content,
            (
                (b"Content-Type", _part_type(instance, offer)),
                (b"Content-Location", (root + path_of_instance(instance)).encode("latin-1")),
            ),
        )
        for content, (instance, offer) in zip(contents, kept, strict=True)
    ]
    return await related(http, retrieve.contents, parts, DICOM, digest, headers, status=status)


def _zipped(ranges: Sequence[MediaRange], transfer_syntax_uid: str) -> Offer:
    offers = instance_offers(transfer_syntax_uid, alone=False)
    return choose(ranges, [offer for offer in offers if offer.media_type == ZIP])


def _content(context: Context, instance: StoredInstance, offer: Offer) -> Content:
    if offer.stored:
        return context.services.retrieve.file(instance)
    return context.services.transcoding.file_or_stored(instance, _syntax(offer))


def _syntax(offer: Offer) -> str:
    assert offer.transfer_syntax is not None
    return offer.transfer_syntax


def _part_type(instance: StoredInstance, offer: Offer) -> bytes:
    """Without a transfer syntax where it is not certain that the instance can be brought into the chosen one."""
    syntax = instance.transfer_syntax_uid
    if not offer.stored:
        syntax = made_syntax(instance, _syntax(offer))
        if needs_codec(instance.transfer_syntax_uid, syntax):
            return DICOM.encode("ascii")
    return f"{DICOM}; transfer-syntax={syntax}".encode("ascii")


def _variant(context: Context, *offers: Offer) -> str:
    """What tells the representations of the same instances apart."""
    form = "zip" if offers[0].media_type == ZIP else "parts" if offers[0].multipart else "file"
    made = dict.fromkeys(_syntax(offer) for offer in offers if not offer.stored)
    return "-".join([form, *(context.services.transcoding.variant(uid) for uid in made)])
