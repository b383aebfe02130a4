"""Conditional requests (RFC 9110 §13): entity tags, dates, and whether the client has the representation already."""

from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache

from starlette.types import Scope

from dicomweb_server.http.headers import header, joined_header
from dicomweb_server.http.responses import HeaderList, Whole

# A copy of what never changes need not be asked for again for a day; so long does it outlive a deletion.
_IMMUTABLE = (b"cache-control", b"private, max-age=86400, immutable")
_REVALIDATED = (b"cache-control", b"private, no-cache")


def entity_tag(token: str, variant: str = "") -> bytes:
    """A strong ETag of a representation: of what it shows, and of which variant of it (encoding, media type)."""
    return f'"{token}-{variant}"'.encode("ascii") if variant else f'"{token}"'.encode("ascii")


def validators(tag: bytes, modified: float | None, *, immutable: bool, vary: bytes = b"Accept") -> HeaderList:
    """The headers by which caches keep a representation."""
    headers = [(b"etag", tag), _IMMUTABLE if immutable else _REVALIDATED, (b"vary", vary)]
    if modified is not None:
        headers.append((b"last-modified", http_date(int(modified))))
    return headers


def not_modified(headers: HeaderList) -> Whole:
    """The answer to a client that has the current representation."""
    return Whole(status=304, headers=headers)


@lru_cache(maxsize=1024)
def http_date(seconds: int) -> bytes:
    """The value of Last-Modified."""
    return formatdate(seconds, usegmt=True).encode("ascii")


def is_fresh(scope: Scope, tag: bytes, modified: float | None = None) -> bool:
    """Whether the client's copy is the current one, so that 304 is the answer to GET and HEAD."""
    if_none_match = joined_header(scope, b"if-none-match")
    if if_none_match:
        return _names(if_none_match, tag)
    since = header(scope, b"if-modified-since")
    if since is None or modified is None:
        return False
    seconds = _seconds(since)
    return seconds is not None and int(modified) <= seconds


def range_applies(scope: Scope, tag: bytes, modified: float | None = None) -> bool:
    """Whether If-Range, if there is one, names the current representation, so that Range may be obeyed."""
    condition = header(scope, b"if-range")
    if condition is None:
        return True
    if condition.startswith('"'):
        return condition.encode("latin-1") == tag
    seconds = _seconds(condition)
    return seconds is not None and modified is not None and int(modified) == seconds


def _names(listed: str, tag: bytes) -> bool:
    # A comparison of If-None-Match is a weak one (RFC 9110 §13.1.2).
    names = [name.strip().removeprefix("W/") for name in listed.split(",")]
    return "*" in names or tag.decode("ascii") in names


def _seconds(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
