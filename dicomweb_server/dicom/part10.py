"""Part 10: the preamble and the file meta information before a data set (PS3.10 §7), read and written. No data sets."""

import struct
from collections.abc import Mapping
from functools import lru_cache

from dicomweb_server.dicom.elements import SHORT_VRS, locate
from dicomweb_server.dicom.encoding import EXPLICIT_LITTLE, IMPLICIT_LITTLE, Buffer
from dicomweb_server.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicomweb_server.errors import Reason, ServerError

PREAMBLE_LENGTH = 128
MAGIC = b"DICM"
MEDIA_STORAGE_SOP_CLASS_UID = 0x00020002
MEDIA_STORAGE_SOP_INSTANCE_UID = 0x00020003
TRANSFER_SYNTAX_UID = 0x00020010

FIRST_ELEMENT = PREAMBLE_LENGTH + len(MAGIC)
_GROUP = 0x0002
_GROUP_BYTES = b"\2\0"
_PIXEL_DATA = b"\xe0\x7f\x10\0"  # (7FE0,0010), little endian
_MAX_VALUE = 1 << 16  # of one file meta element; private information may be long
_MAX_LENGTH = 1 << 20
_SHORT = struct.Struct("<HH2sH")
_VERSION = _SHORT.pack(_GROUP, 0x0001, b"OB", 0) + b"\2\0\0\0\0\1"
_GROUP_LENGTH = struct.Struct("<HH2sHI")


def read_file_meta(buffer: Buffer) -> tuple[dict[int, bytes], int]:
    """The raw values of the file meta elements by tag, and where the data set starts.

    The group length is not trusted: the file meta ends where group 0002 ends. The preamble may contain anything.
    """
    if buffer[PREAMBLE_LENGTH:FIRST_ELEMENT] != MAGIC:
        raise ServerError(Reason.NOT_DICOM, "there is no DICM at byte 128, so this is not a DICOM Part 10 file")
    values: dict[int, bytes] = {}
    position, end = FIRST_ELEMENT, len(buffer)
    # Always explicit little endian by the standard; some old writers used the encoding of their data set.
    encoding = EXPLICIT_LITTLE if buffer[position + 4 : position + 6].isalpha() else IMPLICIT_LITTLE
    usual_end = end - 8 if encoding.explicit else -1
    read_usual = _SHORT.unpack_from
    while True:
        group, number, vr, length = read_usual(buffer, position) if position <= usual_end else (_GROUP, 0, b"", 0)
        if group == _GROUP and vr in SHORT_VRS:  # as `locate` does, without its cost
            tag, value = group << 16 | number, position + 8
        elif buffer[position : position + 2] != _GROUP_BYTES:
            break
        elif encoding.explicit and not buffer[position + 4 : position + 6].isalpha():
            break  # a deflated data set may begin like an element of this group
        else:
            tag, _, value, length = locate(buffer, position, end, encoding)
        if position > FIRST_ELEMENT + _MAX_LENGTH:
            raise ServerError(Reason.CANNOT_UNDERSTAND, "the file meta information is too long")
        position = value + length
        if position > end:
            raise ServerError(Reason.CANNOT_UNDERSTAND, "the file ends within the file meta information")
        if length <= _MAX_VALUE:
            values.setdefault(tag, buffer[value:position])
    return values, position


def file_meta(sop_class_uid: str, instance_uid: str, transfer_syntax_uid: str, *, source_ae: str = "") -> bytes:
    """Preamble, prefix and file meta information for a bare data set, so that both together are a Part 10 file."""
    sop_class = _frequent_uid(MEDIA_STORAGE_SOP_CLASS_UID, sop_class_uid)
    instance = _text_element(MEDIA_STORAGE_SOP_INSTANCE_UID, b"UI", instance_uid) if instance_uid else b""
    body = _VERSION + sop_class + instance + _frequent_uid(TRANSFER_SYNTAX_UID, transfer_syntax_uid) + _WRITTEN_BY_US
    if source_ae:
        body += _text_element(0x00020016, b"AE", source_ae)
    return bytes(PREAMBLE_LENGTH) + MAGIC + _GROUP_LENGTH.pack(_GROUP, 0, b"UL", 4, len(body)) + body


def has_short_head(data: bytes, length: int) -> bool:
    """Whether a file's last element is native Pixel Data that begins within so many bytes. Reads none before it."""
    start = data.find(_PIXEL_DATA, 0, length)
    if start < 0:
        return False
    explicit = data[start + 4 : start + 6] in (b"OW", b"OB")
    value = start + (12 if explicit else 8)
    return int.from_bytes(data[value - 4 : value], "little") == len(data) - value


@lru_cache(256)
def _frequent_uid(tag: int, uid: str) -> bytes:
    return _text_element(tag, b"UI", uid) if uid else b""


def _text_element(tag: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii")
    if len(value) % 2:
        value += b"\0" if vr == b"UI" else b" "
    return _SHORT.pack(tag >> 16, tag & 0xFFFF, vr, len(value)) + value


_WRITTEN_BY_US = _text_element(0x00020012, b"UI", IMPLEMENTATION_CLASS_UID) + _text_element(
    0x00020013, b"SH", IMPLEMENTATION_VERSION_NAME
)


def edited_file_meta(
    values: Mapping[int, bytes], sop_class_uid: str, instance_uid: str, transfer_syntax_uid: str
) -> bytes:
    """The same for an instance that was edited: what the source says of itself, but for what we know better."""
    ours = {
        0x00020001: b"\0\1",
        MEDIA_STORAGE_SOP_CLASS_UID: _uid(sop_class_uid),
        MEDIA_STORAGE_SOP_INSTANCE_UID: _uid(instance_uid),
        TRANSFER_SYNTAX_UID: _uid(transfer_syntax_uid),
        0x00020012: _uid(IMPLEMENTATION_CLASS_UID),
        0x00020013: _uid(IMPLEMENTATION_VERSION_NAME, b" "),
    }
    elements = {tag: value for tag, value in values.items() if tag in _KEPT} | ours
    body = b"".join(_raw_element(tag, elements[tag]) for tag in sorted(elements))
    return bytes(PREAMBLE_LENGTH) + MAGIC + _GROUP_LENGTH.pack(_GROUP, 0, b"UL", 4, len(body)) + body


_LONG = struct.Struct("<HH2sHI")
_META_VRS = {0x00020001: b"OB", 0x00020013: b"SH", 0x00020016: b"AE", 0x00020017: b"AE", 0x00020018: b"AE"}
_META_LONG = {0x00020026: b"UR", 0x00020027: b"UR", 0x00020028: b"UR", 0x00020102: b"OB"}


_KEPT = frozenset({0x00020016, 0x00020017, 0x00020018, 0x00020100, *_META_LONG})


def _uid(text: str, padding: bytes = b"\0") -> bytes:
    value = text.encode("ascii", "replace")  # whoever stores the file judges its UIDs
    return value + padding * (len(value) % 2)


def _raw_element(tag: int, value: bytes) -> bytes:
    vr = _META_VRS.get(tag) or _META_LONG.get(tag) or b"UI"
    if vr in (b"OB", b"UR"):
        return _LONG.pack(tag >> 16, tag & 0xFFFF, vr, 0, len(value)) + value
    return _SHORT.pack(tag >> 16, tag & 0xFFFF, vr, len(value)) + value
