"""Reencode: an instance in another encoding, as a plan over the source. Holds no large value of it whole.

Touches no pixels but to swap their bytes; what codecs made of them comes from outside, as elements that replace others.
"""

import struct
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dicomweb_server.dicom.byte_order import swap, word_size
from dicomweb_server.dicom.dictionary import public_vr
from dicomweb_server.dicom.element_head import (
    SEQUENCE_DELIMITER,
    element_head,
    heads,
    item_delimiter,
)
from dicomweb_server.dicom.elements import Element, is_signed, items, walk
from dicomweb_server.dicom.encoding import UNDEFINED, Buffer, Encoding
from dicomweb_server.dicom.header import Header
from dicomweb_server.dicom.part10 import (
    MAGIC,
    MEDIA_STORAGE_SOP_INSTANCE_UID,
    PREAMBLE_LENGTH,
    TRANSFER_SYNTAX_UID,
)
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
_INSTANCE_UID, _PIXEL_REPRESENTATION = 0x00080018, 0x00280103
_INLINE = 4096  # values up to this size are copied at once, which is cheaper than to remember where they lie
_LENGTHS = {little: struct.Struct("<I" if little else ">I") for little in (True, False)}


@dataclass(frozen=True, slots=True)
class _Copy:
    """Bytes of the source, to be swapped in words of `size` bytes."""

    start: int
    end: int
    size: int = 1


_Step = bytes | bytearray | memoryview | _Copy
_LAST = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Reencoded:
    """A Part 10 file that is made while it is read. Keep the source open until then."""

    size: int
    source: Buffer
    plan: Sequence[_Step]

    def __iter__(self) -> Iterator[bytes | bytearray]:
        """The file in pieces of bounded size."""
        for step in self.plan:
            if isinstance(step, _Copy):
                for start in range(step.start, step.end, CHUNK):  # a multiple of every word size
                    yield swap(self.source[start : min(start + CHUNK, step.end)], step.size)
            elif isinstance(step, memoryview):  # mostly of a file that is mapped
                for start in range(0, len(step), CHUNK):
                    yield bytes(step[start : start + CHUNK])
            else:
                yield step


@dataclass(frozen=True, slots=True)
class NewElement:
    """An element of the top level that replaces that of the same tag, or is new. `pieces`: its value, little endian.

    `encapsulated`: the pieces are items, and a delimiter follows (PS3.5 §A.4).
    """

    vr: str
    pieces: Sequence[bytes | memoryview]
    encapsulated: bool = False


def padded_element(vr: str, value: bytes) -> NewElement:
    """One of a value that is here whole."""
    return NewElement(vr, [padded(value, vr)])


# By tag; None: the element goes.
Changes = Mapping[int, NewElement | None]
_NO_CHANGES: Changes = {}


@dataclass(frozen=True, slots=True)
class InnerChanges:
    """`values`: by tag, what becomes of a value in items of sequences, at any depth.

    By the tag of a sequence of the top level, `items`: what changes in each of its items; `kept`: those that stay, from
    0; `added`: further ones, as bytes in the target's encoding.
    """

    values: Mapping[int, Callable[[bytes], bytes]] = field(default_factory=dict)
    items: Mapping[int, Changes] = field(default_factory=dict)
    kept: Mapping[int, Collection[int]] = field(default_factory=dict)
    added: Mapping[int, bytes] = field(default_factory=dict)


_NO_INNER_CHANGES = InnerChanges()


def unchanged(data: Buffer) -> Reencoded:
    """A file as it is."""
    return Reencoded(len(data), data, [_Copy(0, len(data))])


