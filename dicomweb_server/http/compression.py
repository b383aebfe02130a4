"""Content codings of JSON and XML answers, used only when the client asks for them (RFC 9110 §12.5.3)."""

import re
import zlib
from typing import Protocol

import zstandard
from starlette.types import Scope

from dicomweb_server.http.headers import joined_header

# Below this a compressed body saves nothing worth the time.
MIN_SIZE = 1024
_LEVELS = {"zstd": 3, "gzip": 1}
_PREFERENCE = ("zstd", "gzip")
_CODING = re.compile(r"\s*([A-Za-z0-9*_-]+)\s*(?:;\s*[qQ]\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?\Z")


class Compressor(Protocol):
    """What zlib's and zstandard's compression objects have in common."""

    def compress(self, data: bytes, /) -> bytes:
        """Take some more."""

    def flush(self) -> bytes:
        """The rest."""


def chosen_coding(scope: Scope) -> str | None:
    """ "zstd" or "gzip" if the client prefers one to none."""
    weights: dict[str, float] = {}
    for item in joined_header(scope, b"accept-encoding").split(","):
        found = _CODING.match(item)
        if found:
            weights[found[1].lower()] = float(found[2] or 1)
    other = weights.get("*", 0.0)
    quality, _, coding = max((weights.get(name, other), -rank, name) for rank, name in enumerate(_PREFERENCE))
    # "identity" is always acceptable, but less so than what was named, unless it has a higher quality.
    return coding if quality > 0 and quality >= weights.get("identity", 0.0) else None


def compressor(coding: str) -> Compressor:
    """A stream of one of the codings that `chosen_coding` names."""
    if coding == "zstd":
        return zstandard.ZstdCompressor(level=_LEVELS["zstd"]).compressobj()
    return zlib.compressobj(_LEVELS["gzip"], zlib.DEFLATED, 31)


def compressed(body: bytes, coding: str) -> bytes:
    """A whole body in a coding."""
    stream = compressor(coding)
    return stream.compress(body) + stream.flush()
