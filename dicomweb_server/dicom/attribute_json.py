"""Attribute JSON: one element of a data set as one member of its DICOM JSON object (PS3.18 §F.2).

A bulk data URI holds the byte 0x02 where the URL of the instance's bulk data belongs: raw control characters cannot
occur in JSON otherwise.
"""

from dicomweb_server.dicom.attributes import ATTRIBUTES
from dicomweb_server.dicom.dictionary import US_OR_SS, public_vr
from dicomweb_server.dicom.elements import VR_BYTES
from dicomweb_server.dicom.encoding import PIXEL_DATA_TAGS, Buffer
from dicomweb_server.dicom.header import FRAME_TAGS
from dicomweb_server.dicom.memo import Context, Entry, Note
from dicomweb_server.dicom.values import BINARY_VRS, TO_JSON, TO_TEXT, inline_binary

INLINE_LIMIT = 1024  # bytes of a binary value; above it, a bulk data URI
TEXT_LIMIT = 65536  # bytes of any other value
ENCAPSULATED_DOCUMENT = 0x00420011
BULK_DATA_TAGS = PIXEL_DATA_TAGS | {ENCAPSULATED_DOCUMENT}  # by reference whatever their size
PLACE_OF_URL = b"\2"

SPECIFIC_CHARACTER_SET = 0x00080005
PIXEL_REPRESENTATION = 0x00280103

# Tags that need a note, and the columns of those that are indexed.
_COLUMNS: dict[int, str] = dict.fromkeys(FRAME_TAGS | {SPECIFIC_CHARACTER_SET, PIXEL_REPRESENTATION}, "") | {
    attribute.tag: attribute.column for attribute in ATTRIBUTES
}
_VALUE = b',"Value":'


def value_entry(buffer: Buffer, tag: int, vr: bytes, start: int, stop: int, context: Context, path: str) -> Entry:
    """The entry of an element of defined length that is no sequence. `path`: of its data set in bulk data URIs."""
    note = _note(buffer, tag, vr, start, stop, context)
    if tag in BULK_DATA_TAGS or stop - start > (INLINE_LIMIT if vr in BINARY_VRS else TEXT_LIMIT):
        return bulk_data_member(tag, vr, path) if start < stop else member(tag, vr, b""), note
    raw = buffer[start:stop]
    if tag == SPECIFIC_CHARACTER_SET:
        return member(tag, vr, _VALUE + b'["ISO_IR 192"]' if raw.strip(b" \0") else b""), note
    if vr in BINARY_VRS:
        return member(tag, vr, inline_binary(vr, raw, context.order)), note
    return member(tag, vr, TO_JSON[vr](raw, context.charset, context.order)), note


def sequence_entry(tag: int, items: list[bytes], context: Context) -> Entry:
    """The entry of a sequence, given the JSON objects of its items."""
    value = b"[" + b",".join(items) + b"]" if items else b""
    column = column_of(tag, context)
    note = None if column is None else Note(tag, column, value.decode("utf-8"), b"")
    return member(tag, b"SQ", _VALUE + value if items else b""), note


def member(tag: int, vr: bytes, body: bytes) -> bytes:
    """The member of the JSON object: `body` is what follows the VR."""
    return b'"%08X":{"vr":"%b"%b}' % (tag, vr, body)


def bulk_data_member(tag: int, vr: bytes, path: str) -> bytes:
    """The member of an element whose value is left to bulk data."""
    return b'"%08X":{"vr":"%b","BulkDataURI":"%b%b%08X"}' % (tag, vr, PLACE_OF_URL, path.encode("ascii"), tag)


def known_vr(tag: int, context: Context) -> bytes:
    """What a UN element of a public tag is if the dictionary leaves no doubt: its value is as in implicit VR."""
    name = public_vr(tag) if not tag >> 16 & 1 else "UN"
    return b"UN" if name == US_OR_SS or name[0] == "O" or context.order == ">" else VR_BYTES[name]


def _note(buffer: Buffer, tag: int, vr: bytes, start: int, stop: int, context: Context) -> Note | None:
    column = column_of(tag, context)
    if column is None:
        return None
    raw = buffer[start:stop]
    text = TO_TEXT[vr](raw, context.charset, context.order) if vr in TO_TEXT else ""
    return Note(tag, column, text if text.strip("\\") else "", raw)


def column_of(tag: int, context: Context) -> str | None:
    """The column of an indexed attribute, "" if only a note is to be taken of the element, else None."""
    column = _COLUMNS.get(tag)
    return f"{tag:08X}" if not column and tag in context.conditions.extra else column
