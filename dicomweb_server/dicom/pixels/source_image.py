"""SourceImage: what a lossy copy says of the image it was made of (PS3.3 §C.12.4, §C.7.6.16.2.6): how, and of which.

All values are in Explicit VR Little Endian, as compressed instances are.
"""

from collections.abc import Mapping

from dicomweb_server.dicom.explicit_items import code_item, element, item, sequence
from dicomweb_server.dicom.reencode import NewElement

SOURCE_IMAGES, DERIVATION_CODES = 0x00082112, 0x00089215
SHARED_GROUPS, PER_FRAME_GROUPS, DERIVATION_IMAGES, SOURCE_EVIDENCE = 0x52009229, 0x52009230, 0x00089124, 0x00089154
_STUDY_UID, _SERIES_UID, _SERIES, _INSTANCES = 0x0020000D, 0x0020000E, 0x00081115, 0x00081199
_CLASS_UID, _INSTANCE_UID, _PURPOSE = 0x00081150, 0x00081155, 0x0040A170


def derivation_codes() -> bytes:
    """The value of Derivation Code Sequence (PS3.16 CID 7203)."""
    return code_item("113040", "Lossy Compression")


def source_images(sop_class_uid: str, instance_uid: str, *, compressed: bool) -> bytes:
    """The value of Source Image Sequence; `compressed`: with losses, before (PS3.16 CID 7202)."""
    purpose = (
        code_item("121322", "Source image for image processing operation")
        if compressed
        else code_item("121320", "Uncompressed predecessor")
    )
    return item(_uid(_CLASS_UID, sop_class_uid) + _uid(_INSTANCE_UID, instance_uid) + sequence(_PURPOSE, purpose))


def derivation_image(told: Mapping[int, NewElement]) -> bytes:
    """The value of Derivation Image Sequence in a functional group, of the two sequences that it holds."""
    return item(b"".join(sequence(tag, b"".join(map(bytes, told[tag].pieces))) for tag in sorted(told)))


def source_evidence(study_uid: str, series_uid: str, sop_class_uid: str, instance_uid: str) -> bytes:
    """The value of Source Image Evidence Sequence: where the source of the functional groups can be found."""
    instance = _uid(_CLASS_UID, sop_class_uid) + _uid(_INSTANCE_UID, instance_uid)
    series = sequence(_INSTANCES, item(instance)) + _uid(_SERIES_UID, series_uid)
    return item(sequence(_SERIES, item(series)) + _uid(_STUDY_UID, study_uid))


def _uid(tag: int, uid: str) -> bytes:
    return element(tag, "UI", uid.encode("ascii", "replace"))
