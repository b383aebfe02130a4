"""Content: an image or a document in a data URI (RFC 2397), as what it adds to an instance that is made of it."""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from dicomweb_server.dicom.arrays import Image, np
from dicomweb_server.dicom.compose import BulkPart
from dicomweb_server.errors import Reason, ServerError

_URI = re.compile(r"data:([^;,]{0,100})((?:;[^;,]{0,100}){0,8});base64,", re.ASCII | re.IGNORECASE)
_MOST_PIXELS, _LONGEST_SIDE = 1 << 28, 0xFFFF
_OCTETS, _LOCATION = "application/octet-stream", "content"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_ENCAPSULATED = "1.2.840.10008.5.1.4.1.1.104."
_PIXEL_DATA, _DOCUMENT = "7FE00010", "00420011"
_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/jpg": "JPEG"}
_SIXTEEN_BITS = frozenset({"I;16", "I;16L", "I;16B"})
# SOP class and modality of encapsulated documents, by media type.
_DOCUMENTS = {
    "application/pdf": ("1", "OT"),
    "text/xml": ("2", "OT"),
    "model/stl": ("3", "M3D"),
    "model/obj": ("4", "M3D"),
    "model/mtl": ("5", "M3D"),
}
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError, KeyError, TypeError)


@dataclass(frozen=True, slots=True)
class Content:
    """Attributes that say what it is, and its bytes under the BulkDataURI that one of them names."""

    attributes: Mapping[str, Any]
    bulk: Mapping[str, tuple[BulkPart, ...]]


EMPTY = Content(
    {"00080016": {"vr": "UI", "Value": [_SECONDARY_CAPTURE]}, "00080060": {"vr": "CS", "Value": ["OT"]}}, {}
)
"""Of an instance that is made of tags only."""


def content_of(uri: str, *, encapsulate: bool) -> Content:
    """What a data URI holds. `encapsulate`: a JPEG stays compressed. ServerError(BAD_REQUEST) for others."""
    found = _URI.match(uri)
    if found is None:
        raise _wrong("expected a data URI in base64, such as data:image/png;base64,…")
    try:
        data = a2b_base64(uri[found.end() :].encode("ascii"), strict_mode=True)
    except (Base64Error, UnicodeEncodeError):
        raise _wrong("the data URI is not base64") from None
    media_type = found[1].lower()
    if media_type in _DOCUMENTS:
        return _document(media_type, data)
    if media_type not in _FORMATS:
        known = ", ".join([*_FORMATS, *_DOCUMENTS])
        raise _wrong(f"the media type is not one of those that can be embedded: {known}")
    if encapsulate and _FORMATS[media_type] == "JPEG":
        return _compressed(data)
    return _pixels(data, _FORMATS[media_type])


def _document(media_type: str, data: bytes) -> Content:
    last, modality = _DOCUMENTS[media_type]
    if media_type == "application/pdf" and not data.startswith(b"%PDF-"):
        raise _wrong("this is no PDF")
    attributes = _described(_ENCAPSULATED + last, modality) | {
        "0008002A": {"vr": "DT"},
        "00080070": {"vr": "LO"},
        "00280301": {"vr": "CS", "Value": ["YES"]},
        "00420010": {"vr": "ST"},
        "0040A043": {"vr": "SQ"},
        _DOCUMENT: {"vr": "OB", "BulkDataURI": _LOCATION},
    }
    return Content(attributes, {_LOCATION: (BulkPart(media_type, data),)})


def _compressed(data: bytes) -> Content:
    _opened(data, "JPEG")
    attributes = _described(_SECONDARY_CAPTURE, "OT") | {_PIXEL_DATA: {"vr": "OB", "BulkDataURI": _LOCATION}}
    return Content(attributes, {_LOCATION: (BulkPart("image/jpeg", data),)})


def _pixels(data: bytes, form: str) -> Content:
    image = _opened(data, form)
    try:
        samples = _samples(image)
    except _BROKEN:
        raise _wrong("the image cannot be decoded") from None
    is_color, bits = samples.ndim == 3, samples.dtype.itemsize * 8
    numbers = {
        "00280002": 3 if is_color else 1,
        **({"00280006": 0} if is_color else {}),
        "00280010": samples.shape[0],
        "00280011": samples.shape[1],
        "00280100": bits,
        "00280101": bits,
        "00280102": bits - 1,
        "00280103": 0,
    }
    attributes = _described(_SECONDARY_CAPTURE, "OT")
    attributes |= {tag: {"vr": "US", "Value": [number]} for tag, number in numbers.items()}
    attributes["00280004"] = {"vr": "CS", "Value": ["RGB" if is_color else "MONOCHROME2"]}
    if form == "JPEG":
        attributes["00282110"] = {"vr": "CS", "Value": ["01"]}
    attributes[_PIXEL_DATA] = {"vr": "OW" if bits > 8 else "OB", "BulkDataURI": _LOCATION}
    return Content(attributes, {_LOCATION: (BulkPart(_OCTETS, samples.tobytes()),)})


def _described(sop_class_uid: str, modality: str) -> dict[str, Any]:
    return {
        "00080016": {"vr": "UI", "Value": [sop_class_uid]},
        "00080060": {"vr": "CS", "Value": [modality]},
        "00080064": {"vr": "CS", "Value": ["WSD"]},  # Conversion Type: it was made on a workstation
    }


def _opened(data: bytes, form: str) -> Image.Image:
    """The image, of which only the head was read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(BytesIO(data), formats=[form])
    except (*_BROKEN, Image.DecompressionBombError):
        raise _wrong(f"this is no {form} image") from None
    if max(image.size) > _LONGEST_SIDE or image.width * image.height > _MOST_PIXELS:
        raise ServerError(Reason.TOO_LARGE, "Content: the image has more pixels than can be embedded")
    return image


def _samples(image: Image.Image) -> np.ndarray[Any, np.dtype[Any]]:
    if image.mode in _SIXTEEN_BITS or image.mode == "I":
        return np.asarray(image).astype("<u2")
    if image.mode in ("1", "L", "LA"):
        return np.asarray(image.convert("L"))
    return np.asarray(image.convert("RGB"))


def _wrong(problem: str) -> ServerError:
    return ServerError(Reason.BAD_REQUEST, f"Content: {problem}")
