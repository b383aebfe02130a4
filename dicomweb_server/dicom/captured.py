"""Captured: elements of one instance as values that others can be given, whatever their encoding and character set."""

from collections.abc import Iterator, Set

from dicomweb_server.dicom.byte_order import swap, word_size
from dicomweb_server.dicom.charset import Charset, charset_of
from dicomweb_server.dicom.edit_value import EditValue
from dicomweb_server.dicom.elements import Element, item_encoding, items, walk
from dicomweb_server.dicom.encoding import MAX_DEPTH, Encoding
from dicomweb_server.dicom.header import Buffer, Header
from dicomweb_server.dicom.text_encoding import SPECIFIC_CHARACTER_SET

# Of the data set, not of the patient or study.
_NEVER = frozenset({SPECIFIC_CHARACTER_SET})
_BINARY = frozenset({"AT", "FD", "FL", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "SV", "UL", "UN", "US", "UV"})


def captured(header: Header, tags: Set[int]) -> list[EditValue]:
    """The elements of the top level with these tags."""
    found = _level(header.buffer, header.start, header.end, header.encoding, charset_of(b""), 0)
    values: dict[int, EditValue] = {}
    for value in found:
        if value.tag in tags:
            values.setdefault(value.tag, value)
        elif value.tag > max(tags):
            break
    return list(values.values())


def _level(
    buffer: Buffer, start: int, end: int, encoding: Encoding, charset: Charset, depth: int
) -> Iterator[EditValue]:
    for element in walk(buffer, start, end, encoding, depth=depth):
        if element.tag == SPECIFIC_CHARACTER_SET:
            charset = charset_of(buffer[element.start : element.end])
        if element.tag in _NEVER or element.tag & 0xFFFF == 0:
            continue
        yield _value(buffer, element, encoding, charset, depth)


def _value(buffer: Buffer, element: Element, encoding: Encoding, charset: Charset, depth: int) -> EditValue:
    tag, vr = element.tag, element.vr
    if depth < MAX_DEPTH and (vr == "SQ" or (vr == "UN" and not element.defined)):
        inner = item_encoding(element, encoding)
        return EditValue(
            tag,
            "SQ",
            items=tuple(
                tuple(_level(buffer, start, end, inner, charset, depth + 1))
                for start, end in items(buffer, element, encoding, depth=depth)
            ),
        )
    raw = buffer[element.start : element.end]
    if vr in _BINARY:
        return EditValue(tag, vr, data=raw if encoding.little_endian else swap(raw, word_size(vr)))
    decode = charset.decode_name if vr == "PN" else charset.decode
    return EditValue(tag, vr, text=decode(raw).rstrip(" \0"))
