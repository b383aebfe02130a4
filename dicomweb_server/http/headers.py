"""Header fields and query parameters of a request, read straight from the ASGI scope: hot paths build no objects."""

from urllib.parse import parse_qsl

from starlette.types import Scope

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.wire.media_types import MediaRange, parse_accept

_MAX_PARAMETERS = 1000


def header(scope: Scope, name: bytes) -> str | None:
    """The first field of a (lower-case) name."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None


def joined_header(scope: Scope, name: bytes) -> str:
    """All fields of a name as one list, "" without any."""
    return ", ".join([str(value, "latin-1") for key, value in scope["headers"] if key == name])


def parameters(scope: Scope) -> list[tuple[str, str]]:
    """The query parameters, decoded, in the order of the request."""
    query = scope.get("query_string", b"")
    if not query:
        return []
    try:
        return parse_qsl(str(query, "latin-1"), keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        raise ServerError(Reason.BAD_REQUEST, f"more than {_MAX_PARAMETERS} query parameters") from None


def accept_text(scope: Scope) -> str:
    """What the client accepts: by the `accept` parameter if there is one (PS3.18 §8.3.3.1), else by Accept."""
    if b"accept=" in scope.get("query_string", b""):
        values = [value for name, value in parameters(scope) if name == "accept"]
        if values:
            return ", ".join(values)
    return joined_header(scope, b"accept")


def accepted(scope: Scope) -> tuple[MediaRange, ...]:
    """The same, parsed."""
    return parse_accept(accept_text(scope))
