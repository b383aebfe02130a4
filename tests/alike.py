"""Instances of a series that differ in a few values, encoded by hand; and parsing as if none was parsed before."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from dicomweb_server.dicom import dicom_json, reading
from dicomweb_server.dicom.memo import Memo
from dicomweb_server.dicom.part10 import file_meta
from dicomweb_server.dicom.same_series import BySeries
from tests.encoded import EXPLICIT_BIG_UID, IMPLICIT_LITTLE_UID, SOP_CLASS, encoded, item, sequence

# (tag, VR, value) of the instances of a series; of a number in the value each has its own.
ELEMENTS: list[tuple[int, str, bytes]] = [
    (0x00080001, "UL", bytes(4)),
    (0x00080005, "CS", b"ISO_IR 100"),
    (0x00080008, "CS", b"ORIGINAL\\PRIMARY "),
    (0x00080016, "UI", SOP_CLASS.encode() + b"\0"),
    (0x00080018, "UI", b"1.2.3.4.%d"),
    (0x00080033, "TM", b"1011%d"),
    (0x00080060, "CS", b"MR"),
    (0x00080080, "LO", b"\xe9\xe9"),
    (0x00081140, "SQ", b"\xe9 %d"),
    (0x00090010, "LO", b"GEMS_IDEN_01"),
    (0x00091001, "LO", b"%d"),
    (0x00091002, "OB", b"%d"),
    (0x00091004, "SH", b"x "),
    (0x00100010, "PN", b"\xe9^B "),
    (0x00100020, "LO", b"P1"),
    (0x0020000D, "UI", b"1.2.3\0"),
    (0x0020000E, "UI", b"1.2.3.4\0"),
    (0x00200013, "IS", b"%d"),
    (0x00200032, "DS", b"-1.50\\%d\\3"),
    (0x00280010, "US", b"\1\0"),
    (0x00280011, "US", b"\1\0"),
    (0x00280100, "US", b"\x10\0"),
    (0x00280103, "US", b"\1\0"),
    (0x00280106, "US", b"\xff\xff"),
    (0x00400275, "SQ", b"A^B "),
    (0x00420010, "ST", b"%d"),
    (0x7FE00010, "OW", b"12"),
]


def element(uid: str, tag: int, vr: str, value: bytes) -> bytes:
    """An element in a transfer syntax; a sequence has one item with a name."""
    order = ">" if uid == EXPLICIT_BIG_UID else "<"
    name = "" if uid == IMPLICIT_LITTLE_UID else vr
    if vr == "SQ":
        inner = encoded(0x00100010, name and "PN", value, order=order)
        return sequence(tag, item(inner, order=order), vr=name, order=order)
    return encoded(tag, name, value, order=order)


def elements(uid: str, number: int) -> list[bytes]:
    """Those of one instance."""
    made = []
    for tag, vr, value in ELEMENTS:
        own = value % number if b"%d" in value else value
        made.append(element(uid, tag, vr, own + (b"\0" if vr in ("UI", "OB") else b" ") * (len(own) % 2)))
    return made


def instance(uid: str, number: int, changed: list[bytes] | None = None) -> bytes:
    """The Part 10 file of one; `changed`: with these elements."""
    return file_meta(SOP_CLASS, f"1.2.3.4.{number}", uid) + b"".join(changed or elements(uid, number))


@contextmanager
def nothing_known() -> Iterator[None]:
    """Within it, nothing is known of other instances."""
    with (
        mock.patch.object(dicom_json, "_STENCILS", BySeries()),
        mock.patch.object(dicom_json, "_SAMPLES", BySeries()),
        mock.patch.object(reading, "_MEMO", Memo(1 << 20)),
    ):
        yield
