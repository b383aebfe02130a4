"""A data set in DICOM JSON of which few attributes are asked: read fast, and its numbers as the file spells them."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from dicomweb_server.dicom.orthanc_json import parsed

_SPELT = frozenset({"DS", "IS"})
_VALUES = re.compile(rb'[^"\[\]]*')


class SpeltDocument:
    """Read when the first attribute is asked for, if ever."""

    __slots__ = ("_bytes", "_found", "_load")

    def __init__(self, load: Callable[[], bytes]) -> None:
        self._load = load
        self._bytes = b""
        self._found: dict[str, Any] | None = None

    def get(self, key: str) -> Mapping[str, Any] | None:
        """The element of a tag, by eight upper-case digits."""
        if self._found is None:
            self._bytes = self._load() or b"{}"
            # Places of URLs are raw control characters, which JSON does not allow.
            self._found = orjson.loads(self._bytes.replace(b"\x01", b"").replace(b"\x02", b""))
        element: dict[str, Any] | None = self._found.get(key)
        if element is not None and element["vr"] in _SPELT and "Value" in element:
            return self._spelt(key, element)
        return element

    def _spelt(self, key: str, element: dict[str, Any]) -> Mapping[str, Any]:
        """With texts instead of numbers; by a slower reader where the tag also occurs in a sequence."""
        values = element["Value"]
        if all(value is None or isinstance(value, str) for value in values):
            return element
        start = b'"%b":{"vr":"%b","Value":[' % (key.encode("ascii"), element["vr"].encode("ascii"))
        first = self._bytes.find(start)
        if first >= 0 and self._bytes.find(start, first + 1) < 0:
            match = _VALUES.match(self._bytes, first + len(start))
            texts = match[0].decode("ascii").split(",") if match else []
            if len(texts) == len(values) and "null" not in texts:
                return {"vr": element["vr"], "Value": texts}
        self._found = parsed(self._bytes)
        found: Mapping[str, Any] = self._found[key]
        return found
