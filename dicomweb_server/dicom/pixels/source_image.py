"""SourceImage: what a lossy copy says of the image it was made of (PS3.3 §C.12.4, §C.7.6.16.2.6): how, and of which.

All values are in Explicit VR Little Endian, as compressed instances are.
"""

from collections.abc import Mapping

from dicomweb_server.dicom.element_head import element_head, item_head
from dicomweb_server.dicom.reencode import NewElement
from dicomweb_server.dicom.value_field import padded

SOURCE_IMAGES, DERIVATION_CODES = 0x00082112, 0x00089215
SHARED_GROUPS, PER_FRAME_GROUPS, DERIVATION_IMAGES, SOURCE_EVIDENCE = 0x52009229, 0x52009230, 0x00089124, 0x00089154
_STUDY_UID, _SERIES_UID, _SERIES, _INSTANCES = 0x0020000D, 0x0020000E, 0x00081115, 0x00081199
_CLASS_UID, _INSTANCE_UID, _PURPOSE = 0x00081150, 0x00081155, 0x0040A170
_CODE, _SCHEME, _MEANING = 0x00080100, 0x00080102, 0x00080104


def derivation_codes() -> bytes:
    """The value of Derivation Code Sequence (PS3.16 CID 7203)."""
    return _coded("113040", "Lossy Compression")


def source_images(sop_class_uid: str, instance_uid: str, *, compressed: bool) -> bytes:
    """The value of Source Image Sequence; `compressed`: with losses, before (PS3.16 CID 7202)."""
    purpose = (
        _coded("121322", "Source image for image processing operation")
        if compressed
        else _coded("121320", "Uncompressed predecessor")
    )
    return _item(_uid(_CLASS_UID, sop_class_uid) + _uid(_INSTANCE_UID, instance_uid) + _sequence(_PURPOSE, purpose))


def derivation_image(told: Mapping[int, NewElement]) -> bytes:
    """The value of Derivation Image Sequence in a functional group, of the two sequences that it holds."""
    return _item(b"".join(_sequence(tag, b"".join(map(bytes, told[tag].pieces))) for tag in sorted(told)))


def source_evidence(study_uid: str, series_uid: str, sop_class_uid: str, instance_uid: str) -> bytes:
    """The value of Source Image Evidence Sequence: where the source of the functional groups can be found."""
    instance = _uid(_CLASS_UID, sop_class_uid) + _uid(_INSTANCE_UID, instance_uid)
    series = _sequence(_INSTANCES, _item(instance)) + _uid(_SERIES_UID, series_uid)
    return _item(_sequence(_SERIES, _item(series)) + _uid(_STUDY_UID, study_uid))


def _coded(code: str, meaning: str) -> bytes:
    return _item(
        _element(_CODE, "SH", code.encode("ascii"))
        + _element(_SCHEME, "SH", b"DCM")
        + _element(_MEANING, "LO", meaning.encode("ascii"))
    )


def _uid(tag: int, uid: str) -> bytes:
    return _element(tag, "UI", uid.encode("ascii", "replace"))


def _sequence(tag: int, value: bytes) -> bytes:
    return element_head(tag, "SQ", len(value)) + value


def _item(content: bytes) -> bytes:
    return item_head(len(content)) + content


def _element(tag: int, vr: str, raw: bytes) -> bytes:
    value = padded(raw, vr)
    return element_head(tag, vr, len(value)) + value
