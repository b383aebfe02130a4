"""UIDs: the rule for them, the transfer syntaxes we can store, and who we say we are. Reads no elements."""

import re
import uuid
from dataclasses import dataclass
from functools import lru_cache

from dicomweb_server.dicom.encoding import DEFLATED_LITTLE, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding
from dicomweb_server.errors import Reason, ServerError

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_XL_RECOMPRESSION = "1.2.840.10008.1.2.4.111"  # of JPEG Baseline, which can be had back bit for bit
MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"

# Derived from a UUID (PS3.5 §B.2), so unique without registration; the names go into every file meta we write.
IMPLEMENTATION_CLASS_UID = "2.25.134723288604510436852089226615945674989"
IMPLEMENTATION_VERSION_NAME = "DICOMWEB_SERVER"

# Digits and dots, as PS3.5 §9.1 says, but lenient where real UIDs break its rules harmlessly: leading zeros in a
# component. Nothing that a path, a URL or a query could misread.
_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*", re.ASCII)
MAX_UID_LENGTH = 64


def is_valid_uid(uid: str) -> bool:
    """Whether a UID has at most 64 digits and dots, no empty component (PS3.5 §9.1)."""
    return len(uid) <= MAX_UID_LENGTH and _is_well_formed(uid)


@lru_cache(1024)  # those of SOP classes, studies and series come again and again
def _is_well_formed(uid: str) -> bool:
    return _UID.fullmatch(uid) is not None


def uid_from(raw: bytes) -> str:
    """The text of an encoded UID without its padding, NUL or (wrong, but frequent) spaces."""
    return raw.strip(b" \0").decode("ascii", "replace")


def require_uid(uid: str, keyword: str) -> str:
    """The UID itself; ServerError(MISSING_UID) naming the attribute if it is missing or ill-formed."""
    if is_valid_uid(uid):
        return uid
    problem = "is ill-formed: expected at most 64 digits and dots" if uid else "is missing or empty"
    raise ServerError(Reason.MISSING_UID, f"{keyword} {problem}")


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """One transfer syntax (PS3.5 §10). `media_type`: of its frames (PS3.18 table 8.7.3-5)."""

    uid: str
    name: str
    encoding: Encoding
    encapsulated: bool
    media_type: str


_OCTETS = "application/octet-stream"

_NATIVE = (
    (IMPLICIT_VR_LITTLE_ENDIAN, "Implicit VR Little Endian", IMPLICIT_LITTLE),
    (EXPLICIT_VR_LITTLE_ENDIAN, "Explicit VR Little Endian", EXPLICIT_LITTLE),
    (DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, "Deflated Explicit VR Little Endian", DEFLATED_LITTLE),
    (EXPLICIT_VR_BIG_ENDIAN, "Explicit VR Big Endian", EXPLICIT_BIG),
    ("1.2.840.10008.1.2.4.94", "JPIP Referenced", EXPLICIT_LITTLE),
    ("1.2.840.10008.1.2.4.95", "JPIP Referenced Deflate", DEFLATED_LITTLE),
    ("1.2.840.10008.1.2.4.204", "JPIP HTJ2K Referenced", EXPLICIT_LITTLE),
    ("1.2.840.10008.1.2.4.205", "JPIP HTJ2K Referenced Deflate", DEFLATED_LITTLE),
)

