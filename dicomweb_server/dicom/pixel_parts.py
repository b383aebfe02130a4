"""Pixel parts: compressed frames received apart from their metadata (PS3.18 §10.5), to encapsulated pixel data.

Says which transfer syntax they are in and what they tell of the image. Decodes no pixels.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dicomweb_server.dicom.codestream import Codestream, read_codestream
from dicomweb_server.dicom.element_head import SEQUENCE_DELIMITER, item_head
from dicomweb_server.dicom.encoding import UNDEFINED
from dicomweb_server.dicom.uids import TRANSFER_SYNTAXES
from dicomweb_server.errors import Reason, ServerError

OCTETS = "application/octet-stream"

_PREFIX = "1.2.840.10008.1.2."
# PS3.18 table 8.7.3-5: what a media type means if neither it nor the bytes say more.
_DEFAULT_SYNTAXES = {
    "image/dicom-rle": _PREFIX + "5",
    "image/jxl": _PREFIX + "4.112",
    "image/jpx": _PREFIX + "4.93",
    "video/mpeg": _PREFIX + "4.101",
    "video/mp4": _PREFIX + "4.102",
    "video/h265": _PREFIX + "4.107",
}
_RECOGNIZED = frozenset({"image/jpeg", "image/jls", "image/jp2", "image/jphc"})
# What a transfer syntax that the bytes speak of may be called as well, being a special case of it.
_WIDER = {
    _PREFIX + "4.50": {_PREFIX + "4.51"},
    _PREFIX + "4.70": {_PREFIX + "4.57"},
    _PREFIX + "4.80": {_PREFIX + "4.81"},
    _PREFIX + "4.90": {_PREFIX + "4.91"},
    _PREFIX + "4.201": {_PREFIX + "4.202", _PREFIX + "4.203"},
}


@dataclass(frozen=True, slots=True)
class BulkPart:
    """One part of bulk data as it was received: its media type in lower case, without parameters, and its bytes."""

    media_type: str
    data: bytes | memoryview
    transfer_syntax_uid: str = ""


@dataclass(frozen=True, slots=True)
class EncapsulatedPixels:
    """The value of encapsulated pixel data in pieces, its delimiter included, and attributes that the frames imply."""

    transfer_syntax_uid: str
    pieces: Sequence[bytes | memoryview]
    described: dict[str, Any]


def encapsulate_parts(parts: Sequence[BulkPart], named_syntax: str, frames: int | None) -> EncapsulatedPixels:
    """The encapsulated pixel data of one part a frame, or of one video. ServerError if the parts contradict themselves.

    `named_syntax`: what the metadata call it, "" if nothing. `frames`: how many they say there are, None if nothing.
    """
    media_type = parts[0].media_type
    if any(part.media_type != media_type for part in parts):
        raise _contradiction("the parts of the pixel data are of several media types")
    is_video = media_type.startswith("video/")
    expected = 1 if is_video or frames is None else frames
    if len(parts) != expected and (is_video or frames is not None):
        raise _contradiction(f"the pixel data came in {len(parts)} parts, expected {expected}")
    first = read_codestream(parts[0].data) if media_type in _RECOGNIZED else None
    if first is None and media_type in _RECOGNIZED:
        raise _contradiction(f"a part of type {media_type} is no image of that type")
    named = parts[0].transfer_syntax_uid or named_syntax
    syntax = _transfer_syntax(media_type, named, first)
    described = _describe(first) if first else {}
    if len(parts) > 1:
        described["00280008"] = {"vr": "IS", "Value": [len(parts)]}
    return EncapsulatedPixels(syntax, _fragments(parts), described)


def _contradiction(problem: str) -> ServerError:
    return ServerError(Reason.CANNOT_UNDERSTAND, problem)


def _transfer_syntax(media_type: str, named: str, first: Codestream | None) -> str:
    known = {uid for uid, syntax in TRANSFER_SYNTAXES.items() if syntax.media_type.lower() == media_type}
    if not known:
        raise ServerError(Reason.UNSUPPORTED_MEDIA_TYPE, f"pixel data of type {media_type[:64]} cannot be stored")
    if first is None:
        return named if named in known else _DEFAULT_SYNTAXES[media_type]
    found = first.transfer_syntax_uid
    if not found:
        raise ServerError(Reason.UNSUPPORTED_TRANSFER_SYNTAX, "no transfer syntax has this process of JPEG")
    if found not in known:
        raise _contradiction(f"a part of type {media_type} holds {TRANSFER_SYNTAXES[found].name}")
    return named if named in _WIDER.get(found, ()) else found


def _fragments(parts: Sequence[BulkPart]) -> list[bytes | memoryview]:
    """A Basic Offset Table, empty where 32 bits do not suffice, one fragment a part, and the delimiter (PS3.5 §A.4)."""
    offsets = [0]
    for part in parts:
        length = len(part.data)
        if length >= UNDEFINED - 1:
            raise ServerError(Reason.TOO_LARGE, "a part of the pixel data has 4 GiB or more")
        offsets.append(offsets[-1] + 8 + length + length % 2)
    table = struct.pack(f"<{len(parts)}I", *offsets[:-1]) if offsets[-2] <= UNDEFINED else b""
    pieces: list[bytes | memoryview] = [item_head(len(table)) + table]
    for part in parts:
        length = len(part.data)
        pieces += (item_head(length + length % 2), part.data)
        if length % 2:
            pieces.append(b"\0")
    return [*pieces, SEQUENCE_DELIMITER]


def _describe(first: Codestream) -> dict[str, Any]:
    """The attributes of the Image Pixel Description macro that a compressed frame implies (PS3.3 table C.7-11c)."""
    allocated = 8 if first.bits <= 8 else 16 if first.bits <= 16 else 32
    numbers = {
        "00280002": first.samples,
        "00280010": first.rows,
        "00280011": first.columns,
        "00280100": allocated,
        "00280101": first.bits,
        "00280102": first.bits - 1,
        "00280103": int(first.is_signed),
    }
    if first.samples > 1:
        numbers["00280006"] = 0
    if not all(0 <= number <= 0xFFFF for number in numbers.values()):
        return {}  # a damaged header, or an image that DICOM cannot describe: let the metadata speak
    described: dict[str, Any] = {tag: {"vr": "US", "Value": [number]} for tag, number in numbers.items()}
    if first.photometric_interpretation:
        described["00280004"] = {"vr": "CS", "Value": [first.photometric_interpretation]}
    if first.lossy:
        described["00282110"] = {"vr": "CS", "Value": ["01"]}
    return described
