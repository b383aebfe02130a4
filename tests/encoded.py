"""Encoded elements made by hand, right or wrong, for tests of the parsers."""

import struct

from dicomweb_server.dicom.part10 import file_meta

UNDEFINED = 0xFFFFFFFF
LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}

STUDY, SERIES, INSTANCE, SOP_CLASS = "1.2.3", "1.2.3.4", "1.2.3.4.5", "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LITTLE_UID = "1.2.840.10008.1.2.1"
IMPLICIT_LITTLE_UID = "1.2.840.10008.1.2"
EXPLICIT_BIG_UID = "1.2.840.10008.1.2.2"


def encoded(tag: int, vr: str, value: bytes = b"", *, length: int | None = None, order: str = "<") -> bytes:
    """One element in explicit VR; in implicit VR if `vr` is empty. `length`: another one than that of the value."""
    length = len(value) if length is None else length
    head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
    if not vr:
        return head + struct.pack(f"{order}I", length) + value
    if vr in LONG:
        return head + vr.encode() + b"\0\0" + struct.pack(f"{order}I", length) + value
    return head + vr.encode("latin-1") + struct.pack(f"{order}H", length) + value


def item(content: bytes = b"", *, defined: bool = True, order: str = "<") -> bytes:
    """One item of a sequence."""
    if defined:
        return encoded(0xFFFEE000, "", content, order=order)
    return encoded(0xFFFEE000, "", content, length=UNDEFINED, order=order) + encoded(0xFFFEE00D, "", order=order)


def sequence(tag: int, *items: bytes, defined: bool = True, vr: str = "SQ", order: str = "<") -> bytes:
    """One sequence; `vr` may be "UN", or empty for implicit VR."""
    content = b"".join(items)
    if defined:
        return encoded(tag, vr, content, order=order)
    return encoded(tag, vr, content, length=UNDEFINED, order=order) + encoded(0xFFFEE0DD, "", order=order)


def identity(*, explicit: bool = True, order: str = "<") -> tuple[bytes, bytes]:
    """The elements that every instance must have: those before and those after the patient's group."""

    def uid(tag: int, text: str) -> bytes:
        return encoded(tag, "UI" if explicit else "", text.encode() + b"\0" * (len(text) % 2), order=order)

    return (
        uid(0x00080016, SOP_CLASS) + uid(0x00080018, INSTANCE),
        uid(0x0020000D, STUDY) + uid(0x0020000E, SERIES),
    )


def part10(dataset: bytes, transfer_syntax_uid: str = EXPLICIT_LITTLE_UID) -> bytes:
    """The Part 10 file of an encoded data set."""
    return file_meta(SOP_CLASS, INSTANCE, transfer_syntax_uid) + dataset
