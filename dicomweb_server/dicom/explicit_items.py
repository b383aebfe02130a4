"""PURE: elements and items in Explicit VR Little Endian, made of values."""

from dicomweb_server.dicom.element_head import element_head, item_head
from dicomweb_server.dicom.value_field import padded

_CODE, _SCHEME, _MEANING = 0x00080100, 0x00080102, 0x00080104


def code_item(code: str, meaning: str) -> bytes:
    """The item of a code sequence, of a code of the standard's own."""
    return item(
        element(_CODE, "SH", code.encode("ascii"))
        + element(_SCHEME, "SH", b"DCM")
        + element(_MEANING, "LO", meaning.encode("ascii"))
    )


def sequence(tag: int, value: bytes) -> bytes:
    """A sequence of items."""
    return element_head(tag, "SQ", len(value)) + value


def item(content: bytes) -> bytes:
    """An item of elements."""
    return item_head(len(content)) + content


def element(tag: int, vr: str, raw: bytes) -> bytes:
    """An element with a value that is padded."""
    value = padded(raw, vr)
    return element_head(tag, vr, len(value)) + value
