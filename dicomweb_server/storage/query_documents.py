"""Data sets of matches beyond the index's own columns: from stored metadata, cut to a level; opens no files."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from dicomweb_server.dicom.attributes import BY_TAG, Level
from dicomweb_server.dicom.dictionary import US_OR_SS, public_vr
from dicomweb_server.dicom.information_levels import COMPUTED, attribute_level
from dicomweb_server.dicom.matching import private_tag
from dicomweb_server.dicom.query import Include, Query

JsonObject = dict[str, Any]

# A file's metadata has it in its own character set; every answer is in UTF-8.
_CHARACTER_SET = "00080005"
# What stands before a URL in the JSON that we write.
_URL_HEADS = (b'"BulkDataURI":"', b'{"vr":"UR","Value":["')


def loaded(text: str | bytes) -> JsonObject:
    """The data set in what SQL wrote. The URL's place holder is not allowed in JSON, and not needed to match."""
    document: JsonObject = orjson.loads(
        text.replace("\x01", "") if isinstance(text, str) else text.replace(b"\x01", b"")
    )
    return document


class Addition:
    """What a query's answers have from stored metadata; `is_needed` tells whether there is any such thing."""

    def __init__(self, query: Query) -> None:
        self._level = query.level
        self._is_all = query.include_all
        paths = {(include.path, include.private_creator): False for include in query.include}
        paths |= {(match.path, match.private_creator): True for match in query.matches if self._is_fit(match.path[0])}
        self._paths = {
            key: is_key for key, is_key in paths.items() if key[0][0] not in BY_TAG and key[0][0] not in COMPUTED
        }

    @property
    def is_needed(self) -> bool:
        """Whether the columns do not answer everything."""
        return self._is_all or bool(self._paths)

    def merged(self, row: str, metadata: bytes) -> bytes:
        """The answer for a match: what SQL wrote, and what was asked for beside it."""
        stored: JsonObject = orjson.loads(metadata.replace(b"\x01", b"\\u0001"))
        found = self._all(stored) if self._is_all else {}
        for (path, creator), is_key in self._paths.items():
            found.update(_chosen(stored, Include(path, creator), is_key=is_key))
        found.update(orjson.loads(row.replace("\x01", "\\u0001")))
        # The URLs' place holder is one byte in the answer, as it was in both sources.
        merged = orjson.dumps(dict(sorted(found.items())))
        for head in _URL_HEADS:
            merged = merged.replace(head + b"\\u0001", head + b"\x01")
        return merged

    def _is_fit(self, tag: int) -> bool:
        level = attribute_level(tag)
        return level is None or level <= self._level

    def _all(self, stored: JsonObject) -> JsonObject:
        return {
            name: element
            for name, element in stored.items()
            if int(name, 16) not in BY_TAG and name != _CHARACTER_SET and self._is_returned(int(name, 16))
        }

    def _is_returned(self, tag: int) -> bool:
        level = attribute_level(tag)
        # A private attribute may belong to any level: it comes with the instance that has it.
        return level <= self._level if level is not None else self._level is Level.INSTANCE


def _chosen(stored: Mapping[str, Any], include: Include, *, is_key: bool) -> Iterable[tuple[str, Any]]:
    """The attribute, with its creator's element if it is private; a key without a value is answered as empty."""
    tag = include.path[0]
    if tag >> 16 & 1 and include.private_creator is not None:
        tag = private_tag(stored, tag, include.private_creator) or 0
    name = f"{tag:08X}"
    element = stored.get(name)
    if element is None:
        if is_key and not tag >> 16 & 1 and tag:
            yield name, {"vr": _vr(include.path)}
        return
    yield name, element
    creator = f"{tag & 0xFFFF0000 | tag >> 8 & 0xFF:08X}"
    if tag >> 16 & 1 and creator in stored:
        yield creator, stored[creator]


def _vr(path: tuple[int, ...]) -> str:
    vr = public_vr(path[0])
    return "US" if vr == US_OR_SS else vr