def reencode(
    header: Header,
    transfer_syntax_uid: str = EXPLICIT_VR_LITTLE_ENDIAN,
    changes: Changes = _NO_CHANGES,
    inner: InnerChanges = _NO_INNER_CHANGES,
) -> Reencoded:
    """The same instance in another transfer syntax; ServerError(NOT_ACCEPTABLE) if its pixels would need a codec.

    `header`: of a Part 10 file. `inner`: only looked at beside `changes`. Group lengths, retired, are left out; lengths
    of sequences stay defined or undefined.
    """
    if not changes and not _NATIVE.issuperset((header.transfer_syntax_uid, transfer_syntax_uid)):
        problem = f"an instance in transfer syntax {header.transfer_syntax_uid} cannot be sent in {transfer_syntax_uid}"
        raise ServerError(Reason.NOT_ACCEPTABLE, problem)
    target = TRANSFER_SYNTAXES[transfer_syntax_uid].encoding
    is_same = header.transfer_syntax_uid == transfer_syntax_uid and header.encoding == target
    if not changes and is_same and not target.deflated:  # or the buffer is what was inflated
        return unchanged(header.buffer)
    file_meta = _file_meta(header.file_meta, transfer_syntax_uid, changes.get(_INSTANCE_UID))
    if not changes and header.encoding[:2] == target[:2]:  # one of them is deflated
        copied: list[_Step] = [_Copy(header.start, header.end)]
        made = Reencoded(header.end - header.start, header.buffer, copied)
    else:
        writer = _Writer(header.buffer, target, changes, inner)
        signed = not header.encoding.explicit and is_signed(header.buffer, header.start, header.end, header.encoding)
        writer.write_data_set(header.start, header.end, header.encoding, signed=signed, depth=0)
        made = Reencoded(writer.size, header.buffer, writer.finish())
    if target.deflated:
        made = _deflated(made)
    return Reencoded(len(file_meta) + made.size, made.source, [file_meta, *made.plan])


def _file_meta(values: Mapping[int, bytes], transfer_syntax_uid: str, instance_uid: NewElement | None) -> bytes:
    """Preamble, prefix and file meta of the source, but for the transfer syntax, the length, and a new instance UID."""
    elements = dict(values)
    elements[TRANSFER_SYNTAX_UID] = padded(transfer_syntax_uid.encode("ascii"), "UI")
    if instance_uid is not None:
        elements[MEDIA_STORAGE_SOP_INSTANCE_UID] = b"".join(instance_uid.pieces)
    elements.pop(0x00020000, None)
    body = b"".join(element_head(tag, public_vr(tag), len(elements[tag])) + elements[tag] for tag in sorted(elements))
    length = _LENGTHS[True].pack(len(body))
    return bytes(PREAMBLE_LENGTH) + MAGIC + element_head(0x00020000, "UL", 4) + length + body


