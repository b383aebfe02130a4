"""Offers: the representations of instances and frames by the transfer syntax they are stored in (PS3.18 §8.7.3)."""

from functools import lru_cache

from dicomweb_server.dicom.pixels.encode import can_encode
from dicomweb_server.dicom.uids import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    JPEG_BASELINE,
    JPEG_XL_RECOMPRESSION,
    TRANSFER_SYNTAXES,
    TransferSyntax,
    transfer_syntax,
)
from dicomweb_server.wire.media_types import DICOM, OCTET_STREAM, ZIP, Offer, choose, parse_accept

_PREFIX = "1.2.840.10008.1.2."
# Never named in a representation of a web service (PS3.18 §8.7.3.5.2); sent only as `transfer-syntax=*` wants it.
_UNNAMED = frozenset({IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN})
# Decompressing these loses nothing; whatever may have lost something is, without a wish, sent as it is.
_LOSSLESS = frozenset(
    _PREFIX + last
    for last in ("1.98", "4.57", "4.58", "4.65", "4.66", "4.70", "4.80", "4.90", "4.92", "4.110", "4.201", "4.202")
) | {_PREFIX + "5", _PREFIX + "8.1"}
# Those that can be made, in the order in which a media type without transfer syntax gets them: the default of
# PS3.18 table 8.7.3-5 first.
MADE = tuple(
    _PREFIX + last
    for last in (
        "4.70", "4.80", "4.90", "4.201", "4.110", "5",
        "4.50", "4.51", "4.57", "4.81", "4.91", "4.202", "4.203", "4.112",
    )
)  # fmt: skip
# JPEG and what it is recompressed in: each is made of the other one alone, bit for bit, so it comes before all others.
_RECOMPRESSED = {JPEG_BASELINE: JPEG_XL_RECOMPRESSION, JPEG_XL_RECOMPRESSION: JPEG_BASELINE}
_ALSO_AS_FILES = (_PREFIX + "8.1", _PREFIX + "1.98", DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
assert all(can_encode(uid) for uid in (*MADE, *_ALSO_AS_FILES))


def is_decodable(syntax: TransferSyntax) -> bool:
    """Whether frames of a transfer syntax can be brought into another one."""
    return not syntax.media_type.startswith("video/") and "JPIP" not in syntax.name


@lru_cache(maxsize=4096)
def chosen_instance_offer(accept: str, transfer_syntax_uid: str, *, alone: bool) -> Offer:
    """The representation of an instance that is stored in a transfer syntax; `alone`: of one that may come so."""
    return choose(parse_accept(accept), instance_offers(transfer_syntax_uid, alone=alone))


@lru_cache(maxsize=512)
def instance_offers(transfer_syntax_uid: str, *, alone: bool) -> tuple[Offer, ...]:
    """The representations of an instance (PS3.18 table 8.7.3-2), in our order of preference.

    Without a transfer syntax that is Explicit VR Little Endian, or what is stored if that lost something: then nothing
    else is to be had (PS3.18 §8.7.3).
    """
    syntax = transfer_syntax(transfer_syntax_uid)
    stored = ("*" if transfer_syntax_uid in _UNNAMED else transfer_syntax_uid, True)
    explicit = (EXPLICIT_VR_LITTLE_ENDIAN, False)
    if transfer_syntax_uid == EXPLICIT_VR_LITTLE_ENDIAN or not is_decodable(syntax):
        syntaxes = [stored]
    elif syntax.encapsulated and transfer_syntax_uid not in _LOSSLESS:
        syntaxes = [stored, explicit]
    else:
        syntaxes = [explicit, stored]
    if is_decodable(syntax):
        syntaxes += [(uid, False) for uid in (*_made(transfer_syntax_uid), *_ALSO_AS_FILES)]
    forms = ((DICOM, True), (DICOM, False), (ZIP, False)) if alone else ((DICOM, True), (ZIP, False))
    return tuple(
        Offer(media_type, multipart=multipart, transfer_syntax=uid, stored=is_stored)
        for media_type, multipart in forms
        for uid, is_stored in syntaxes
    )


def _made(transfer_syntax_uid: str) -> list[str]:
    """What can be made of a transfer syntax, in our order of preference."""
    other = _RECOMPRESSED.get(transfer_syntax_uid)
    made = [uid for uid in MADE if uid not in (transfer_syntax_uid, other)]
    return [other, *made] if other else made


@lru_cache(maxsize=4096)
def chosen_frame_offer(accept: str, transfer_syntax_uid: str, *, alone: bool) -> Offer:
    """The representation of frames that are stored in a transfer syntax; `alone`: of one frame."""
    return choose(parse_accept(accept), frame_offers(transfer_syntax_uid, alone=alone))


@lru_cache(maxsize=512)
def frame_offers(transfer_syntax_uid: str, *, alone: bool) -> tuple[Offer, ...]:
    """The representations of frames (PS3.18 tables 8.7.3-4 and 8.7.3-5), in our order of preference.

    Without a media type that is octet-stream, or what is stored if that lost something. A video may be asked for as
    octet-stream too, beyond the tables: so OHIF fetches it, and nobody else could mean anything by that.
    """
    syntax = transfer_syntax(transfer_syntax_uid)
    octets = (OCTET_STREAM, EXPLICIT_VR_LITTLE_ENDIAN, False)
    if syntax.media_type == OCTET_STREAM:  # encapsulated uncompressed pixels are served like native ones
        kinds = [(OCTET_STREAM, EXPLICIT_VR_LITTLE_ENDIAN, True)]
    else:
        kinds = [(syntax.media_type, transfer_syntax_uid, True)]
        if is_decodable(syntax):
            kinds.insert(0 if transfer_syntax_uid in _LOSSLESS else 1, octets)
        elif syntax.media_type.startswith("video/"):
            kinds.append((OCTET_STREAM, transfer_syntax_uid, True))
    if is_decodable(syntax):
        kinds += [(TRANSFER_SYNTAXES[uid].media_type, uid, False) for uid in _made(transfer_syntax_uid)]
    return tuple(
        Offer(media_type, multipart=multipart, transfer_syntax=uid, stored=is_stored)
        for multipart in ((True, False) if alone else (True,))
        for media_type, uid, is_stored in kinds
    )
