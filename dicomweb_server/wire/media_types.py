"""Media types, Accept, and which of the representations that a resource offers is sent (PS3.18 §8.7, RFC 9110 §12)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from dicomweb_server.errors import Reason, ServerError

DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
DICOM_XML = "application/dicom+xml"
JSON = "application/json"
OCTET_STREAM = "application/octet-stream"
ZIP = "application/zip"
RELATED = "multipart/related"
ANY = "*/*"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"

MAX_ACCEPT_LENGTH = 8192
MAX_RANGES = 64

# Names that older clients use for what PS3.18 calls otherwise today.
ALIASES: Mapping[str, str] = {
    JSON: DICOM_JSON,
    "text/json": DICOM_JSON,
    "application/xml": DICOM_XML,
    "text/xml": DICOM_XML,
    "image/dicom+jpeg": "image/jpeg",
    "image/dicom+jls": "image/jls",
    "image/x-jls": "image/jls",
    "image/dicom+jp2": "image/jp2",
    "image/dicom+jpx": "image/jpx",
    "image/dicom+rle": "image/dicom-rle",
    "image/x-dicom-rle": "image/dicom-rle",
    "image/dicom+j2k": "image/jp2",
    "video/dicom+mpeg": "video/mpeg",
    "application/dicom+octet-stream": OCTET_STREAM,
}

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a grammar rule of RFC 9110, not a secret
_TYPE = re.compile(rf"[ \t]*({_TOKEN})(?:/({_TOKEN}))?[ \t]*")
# RFC 9110 wants quotes around a value with a slash; clients forget them for `type`, so a slash is let pass.
_PARAMETER = re.compile(rf';[ \t]*(?:({_TOKEN})=("(?:[^"\\]|\\.)*"|[^\s";,]*)[ \t]*)?', re.DOTALL)
_QUALITY = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?|\.[0-9]{1,3})\Z")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class MediaType:
    """`name` is "type/subtype" in lower case; so are the names of the parameters."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One alternative of an Accept. `part`: the type inside of multipart/related, "" without one.

    `transfer_syntax`: None where none was named.
    """

    name: str
    part: str = ""
    transfer_syntax: str | None = None
    quality: float = 1.0


@dataclass(frozen=True, slots=True)
class Offer:
    """One representation of a resource: `media_type`, alone or as the parts of a multipart/related body.

    `transfer_syntax`: its encoding if the media type has one. `stored`: it is the stored encoding, which
    `transfer-syntax=*` asks for; a request for octet-stream with `*` or with its transfer syntax fits as well, whatever
    its own media type is (viewers ask so for frames "as they are").
    """

    media_type: str
    multipart: bool = False
    transfer_syntax: str | None = None
    stored: bool = False

    def content_type(self, boundary: str = "") -> str:
        """The value of Content-Type."""
        if self.multipart:
            return f'{RELATED}; type="{self.media_type}"; boundary={boundary}'
        return self.part_type()

    def part_type(self) -> str:
        """The value of Content-Type of one of its parts."""
        if self.transfer_syntax is None:
            return self.media_type
        return f"{self.media_type}; transfer-syntax={self.transfer_syntax}"

    def described(self) -> str:
        """How a client asks for it, for explanations."""
        syntax = f"; transfer-syntax={self.transfer_syntax}" if self.transfer_syntax else ""
        return f'{RELATED}; type="{self.media_type}"{syntax}' if self.multipart else f"{self.media_type}{syntax}"


def parse_media_type(text: str) -> MediaType:
    """A Content-Type; ServerError(BAD_REQUEST) if it is malformed."""
    media_type, end = _media_type(text, 0, "Content-Type")
    if end != len(text):
        raise _malformed("Content-Type", text)
    return media_type


@lru_cache(maxsize=1024)
def parse_accept(text: str) -> tuple[MediaRange, ...]:
    """The alternatives of an Accept in their order; ServerError(BAD_REQUEST) if it is malformed; `*/*` if empty."""
    if len(text) > MAX_ACCEPT_LENGTH:
        raise ServerError(Reason.BAD_REQUEST, f"Accept: longer than {MAX_ACCEPT_LENGTH} characters")
    ranges: list[MediaRange] = []
    position = 0
    while position < len(text):
        if text[position] in ", \t":
            position += 1
            continue
        media_type, position = _media_type(text, position, "Accept")
        if position < len(text) and text[position] != ",":
            raise _malformed("Accept", text)
        ranges.append(_range(media_type, text))
        if len(ranges) > MAX_RANGES:
            raise ServerError(Reason.BAD_REQUEST, f"Accept: more than {MAX_RANGES} media types")
    return tuple(ranges) or (MediaRange(ANY),)


def choose(ranges: Sequence[MediaRange], offers: Sequence[Offer]) -> Offer:
    """The best of the offers, which come in the server's order of preference; ServerError(NOT_ACCEPTABLE) if none fits.

    The most specific range that fits an offer gives its quality (RFC 9110 §12.5.1); then the highest quality wins,
    then the more specific range, then what is stored if it is named, then the server's preference.
    """
    best = (0.0, 0, False)
    chosen: Offer | None = None
    for offer in offers:
        rank = _rank(ranges, offer)
        if rank[0] > 0 and (chosen is None or rank > best):
            best, chosen = rank, offer
    if chosen is None:
        offered = ", ".join(dict.fromkeys(offer.described() for offer in offers))
        raise ServerError(Reason.NOT_ACCEPTABLE, f"none of what Accept allows can be made; offered are: {offered}")
    return chosen


def _rank(ranges: Sequence[MediaRange], offer: Offer) -> tuple[float, int, bool]:
    """(quality, specificity, stored and named) of the range that speaks for this offer; quality 0 where none does."""
    quality, specificity = 0.0, -1
    for accepted in ranges:
        fits = _fit(accepted, offer)
        if fits > specificity:
            quality, specificity = accepted.quality, fits
    return quality, specificity, offer.stored and specificity % 2 == 1


def _fit(accepted: MediaRange, offer: Offer) -> int:
    """How specifically a range names an offer, -1 if it does not."""
    if accepted.name == ANY:
        inner = 0
    elif offer.multipart:
        if accepted.name == "multipart/*":
            return 2
        if accepted.name != RELATED:
            return -1
        inner = _fit_name(accepted.part or ANY, offer, accepted.transfer_syntax)
        # multipart/related without a type is as specific as image/*; with one, as that type alone.
        inner = max(inner, 1) if inner >= 0 else -1
    else:
        inner = _fit_name(accepted.name, offer, accepted.transfer_syntax)
    if inner < 0 or not _fits_syntax(accepted.transfer_syntax, offer):
        return -1
    return inner * 2 + (accepted.transfer_syntax not in (None, "*"))


def _fit_name(name: str, offer: Offer, transfer_syntax: str | None) -> int:
    if offer.media_type in (name, ALIASES.get(name)):
        return 2
    if name == OCTET_STREAM and offer.stored and transfer_syntax is not None:
        return 2
    if name == ANY:
        return 0
    if name.endswith("/*") and offer.media_type.startswith(name[:-1]):
        return 1
    return -1


def _fits_syntax(transfer_syntax: str | None, offer: Offer) -> bool:
    if transfer_syntax is None or offer.transfer_syntax is None:
        return True
    return offer.stored if transfer_syntax == "*" else transfer_syntax == offer.transfer_syntax


def _range(media_type: MediaType, text: str) -> MediaRange:
    quality = media_type.parameters.get("q", "1")
    if not _QUALITY.match(quality):
        raise _malformed("Accept", text)
    part = media_type.parameters.get("type", "").strip().lower()
    if part and not _TYPE.fullmatch(part):
        raise _malformed("Accept", text)
    return MediaRange(media_type.name, part, media_type.parameters.get("transfer-syntax"), float(quality))


def _media_type(text: str, start: int, header: str) -> tuple[MediaType, int]:
    """The media type that begins at `start`, and where it ends."""
    found = _TYPE.match(text, start)
    if not found or (found[1] == "*") > (found[2] in ("*", None)):
        raise _malformed(header, text)
    # A lone asterisk is what some HTTP libraries send instead of */*.
    name, position = (ANY if found[1] == "*" else f"{found[1]}/{found[2]}".lower()), found.end()
    if found[2] is None and found[1] != "*":
        raise _malformed(header, text)
    parameters: dict[str, str] = {}
    while position < len(text) and text[position] == ";":
        part = _PARAMETER.match(text, position)
        assert part is not None  # all after the semicolon is optional
        position = part.end()
        if part[1]:
            parameters.setdefault(part[1].lower(), _unquoted(part[2]))
    return MediaType(name, parameters), position


def _unquoted(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value


def _malformed(header: str, text: str) -> ServerError:
    shown = text if len(text) <= 200 else text[:200] + "…"
    return ServerError(Reason.BAD_REQUEST, f"{header}: malformed media type in {shown!r}")