def _deflated(data_set: Reencoded) -> Reencoded:
    """PS3.5 §A.5: raw deflate, of even length."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    pieces: list[_Step] = [compressor.compress(piece) for piece in data_set]
    pieces.append(compressor.flush())
    size = sum(len(piece) for piece in pieces if not isinstance(piece, _Copy))
    if size % 2:
        pieces.append(b"\0")
    return Reencoded(size + size % 2, data_set.source, pieces)


class _Writer:
    """Writes elements one after another; fills in the lengths of sequences and items when they are known."""

    def __init__(self, source: Buffer, target: Encoding, changes: Changes, inner: InnerChanges) -> None:
        self._source = source
        self._head, self._item_head, self._sequence_delimiter = heads(target)
        self._item_delimiter = item_delimiter(target)
        self._little = target.little_endian
        self._changes = dict(sorted(changes.items()))  # of the data set or item that is being written
        self._inner = inner
        self._plan: list[_Step] = []
        self._tail = bytearray()
        self._before_tail = 0

    @property
    def size(self) -> int:
        return self._before_tail + len(self._tail)

    def finish(self) -> list[_Step]:
        return [*self._plan, self._tail]

    def write_data_set(self, start: int, end: int, encoding: Encoding, *, signed: bool, depth: int) -> None:
        for element in walk(self._source, start, end, encoding, signed=signed, depth=depth):
            if element.tag & 0xFFFF == 0 or (self._changes and self._write_changes(element.tag)):
                continue
            if element.vr == "SQ":
                self._write_sequence(element, encoding, signed=signed, depth=depth)
            elif not element.defined:
                self._write_undefined(element, encoding)
            elif depth and element.tag in self._inner.values:
                value = self._inner.values[element.tag](bytes(self._source[element.start : element.end]))
                self._tail += self._head(element.tag, element.vr, len(value)) + value
            else:
                self._write_value(element, encoding)
            if element.tag == _PIXEL_REPRESENTATION:
                signed = self._source[element.start : element.end].strip(b"\0") == b"\1"
        self._write_changes(_LAST)

    def _write_changes(self, tag: int) -> bool:
        """Write what is new up to a tag; whether the element of this tag is among what changes."""
        changed = tag in self._changes
        for new_tag in list(self._changes):
            if new_tag > tag:
                break
            new = self._changes.pop(new_tag)
            if new is not None:
                self._write_new(new_tag, new)
        return changed

    def _write_new(self, tag: int, new: NewElement) -> None:
        length = UNDEFINED if new.encapsulated else sum(map(len, new.pieces))
        if length >= UNDEFINED and not new.encapsulated:
            raise ServerError(Reason.NOT_ACCEPTABLE, "the pixel data are too long for an uncompressed transfer syntax")
        self._tail += self._head(tag, new.vr, length)
        size = 1 if self._little else word_size(new.vr)
        for piece in new.pieces:
            if len(piece) <= _INLINE:
                self._tail += swap(piece, size)
                continue
            self._plan += (self._tail, piece if size == 1 else swap(piece, size))
            self._before_tail += len(self._tail) + len(piece)
            self._tail = bytearray()
        if new.encapsulated:
            self._tail += SEQUENCE_DELIMITER

    def _write_value(self, element: Element, encoding: Encoding) -> None:
        self._tail += self._head(element.tag, element.vr, element.end - element.start)
        is_same_order = encoding.little_endian is self._little
        self._copy(element.start, element.end, 1 if is_same_order else word_size(element.vr))

    def _write_undefined(self, element: Element, encoding: Encoding) -> None:
        """Fragments; or UN, whose items are in implicit VR little endian whatever is around them (PS3.5 §6.2.2)."""
        if element.vr != "UN" and not (encoding.little_endian and self._little):
            raise ServerError(Reason.NOT_ACCEPTABLE, "the pixel data are in fragments, but in a native transfer syntax")
        self._tail += self._head(element.tag, element.vr, UNDEFINED)
        self._copy(element.start, element.end, 1)
        self._tail += SEQUENCE_DELIMITER

    def _write_sequence(self, element: Element, encoding: Encoding, *, signed: bool, depth: int) -> None:
        self._tail += self._head(element.tag, "SQ", UNDEFINED)
        length_at = self._tail, len(self._tail) - 4, self.size
        inner = self._inner.items.get(element.tag, _NO_CHANGES) if depth == 0 else _NO_CHANGES
        kept = self._inner.kept.get(element.tag) if depth == 0 else None
        for number, (start, end) in enumerate(items(self._source, element, encoding, depth=depth)):
            if kept is not None and number not in kept:
                continue
            self._tail += self._item_head(UNDEFINED)
            item_length_at = self._tail, len(self._tail) - 4, self.size
            around, self._changes = self._changes, dict(sorted(inner.items()))
            self.write_data_set(start, end, encoding, signed=signed, depth=depth + 1)
            self._changes = around
            if self._source[start - 4 : start] == b"\xff\xff\xff\xff":
                self._tail += self._item_delimiter
            else:
                self._set_length(*item_length_at)
        if depth == 0:
            self._tail += self._inner.added.get(element.tag, b"")
        if element.defined:
            self._set_length(*length_at)
        else:
            self._tail += self._sequence_delimiter

    def _set_length(self, place: bytearray, position: int, start: int) -> None:
        length = self.size - start
        if length >= UNDEFINED:
            raise ServerError(Reason.NOT_ACCEPTABLE, "a sequence is too long to be written with its length")
        _LENGTHS[self._little].pack_into(place, position, length)

    def _copy(self, start: int, end: int, size: int) -> None:
        if end - start <= _INLINE:
            self._tail += swap(self._source[start:end], size)
            return
        self._plan += (self._tail, _Copy(start, end, size))
        self._before_tail += len(self._tail) + end - start
        self._tail = bytearray()
