"""Content-Disposition (RFC 6266): the name under which a client keeps what it was sent."""

from urllib.parse import quote

_LONGEST = 200


def attachment(filename: str) -> tuple[bytes, bytes]:
    """A header field; characters that are not ASCII come a second time in UTF-8."""
    plain = "".join(letter if letter.isprintable() and letter not in '"\\' else "_" for letter in filename)[:_LONGEST]
    value = f'attachment; filename="{plain.encode("ascii", "replace").decode().replace("?", "_")}"'
    if not plain.isascii():
        value += f"; filename*=UTF-8''{quote(plain)}"
    return b"content-disposition", value.encode("ascii")
