"""WADO-RS metadata (PS3.18 §10.4.1.1.2): stored JSON as it is, or a subset of its attributes, or XML."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import lru_cache, partial
from hashlib import sha256
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from dicomweb_server.dicom.attribute_path import attribute_path, is_private
from dicomweb_server.dicomweb.context import Context, scope_of
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.conditional import entity_tag, is_fresh, not_modified, validators
from dicomweb_server.http.documents import JSON_OFFER, OFFERS, PLACE_OF_ROOT, VARY, coding_for, document
from dicomweb_server.http.headers import accept_text, parameters
from dicomweb_server.wire.media_types import Offer, choose, parse_accept

_MAX_INCLUDED = 1000
# Without these nobody could tell whose the attributes are.
_ALWAYS = ("00080016", "00080018", "0020000D", "0020000E")

Subset = dict[str, "Subset"]


async def retrieve_metadata(request: Request, context: Context) -> Response:
    """The metadata of a study, series or instance."""
    scope, http = scope_of(request), request.scope
    offer = _offer(accept_text(http))
    included = _included(http)
    coding = coding_for(http, compression=context.options.compression)
    revision = await context.services.retrieve.revision(scope)
    tag = entity_tag(revision, _variant(offer, included, coding))
    headers = validators(tag, None, immutable=False, vary=VARY)
    if is_fresh(http, tag):
        return not_modified(headers)
    root = context.options.service_url.root(http)
    batches = context.services.retrieve.metadata(scope)
    if included:
        batches = _limited(batches, _subset(included), root.encode("latin-1"))
    return await document(batches, offer, root, headers, coding)


@lru_cache(maxsize=1024)
def _offer(accept: str) -> Offer:
    return choose(parse_accept(accept), OFFERS)


def _variant(offer: Offer, included: Sequence[str], coding: str | None) -> str:
    """What tells the representations of the same metadata apart."""
    form = "json" if offer == JSON_OFFER else "xml"
    subset = sha256(",".join(included).encode("utf-8", "replace")).hexdigest()[:12] if included else ""
    return "-".join(filter(None, (form, subset, coding)))


def _included(http: Scope) -> tuple[str, ...]:
    """The attributes that `includefield` names; none means all of them."""
    if b"includefield" not in http.get("query_string", b""):
        return ()
    values = [value for name, value in parameters(http) if name == "includefield"]
    names = [name.strip() for value in values for name in value.split(",") if name.strip()]
    if len(names) > _MAX_INCLUDED:
        raise ServerError(Reason.BAD_REQUEST, f"includefield: more than {_MAX_INCLUDED} attributes")
    return () if "all" in names else tuple(sorted(set(names)))


def _subset(names: Sequence[str]) -> Subset:
    """The named attributes as a tree of tags; an empty branch stands for all that is below."""
    tree: Subset = {tag: {} for tag in _ALWAYS}
    whole: set[tuple[int, ...]] = set()
    for name in names:
        path = attribute_path(name)
        if path is None:
            raise ServerError(Reason.BAD_REQUEST, f"includefield: {name[:80]!r} is no attribute")
        whole.add(path.tags)
    for tags in whole:
        if any(tags[:length] in whole for length in range(1, len(tags))):
            continue
        branch = tree
        for tag in tags:
            if is_private(tag):
                branch[f"{tag >> 16:04X}00{tag >> 8 & 0xFF:02X}"] = {}  # the creator, without which it says nothing
            branch = branch.setdefault(f"{tag:08X}", {})
    return tree


async def _limited(
    batches: AsyncIterator[Sequence[bytes]], subset: Subset, root: bytes
) -> AsyncIterator[Sequence[bytes]]:
    async for batch in batches:
        yield await asyncio.to_thread(list, map(partial(_cut, subset=subset, root=root), batch))


def _cut(metadata: bytes, subset: Subset, root: bytes) -> bytes:
    # A strict parser wants the URL in place first.
    return orjson.dumps(_kept(orjson.loads(metadata.replace(PLACE_OF_ROOT, root)), subset)) if metadata else metadata


def _kept(attributes: dict[str, Any], subset: Subset) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for tag, attribute in attributes.items():
        branch = subset.get(tag)
        if branch is None:
            continue
        values = attribute.get("Value")
        if branch and isinstance(values, list):
            attribute = attribute | {"Value": [_kept(item, branch) for item in values if isinstance(item, dict)]}
        kept[tag] = attribute
    return kept
