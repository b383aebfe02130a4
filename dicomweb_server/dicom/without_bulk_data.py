"""PURE: a data set without its pixels and other large values, for those who ask what it says (PS3.4 §Z.1.3)."""

from collections.abc import Callable

from dicomweb_server.dicom.edited import Output
from dicomweb_server.dicom.element_head import element_head, implicit_head, item_head
from dicomweb_server.dicom.elements import Element, item_encoding, items, walk
from dicomweb_server.dicom.encoding import PIXEL_DATA_TAGS, Buffer, Encoding
from dicomweb_server.dicom.header import Header
from dicomweb_server.errors import Reason, ServerError

_ENCAPSULATED_DOCUMENT, _PROVIDER_URL, _SPECTROSCOPY, _PADDING = 0x00420011, 0x00287FE0, 0x56000020, 0xFFFCFFFC
_LEFT_OUT = PIXEL_DATA_TAGS | {_ENCAPSULATED_DOCUMENT, _PROVIDER_URL, _SPECTROSCOPY, _PADDING}
_REPEATED = frozenset({0x60003000, 0x50003000, 0x5000200C})  # overlay data, curve data, audio sample data
_WAVEFORMS, _WAVEFORM_DATA = 0x54000100, 0x54001010

# What becomes of an element: None is copied, anything else stands in its place.
Replaced = Callable[[Element], "Output | None"]


def without_bulk_data(header: Header) -> list[bytes | memoryview]:
    """The bare data set in pieces; ServerError(NOT_ACCEPTABLE) for one in Big Endian, which nobody asks for so."""
    buffer, encoding = header.buffer, header.encoding
    if not encoding.little_endian:
        raise ServerError(Reason.NOT_ACCEPTABLE, "a data set in Big Endian is only sent whole")

    def replaced(element: Element) -> Output | None:
        if element.tag == _WAVEFORMS:
            return _waveforms(buffer, element, encoding)
        return Output() if element.tag in _LEFT_OUT or element.tag & 0xFF00FFFF in _REPEATED else None

    view = memoryview(buffer)
    pieces = _copied(buffer, header.start, header.end, encoding, replaced).pieces
    return [piece if isinstance(piece, bytes) else view[piece[0] : piece[1]] for piece in pieces]


def _waveforms(buffer: Buffer, sequence: Element, encoding: Encoding) -> Output:
    inner, content = item_encoding(sequence, encoding), Output()
    for start, end in items(buffer, sequence, encoding):
        item = _copied(buffer, start, end, inner, lambda each: Output() if each.tag == _WAVEFORM_DATA else None)
        content.write(item_head(item.size))
        content.append(item)
    head = element_head if encoding.explicit else implicit_head
    whole = Output()
    whole.write(head(sequence.tag, sequence.vr, content.size))
    whole.append(content)
    return whole


def _copied(buffer: Buffer, start: int, end: int, encoding: Encoding, replaced: Replaced) -> Output:
    """A data set or item, spans of what stays in one piece."""
    output, position = Output(), start
    for element in walk(buffer, start, end, encoding):
        other = replaced(element)
        if other is not None:
            output.copy(buffer, start, position)
            output.append(other)
            start = element.following
        position = element.following
    output.copy(buffer, start, position)
    return output
