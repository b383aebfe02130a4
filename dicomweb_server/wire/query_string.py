"""The query part of a URL → name/value pairs, within limits; knows nothing of what the names mean (RFC 3986 §3.4)."""

from urllib.parse import unquote_to_bytes

from dicomweb_server.errors import Reason, ServerError

MAX_LENGTH = 65_536  # bytes of the whole
MAX_PARAMETERS = 500
MAX_NAME_LENGTH = 512  # bytes, encoded


def parse_query_string(query: bytes) -> list[tuple[str, str]]:
    """The parameters in the order of the request, percent-decoded as UTF-8; `+` is a space; names keep their case."""
    if len(query) > MAX_LENGTH:
        raise _refusal(f"is longer than {MAX_LENGTH} bytes")
    parts = [part for part in query.split(b"&") if part]
    if len(parts) > MAX_PARAMETERS:
        raise _refusal(f"has more than {MAX_PARAMETERS} parameters")
    pairs = []
    for part in parts:
        name, _, value = part.partition(b"=")
        if len(name) > MAX_NAME_LENGTH:
            raise _refusal(f"has a parameter name of more than {MAX_NAME_LENGTH} bytes")
        pairs.append((_decoded(name), _decoded(value)))
    return pairs


def _decoded(text: bytes) -> str:
    if b"+" in text:
        text = text.replace(b"+", b" ")
    if b"%" in text:
        text = unquote_to_bytes(text)
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        raise _refusal("is not UTF-8, percent-encoded") from None
    if "\0" in decoded:
        raise _refusal("has a NUL character")
    return decoded


def _refusal(why: str) -> ServerError:
    return ServerError(Reason.BAD_REQUEST, f"the query string {why}")
