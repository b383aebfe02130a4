"""Whatever the JSON and the parts: an instance is composed that can be parsed, or the request is refused."""

import json
from typing import Any

from dicomweb_server.dicom.compose import BulkPart, compose
from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.errors import Reason, ServerError
from tests.streams import jp2, jpeg, jpeg_2000

SEPARATOR = b"\n--\n"
MEDIA_TYPES = (
    "application/octet-stream",
    "image/jpeg",
    "image/jp2",
    "image/jls",
    "image/dicom-rle",
    "video/mp4",
    "x/y",
)
# An instance composed of what has no study, or that is its own series, is refused only when it is stored.
NOT_OURS = (Reason.MISSING_UID, Reason.CANNOT_UNDERSTAND, Reason.UNSUPPORTED_SOP_CLASS)


def fuzz(data: bytes) -> None:
    """The JSON before the separator, a part of its pixel data after it."""
    text, _, part = data.partition(SEPARATOR)
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return
    media_type = MEDIA_TYPES[part[0] % len(MEDIA_TYPES)] if part else ""
    try:
        file = b"".join(compose(document, {"a": [BulkPart(media_type, part[1:])] * (len(part) % 3)}))
    except ServerError:
        return
    try:
        parse_instance(file)
    except ServerError as error:
        if error.reason not in NOT_OURS:
            raise


def seeds() -> list[bytes]:
    """Metadata with every kind of attribute, and parts of every kind."""
    document = {
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"]},
        "00080018": {"vr": "UI", "Value": ["1.2.3.4"]},
        "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
        "0020000E": {"vr": "UI", "Value": ["1.2.3.1"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "é"}, None]},
        "00081140": {"vr": "SQ", "Value": [{"00280030": {"vr": "DS", "Value": [1.5, "2"]}}, {}]},
        "00091001": {"vr": "OB", "InlineBinary": "AAE="},
        "00186020": {"vr": "FL", "Value": [1, "NaN"]},
        "7FE00010": {"vr": "OW", "BulkDataURI": "a"},
    }
    text = json.dumps(document).encode()
    streams = (b"1234", jpeg(0xC0), jp2(jpeg_2000()), jpeg(0xF7), b"\1\0\0\0@\0\0\0")
    return [text + SEPARATOR + bytes((number,)) + stream for number, stream in enumerate(streams)]
