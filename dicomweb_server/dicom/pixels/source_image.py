"""SourceImage: what a lossy copy says of the image it was made of (PS3.3 §C.12.4): how, and of which instance."""

from dicomweb_server.dicom.element_head import element_head, item_head
from dicomweb_server.dicom.value_field import padded

SOURCE_IMAGES, DERIVATION_CODES = 0x00082112, 0x00089215
_CLASS_UID, _INSTANCE_UID, _PURPOSE = 0x00081150, 0x00081155, 0x0040A170
_CODE, _SCHEME, _MEANING = 0x00080100, 0x00080102, 0x00080104


def derivation_codes() -> bytes:
    """The value of Derivation Code Sequence in Explicit VR Little Endian (PS3.16 CID 7203)."""
    return _coded("113040", "Lossy Compression")


def source_images(sop_class_uid: str, instance_uid: str, *, compressed: bool) -> bytes:
    """The value of Source Image Sequence; `compressed`: with losses, before (PS3.16 CID 7202)."""
    purpose = (
        _coded("121322", "Source image for image processing operation")
        if compressed
        else _coded("121320", "Uncompressed predecessor")
    )
    return _item(
        _element(_CLASS_UID, "UI", sop_class_uid.encode("ascii", "replace"))
        + _element(_INSTANCE_UID, "UI", instance_uid.encode("ascii", "replace"))
        + element_head(_PURPOSE, "SQ", len(purpose))
        + purpose
    )


def _coded(code: str, meaning: str) -> bytes:
    return _item(
        _element(_CODE, "SH", code.encode("ascii"))
        + _element(_SCHEME, "SH", b"DCM")
        + _element(_MEANING, "LO", meaning.encode("ascii"))
    )


def _item(content: bytes) -> bytes:
    return item_head(len(content)) + content


def _element(tag: int, vr: str, raw: bytes) -> bytes:
    value = padded(raw, vr)
    return element_head(tag, vr, len(value)) + value
