"""Content-Disposition (RFC 6266): the name under which a client keeps what it was sent."""

from urllib.parse import quote

from starlette.types import Scope

from dicomweb_server.rest.arguments import Arguments

_LONGEST = 200


def attachment(filename: str) -> tuple[bytes, bytes]:
    """A header field; characters that are not ASCII come a second time in UTF-8."""
    plain = "".join(letter if letter.isprintable() and letter not in '"\\' else "_" for letter in filename)[:_LONGEST]
    value = f'attachment; filename="{plain.encode("ascii", "replace").decode().replace("?", "_")}"'
    if not plain.isascii():
        value += f"; filename*=UTF-8''{quote(plain)}"
    return b"content-disposition", value.encode("ascii")


def disposition(scope: Scope, name: str) -> tuple[bytes, bytes]:
    """The name of a file that is shown as well as saved, or the one that the parameter `filename` gives."""
    if b"filename=" in scope.get("query_string", b""):
        name = Arguments(scope).text("filename", name)
    plain = "".join(c if " " <= c <= "~" and c not in '"\\/' else "_" for c in name[:_LONGEST])
    return b"content-disposition", f'filename="{plain}"'.encode("ascii")
