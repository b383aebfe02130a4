"""Reencode: any native encoding to one in little endian, as a plan over the source. Holds no large value whole.

Touches no pixels but to swap their bytes; compressed pixel data need a codec, which is not here.
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dicomweb_server.dicom.byte_order import swap, word_size
from dicomweb_server.dicom.dictionary import public_vr
from dicomweb_server.dicom.element_head import (
    ITEM_DELIMITER,
    SEQUENCE_DELIMITER,
    element_head,
    implicit_head,
    item_head,
)
from dicomweb_server.dicom.elements import Element, is_signed, items, walk
from dicomweb_server.dicom.encoding import PIXEL_DATA_TAGS, UNDEFINED, Buffer, Encoding
from dicomweb_server.dicom.header import Header
from dicomweb_server.dicom.part10 import MAGIC, PREAMBLE_LENGTH, TRANSFER_SYNTAX_UID
from dicomweb_server.dicom.uids import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TRANSFER_SYNTAXES,
)
from dicomweb_server.dicom.value_field import padded
from dicomweb_server.errors import Reason, ServerError

CHUNK = 1 << 20

_NATIVE = frozenset(
    {
        EXPLICIT_VR_LITTLE_ENDIAN,
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    }
)
_BITS_ALLOCATED, _PIXEL_REPRESENTATION = 0x00280100, 0x00280103
_INLINE = 4096  # values up to this size are copied at once, which is cheaper than to remember where they lie
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class _Copy:
    """Bytes of the source, to be swapped in words of `size` bytes."""

    start: int
    end: int
    size: int = 1


@dataclass(frozen=True, slots=True)
class Reencoded:
    """A Part 10 file that is made while it is read. Keep the source open until then."""

    size: int
    source: Buffer
    plan: Sequence[bytes | bytearray | _Copy]

    def __iter__(self) -> Iterator[bytes | bytearray]:
        """The file in pieces of bounded size."""
        for step in self.plan:
            if not isinstance(step, _Copy):
                yield step
                continue
            for start in range(step.start, step.end, CHUNK):  # a multiple of every word size
                yield swap(self.source[start : min(start + CHUNK, step.end)], step.size)


def reencode(header: Header, transfer_syntax_uid: str = EXPLICIT_VR_LITTLE_ENDIAN) -> Reencoded:
    """The same instance in Explicit VR Little Endian (PS3.5 §A.2); ServerError(NOT_ACCEPTABLE) if it is compressed.

    `header`: of a Part 10 file. `transfer_syntax_uid`: that one, or Implicit VR Little Endian. Group lengths, retired,
    are left out; lengths of sequences stay defined or undefined.
    """
    if header.transfer_syntax_uid not in _NATIVE:
        problem = f"an instance in transfer syntax {header.transfer_syntax_uid} cannot be sent in {transfer_syntax_uid}"
        raise ServerError(Reason.NOT_ACCEPTABLE, problem)
    target = TRANSFER_SYNTAXES[transfer_syntax_uid].encoding
    if header.transfer_syntax_uid == transfer_syntax_uid and header.encoding == target:
        return Reencoded(len(header.buffer), header.buffer, [_Copy(0, len(header.buffer))])
    file_meta = _file_meta(header.file_meta, transfer_syntax_uid)
    if header.encoding.explicit == target.explicit and header.encoding.little_endian:  # it was deflated
        plan: list[bytes | bytearray | _Copy] = [file_meta, _Copy(header.start, header.end)]
        return Reencoded(len(file_meta) + header.end - header.start, header.buffer, plan)
    writer = _Writer(header.buffer, file_meta, element_head if target.explicit else implicit_head)
    signed = not header.encoding.explicit and is_signed(header.buffer, header.start, header.end, header.encoding)
    writer.write_data_set(header.start, header.end, header.encoding, signed=signed, depth=0)
    return Reencoded(writer.size, header.buffer, writer.finish())


def _file_meta(values: Mapping[int, bytes], transfer_syntax_uid: str) -> bytes:
    """Preamble, prefix and file meta of the source, but for the transfer syntax and the length."""
    elements = dict(values)
    elements[TRANSFER_SYNTAX_UID] = padded(transfer_syntax_uid.encode("ascii"), "UI")
    elements.pop(0x00020000, None)
    body = b"".join(element_head(tag, public_vr(tag), len(elements[tag])) + elements[tag] for tag in sorted(elements))
    return bytes(PREAMBLE_LENGTH) + MAGIC + element_head(0x00020000, "UL", 4) + _LENGTH.pack(len(body)) + body


class _Writer:
    """Writes elements one after another; fills in the lengths of sequences and items when they are known."""

    def __init__(self, source: Buffer, start: bytes, head: Callable[[int, str, int], bytes]) -> None:
        self._source = source
        self._head = head
        self._plan: list[bytes | bytearray | _Copy] = []
        self._tail = bytearray(start)
        self._before_tail = 0
        self._bits_allocated = 0

    @property
    def size(self) -> int:
        return self._before_tail + len(self._tail)

    def finish(self) -> list[bytes | bytearray | _Copy]:
        return [*self._plan, self._tail]

    def write_data_set(self, start: int, end: int, encoding: Encoding, *, signed: bool, depth: int) -> None:
        for element in walk(self._source, start, end, encoding, signed=signed, depth=depth):
            if element.tag & 0xFFFF == 0:
                continue
            if element.vr == "SQ":
                self._write_sequence(element, encoding, signed=signed, depth=depth)
            elif not element.defined:
                self._write_undefined(element, encoding)
            else:
                self._write_value(element, encoding, depth)
            if element.tag == _PIXEL_REPRESENTATION:
                signed = self._source[element.start : element.end].strip(b"\0") == b"\1"
            elif element.tag == _BITS_ALLOCATED and depth == 0:
                order: Literal["little", "big"] = "little" if encoding.little_endian else "big"
                self._bits_allocated = int.from_bytes(self._source[element.start : element.end], order)

    def _write_value(self, element: Element, encoding: Encoding, depth: int) -> None:
        self._tail += self._head(element.tag, element.vr, element.end - element.start)
        size = 1
        if not encoding.little_endian:
            is_pixel_data = element.tag in PIXEL_DATA_TAGS and depth == 0
            size = word_size(element.vr, self._bits_allocated if is_pixel_data else 0)
        self._copy(element.start, element.end, size)

    def _write_undefined(self, element: Element, encoding: Encoding) -> None:
        """Fragments; or UN, whose items are in implicit VR little endian whatever is around them (PS3.5 §6.2.2)."""
        if element.vr != "UN" and not encoding.little_endian:
            raise ServerError(Reason.NOT_ACCEPTABLE, "the pixel data are in fragments, but in a native transfer syntax")
        self._tail += self._head(element.tag, element.vr, UNDEFINED)
        self._copy(element.start, element.end, 1)
        self._tail += SEQUENCE_DELIMITER

    def _write_sequence(self, element: Element, encoding: Encoding, *, signed: bool, depth: int) -> None:
        self._tail += self._head(element.tag, "SQ", UNDEFINED)
        length_at = self._tail, len(self._tail) - 4, self.size
        for start, end in items(self._source, element, encoding, depth=depth):
            self._tail += item_head(UNDEFINED)
            item_length_at = self._tail, len(self._tail) - 4, self.size
            self.write_data_set(start, end, encoding, signed=signed, depth=depth + 1)
            if self._source[start - 4 : start] == b"\xff\xff\xff\xff":
                self._tail += ITEM_DELIMITER
            else:
                self._set_length(*item_length_at)
        if element.defined:
            self._set_length(*length_at)
        else:
            self._tail += SEQUENCE_DELIMITER

    def _set_length(self, place: bytearray, position: int, start: int) -> None:
        length = self.size - start
        if length >= UNDEFINED:
            raise ServerError(Reason.NOT_ACCEPTABLE, "a sequence is too long to be written with its length")
        _LENGTH.pack_into(place, position, length)

    def _copy(self, start: int, end: int, size: int) -> None:
        if end - start <= _INLINE:
            self._tail += swap(self._source[start:end], size)
            return
        self._plan += (self._tail, _Copy(start, end, size))
        self._before_tail += len(self._tail) + end - start
        self._tail = bytearray()
