"""Comparison: the same search here and at a peer; what only one of them has, and of what they have unlike much."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.instance import stored_document
from dicomweb_server.dicom.query_keys import UNIQUE_KEYS, count_of
from dicomweb_server.dicom.scheduled import text_of
from dicomweb_server.dicom.search_parameters import search_request
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.peers import Attributes, Peer
from dicomweb_server.services.search import SearchService

_MOST = 200_000  # of each side
_COUNTS = {Level.STUDY: "00201208", Level.SERIES: "00201209"}  # Number of Study, Series Related Instances

Found = Mapping[str, int | None]
"""By UID, how many instances there are, as far as that is told."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What both have found."""

    here: Found
    there: Found

    @property
    def missing_here(self) -> list[str]:
        """What only the peer has."""
        return [uid for uid in self.there if uid not in self.here]

    @property
    def missing_there(self) -> list[str]:
        """What only this server has."""
        return [uid for uid in self.here if uid not in self.there]

    @property
    def different(self) -> list[str]:
        """What both have, but not with as many instances."""
        return [uid for uid, count in self.there.items() if count is not None and self.here.get(uid, count) != count]


async def compared(search: SearchService, peer: Peer, level: Level, keys: Attributes) -> Comparison:
    """Ask both; PeerError, ServerError. `level`: below the patient; `keys`: with those of the levels above."""
    return Comparison(await _here(search, level, keys), await _there(peer, level, keys))


def _asked(level: Level) -> list[str]:
    return [UNIQUE_KEYS[level], *([_COUNTS[level]] if level in _COUNTS else [])]


async def _here(search: SearchService, level: Level, keys: Attributes) -> Found:
    pairs = [(tag, text) for tag, key in keys.items() if (text := _text(key))]
    query = search_request(level, [*pairs, *(("includefield", tag) for tag in _asked(level))]).query
    found: dict[str, int | None] = {}
    async with aclosing(search.matches(query)) as batches:
        async for batch in batches:
            for match in batch:
                _note(found, stored_document(match), level)
    return found


async def _there(peer: Peer, level: Level, keys: Attributes) -> Found:
    asked = {tag: {"vr": "UI" if tag == UNIQUE_KEYS[level] else "IS"} for tag in _asked(level)}
    found: dict[str, int | None] = {}
    async with aclosing(peer.find(level, asked | dict(keys))) as matches:  # type: ignore[type-var]
        async for match in matches:
            _note(found, match, level)
    return found


def _note(found: dict[str, int | None], match: Attributes, level: Level) -> None:
    uid = text_of(match, UNIQUE_KEYS[level])
    if uid:
        found[uid] = count_of(match, _COUNTS[level]) if level in _COUNTS else None
    if len(found) > _MOST:
        raise ServerError(Reason.TOO_LARGE, f"more than {_MOST} match: compare them in parts, by dates for example")


def _text(key: Mapping[str, object]) -> str:
    """A key as QIDO-RS writes it."""
    values = key.get("Value")
    if not isinstance(values, list):
        return ""
    if any(isinstance(value, dict) for value in values) and key["vr"] != "PN":
        raise ServerError(Reason.BAD_REQUEST, "keys in sequences cannot be compared by")
    return "\\".join("=".join(value.values()) if isinstance(value, dict) else str(value) for value in values)