# The last components below 1.2.840.10008.1.2, the media type of the frames, the name.
_ENCAPSULATED = (
    ("1.98", _OCTETS, "Encapsulated Uncompressed Explicit VR Little Endian"),
    ("4.50", "image/jpeg", "JPEG Baseline (Process 1)"),
    ("4.51", "image/jpeg", "JPEG Extended (Process 2 and 4)"),
    ("4.52", "image/jpeg", "JPEG Extended (Process 3 and 5)"),
    ("4.53", "image/jpeg", "JPEG Spectral Selection, Non-Hierarchical (Process 6 and 8)"),
    ("4.54", "image/jpeg", "JPEG Spectral Selection, Non-Hierarchical (Process 7 and 9)"),
    ("4.55", "image/jpeg", "JPEG Full Progression, Non-Hierarchical (Process 10 and 12)"),
    ("4.56", "image/jpeg", "JPEG Full Progression, Non-Hierarchical (Process 11 and 13)"),
    ("4.57", "image/jpeg", "JPEG Lossless, Non-Hierarchical (Process 14)"),
    ("4.58", "image/jpeg", "JPEG Lossless, Non-Hierarchical (Process 15)"),
    ("4.59", "image/jpeg", "JPEG Extended, Hierarchical (Process 16 and 18)"),
    ("4.60", "image/jpeg", "JPEG Extended, Hierarchical (Process 17 and 19)"),
    ("4.61", "image/jpeg", "JPEG Spectral Selection, Hierarchical (Process 20 and 22)"),
    ("4.62", "image/jpeg", "JPEG Spectral Selection, Hierarchical (Process 21 and 23)"),
    ("4.63", "image/jpeg", "JPEG Full Progression, Hierarchical (Process 24 and 26)"),
    ("4.64", "image/jpeg", "JPEG Full Progression, Hierarchical (Process 25 and 27)"),
    ("4.65", "image/jpeg", "JPEG Lossless, Hierarchical (Process 28)"),
    ("4.66", "image/jpeg", "JPEG Lossless, Hierarchical (Process 29)"),
    ("4.70", "image/jpeg", "JPEG Lossless, Non-Hierarchical, First-Order Prediction"),
    ("4.80", "image/jls", "JPEG-LS Lossless"),
    ("4.81", "image/jls", "JPEG-LS Lossy (Near-Lossless)"),
    ("4.90", "image/jp2", "JPEG 2000 (Lossless Only)"),
    ("4.91", "image/jp2", "JPEG 2000"),
    ("4.92", "image/jpx", "JPEG 2000 Part 2 Multi-component (Lossless Only)"),
    ("4.93", "image/jpx", "JPEG 2000 Part 2 Multi-component"),
    ("4.100", "video/mpeg", "MPEG2 Main Profile / Main Level"),
    ("4.100.1", "video/mpeg", "Fragmentable MPEG2 Main Profile / Main Level"),
    ("4.101", "video/mpeg", "MPEG2 Main Profile / High Level"),
    ("4.101.1", "video/mpeg", "Fragmentable MPEG2 Main Profile / High Level"),
    ("4.102", "video/mp4", "MPEG-4 AVC/H.264 High Profile / Level 4.1"),
    ("4.102.1", "video/mp4", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1"),
    ("4.103", "video/mp4", "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1"),
    ("4.103.1", "video/mp4", "Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1"),
    ("4.104", "video/mp4", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video"),
    ("4.104.1", "video/mp4", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video"),
    ("4.105", "video/mp4", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video"),
    ("4.105.1", "video/mp4", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video"),
    ("4.106", "video/mp4", "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2"),
    ("4.106.1", "video/mp4", "Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2"),
    ("4.107", "video/H265", "HEVC/H.265 Main Profile / Level 5.1"),
    ("4.108", "video/H265", "HEVC/H.265 Main 10 Profile / Level 5.1"),
    ("4.110", "image/jxl", "JPEG XL Lossless"),
    ("4.111", "image/jxl", "JPEG XL JPEG Recompression"),
    ("4.112", "image/jxl", "JPEG XL"),
    ("4.201", "image/jphc", "High-Throughput JPEG 2000 (Lossless Only)"),
    ("4.202", "image/jphc", "High-Throughput JPEG 2000 with RPCL Options (Lossless Only)"),
    ("4.203", "image/jphc", "High-Throughput JPEG 2000"),
    ("5", "image/dicom-rle", "RLE Lossless"),
    ("8.1", "application/x-deflate", "Deflated Image Frame Compression"),
)

TRANSFER_SYNTAXES: dict[str, TransferSyntax] = {
    uid: TransferSyntax(uid, name, encoding, encapsulated=False, media_type=_OCTETS) for uid, name, encoding in _NATIVE
} | {
    uid: TransferSyntax(uid, name, EXPLICIT_LITTLE, encapsulated=True, media_type=media_type)
    for uid, media_type, name in ((f"1.2.840.10008.1.2.{last}", media, name) for last, media, name in _ENCAPSULATED)
}


def transfer_syntax(uid: str) -> TransferSyntax:
    """The transfer syntax of a UID; ServerError(UNSUPPORTED_TRANSFER_SYNTAX) if it is none that can be stored."""
    try:
        return TRANSFER_SYNTAXES[uid]
    except KeyError:
        named = f"transfer syntax {uid}" if is_valid_uid(uid) else "an ill-formed transfer syntax UID"
        raise ServerError(Reason.UNSUPPORTED_TRANSFER_SYNTAX, f"{named} is not one that this server knows") from None


def new_uid() -> str:
    """A UID that nobody else has (PS3.5 §B.2)."""
    return f"2.25.{uuid.uuid4().int}"
