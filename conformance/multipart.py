"""multipart/related as RFC 2046 and RFC 2387 say it, read strictly; independent of the server's own reader."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpx

BOUNDARY = re.compile(r"^[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]$")


@dataclass(frozen=True, slots=True)
class Part:
    """One body part. Names of header fields are in lower case."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """Media type without parameters, in lower case."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    def parameter(self, name: str) -> str | None:
        """A parameter of the part's Content-Type."""
        return parameter(self.headers.get("content-type", ""), name)


def parameter(content_type: str, name: str) -> str | None:
    """A parameter of a media type, unquoted."""
    found = re.search(rf';\s*{re.escape(name)}\s*=\s*(?:"([^"]*)"|([^;\s]+))', content_type, re.IGNORECASE)
    return None if found is None else found[1] if found[1] is not None else found[2]


def encode(parts: Iterable[tuple[str, bytes]], boundary: str = "conformance-boundary") -> bytes:
    """A body of parts given as (header lines without the last CRLF, bytes)."""
    delimiter = b"--" + boundary.encode()
    chunks = [delimiter + b"\r\n" + head.encode() + b"\r\n\r\n" + body + b"\r\n" for head, body in parts]
    return b"".join(chunks) + delimiter + b"--\r\n"


def decode(response: httpx.Response) -> list[Part]:
    """The parts of a response; AssertionError where it breaks the rules."""
    content_type = response.headers.get("content-type", "")
    assert content_type.lower().startswith("multipart/related"), f"{response.status_code} {content_type}"
    boundary = parameter(content_type, "boundary")
    assert boundary
    assert BOUNDARY.match(boundary), f"boundary {boundary!r}"
    return split(response.content, boundary)


def split(body: bytes, boundary: str) -> list[Part]:
    """Cut a body at its delimiters; every line end must be CRLF and the last delimiter must be there."""
    delimiter = b"\r\n--" + boundary.encode()
    pieces = (b"\r\n" + body).split(delimiter)
    assert len(pieces) >= 2, "no delimiter"
    assert pieces[-1].startswith(b"--"), "no closing delimiter"
    return [_part(piece) for piece in pieces[1:-1]]


def _part(piece: bytes) -> Part:
    padding, _, rest = piece.partition(b"\r\n")
    assert not padding.strip(b" \t"), f"after a delimiter: {padding[:40]!r}"
    if rest.startswith(b"\r\n"):
        return Part({}, rest[2:])
    head, found, content = rest.partition(b"\r\n\r\n")
    assert found, "the header of a part has no end"
    headers: dict[str, str] = {}
    for line in head.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        assert colon, f"header line {line!r}"
        headers[name.strip().lower()] = value.strip()
    return Part(headers, content)
