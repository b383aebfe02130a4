"""FrameIndex: frame number to the bytes that hold it, found once at ingest. Decodes no pixels, trusts no length."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from dicomweb_server.dicom.arrays import np
from dicomweb_server.dicom.byte_order import swap, word_size
from dicomweb_server.dicom.fragments import find_items, first_fragments
from dicomweb_server.dicom.header import Header, PixelData
from dicomweb_server.errors import Reason, ServerError

Piece = tuple[int, int]  # (offset, length)

_SAMPLES_PER_PIXEL, _PHOTOMETRIC_INTERPRETATION, _NUMBER_OF_FRAMES = 0x00280002, 0x00280004, 0x00280008
_ROWS, _COLUMNS, _BITS_ALLOCATED = 0x00280010, 0x00280011, 0x00280100
_EXTENDED_OFFSET_TABLE = 0x7FE00001
_FLOAT_BITS = {0x7FE00008: 32, 0x7FE00009: 64}  # (Double) Float Pixel Data

# version, flags, bits allocated, VR, tag, count, declared, offset, length, bits of a frame
_HEAD = struct.Struct("<BBH2sIIIQQQ")
_BEFORE_OFFSET = struct.calcsize("<BBH2sIII")
_VERSION = 1
_ENCAPSULATED, _DEFLATED, _BIG_ENDIAN, _VIDEO, _SPLIT, _WIDE = 1, 2, 4, 8, 16, 32
_MOST = 0xFFFFFFFF
_TWO_NARROW = struct.Struct("<II")
_TWO_WIDE = struct.Struct("<QQ")

# MPEG-2, MPEG-4 AVC/H.264, HEVC/H.265 (PS3.6 table A-1); the fragmentable variants end in ".1".
_VIDEO_SYNTAXES = frozenset(
    f"1.2.840.10008.1.2.4.{number}{variant}" for number in range(100, 109) for variant in ("", ".1")
)


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """Where the frames of one instance lie; frames are numbered from 1.

    `count` frames are there; `declared` are said to be there. `offset`, `length`: the value of the pixel data element.
    `frame_bits`: the size of a native frame. `table`, if encapsulated: the starts of the fragments relative to
    `offset`, and where one more would start; before them, if a frame may have several, each frame's first fragment.
    """

    count: int = 0
    declared: int = 0
    tag: int = 0
    vr: str = ""
    bits_allocated: int = 0
    flags: int = 0
    offset: int = 0
    length: int = 0
    frame_bits: int = 0
    table: bytes | memoryview = b""

    @property
    def encapsulated(self) -> bool:
        """The frames are in fragments, mostly compressed."""
        return bool(self.flags & _ENCAPSULATED)

    @property
    def deflated(self) -> bool:
        """Offsets are those of the inflated data set, not of the file."""
        return bool(self.flags & _DEFLATED)

    @property
    def big_endian(self) -> bool:
        """The pixels are big endian: what `locate` finds goes through `restore`."""
        return bool(self.flags & _BIG_ENDIAN)

    @property
    def video(self) -> bool:
        """All fragments together are one stream, which is served as frame 1."""
        return bool(self.flags & _VIDEO)

    @property
    def verbatim(self) -> bool:
        """The located bytes are what is served; otherwise they go through `restore`."""
        return self.frame_bits & 7 == 0 and (not self.flags & _BIG_ENDIAN or self._word_size == 1)

    @property
    def _word_size(self) -> int:
        return word_size(self.vr) if self.flags & _BIG_ENDIAN else 1

    def pack(self) -> bytes:
        """The index as bytes to be stored; of constant size for native pixel data."""
        vr = self.vr.encode("ascii")
        numbers = self.tag, self.count, self.declared, self.offset, self.length, self.frame_bits
        return _HEAD.pack(_VERSION, self.flags, self.bits_allocated, vr, *numbers) + self.table

    @classmethod
    def unpack(cls, packed: bytes) -> FrameIndex:
        """The index that `pack` wrote. The table is not read: a frame costs the same in a long one."""
        version, flags, bits, vr, tag, count, declared, offset, length, frame_bits = _HEAD.unpack_from(packed)
        if version != _VERSION:
            raise ServerError(Reason.STORAGE_DAMAGED, f"the frame index has version {version}, expected {_VERSION}")
        table = memoryview(packed)[_HEAD.size :]
        name = vr.decode("ascii").rstrip("\0")
        return cls(count, declared, tag, name, bits, flags, offset, length, frame_bits, table)

    def shifted(self, distance: int) -> FrameIndex:
        """The index of the same data set where it starts `distance` bytes later in its file."""
        return self if self.deflated else replace(self, offset=self.offset + distance)

    def span(self) -> Piece:
        """The whole value; of encapsulated pixel data with its items and delimiter. (0, 0) without pixel data."""
        return self.offset, self.length

    def size(self, frame_number: int) -> int:
        """How many bytes a frame has when it is served."""
        if self.encapsulated:
            return sum(length for _, length in self.locate(frame_number))
        self._check(frame_number)
        return (self.frame_bits + 7) // 8

    def locate(self, frame_number: int) -> tuple[Piece, ...]:
        """The pieces of a frame, in order. ServerError: BAD_REQUEST below 1, NOT_FOUND beyond the last frame."""
        if not 0 < frame_number <= self.count:
            self._check(frame_number)
        if self.flags & _ENCAPSULATED:
            return self._fragments(frame_number - 1)
        if self.verbatim:
            length = self.frame_bits // 8
            return ((self.offset + (frame_number - 1) * length, length),)
        return (self._words(frame_number),)

    def restore(self, frame_number: int, located: bytes) -> bytes:
        """The frame as it is served, from its located bytes: little endian, its first bit the first of a byte.

        PS3.5 §8.1.1: frames of single bits are packed without padding, so that one may start inside a byte.
        """
        if self.verbatim or self.encapsulated:
            return located
        start = self._words(frame_number)[0] - self.offset
        bit = (frame_number - 1) * self.frame_bits - 8 * start
        return extract_bits(swap(located, self._word_size), bit, self.frame_bits)

    def _check(self, frame_number: int) -> None:
        if frame_number < 1:
            raise ServerError(Reason.BAD_REQUEST, f"frame number {frame_number}: frames are numbered from 1")
        if frame_number > self.count:
            raise ServerError(Reason.NOT_FOUND, f"there is no frame {frame_number}: {self._why_not()}")

    def _why_not(self) -> str:
        if not self.tag:
            return "the instance has no pixel data"
        if self.video:
            return "the whole video stream is frame 1"
        if self.count < self.declared:
            return f"of {self.declared} declared frames the pixel data hold {self.count}"
        return f"the instance has {self.count}"

    def _fragments(self, frame: int) -> tuple[Piece, ...]:
        wide = self.flags & _WIDE
        width = 8 if wide else 4
        if not self.flags & _SPLIT:
            start, following = (_TWO_WIDE if wide else _TWO_NARROW).unpack_from(self.table, frame * width)
            return ((self.offset + start, following - start - 8),)
        first, last = _TWO_NARROW.unpack_from(self.table, frame * 4)
        base = 4 * (self.count + 1) + first * width
        starts = struct.unpack_from(f"<{last - first + 1}{'Q' if wide else 'I'}", self.table, base)
        return tuple((self.offset + a, b - a - 8) for a, b in pairwise(starts))

    def _words(self, frame_number: int) -> Piece:
        """The whole words around a frame that does not start or end on a byte, or whose words are swapped."""
        size = self._word_size
        first_bit = (frame_number - 1) * self.frame_bits
        start = first_bit // (8 * size) * size
        end = min(-(-(first_bit + self.frame_bits) // (8 * size)) * size, self.length)
        return self.offset + start, end - start


def moved(packed: bytes, offset: int) -> bytes:
    """A packed index whose pixel data begin elsewhere."""
    return packed[:_BEFORE_OFFSET] + offset.to_bytes(8, "little") + packed[_BEFORE_OFFSET + 8 :]


def extract_bits(data: bytes, bit_offset: int, bit_count: int) -> bytes:
    """`bit_count` bits from `bit_offset` on, bit 0 being the lowest of the first byte, packed from the first bit on."""
    if bit_offset % 8 == 0 and bit_count % 8 == 0:
        return data[bit_offset // 8 : (bit_offset + bit_count) // 8]
    bits = int.from_bytes(data, "little") >> bit_offset & (1 << bit_count) - 1
    return bits.to_bytes((bit_count + 7) // 8, "little")


def index_frames(header: Header) -> FrameIndex:
    """The frame index of an instance. Never fails: what cannot be served is not counted."""
    pixel_data = header.pixel_data
    if pixel_data is None:
        return FrameIndex()
    number = header.integer(_NUMBER_OF_FRAMES)
    declared = 1 if number is None or number < 1 else min(number, _MOST)
    bits = _FLOAT_BITS.get(pixel_data.tag) or header.integer(_BITS_ALLOCATED) or 0
    bits = bits if 0 < bits <= 0xFFFF else 0
    if pixel_data.length is None:
        return _index_encapsulated(header, pixel_data, declared, bits)
    return _index_native(header, pixel_data, declared, bits)


def _index_native(header: Header, pixel_data: PixelData, declared: int, bits: int) -> FrameIndex:
    length = max(min(pixel_data.length or 0, header.end - pixel_data.offset), 0)
    samples = header.integer(_SAMPLES_PER_PIXEL) or 1
    rows, columns = header.integer(_ROWS) or 0, header.integer(_COLUMNS) or 0
    frame_bits = rows * columns * samples * bits if min(rows, columns, samples) > 0 else 0
    # In YBR_FULL_422 two pixels share their chrominance (PS3.3 §C.7.6.3.1.2); some write the name and all samples.
    if samples == 3 and declared * frame_bits > 8 * length and _is_subsampled(header):
        frame_bits = frame_bits // 3 * 2
    count = min(declared, 8 * length // frame_bits) if frame_bits else 0
    flags = _DEFLATED * header.encoding.deflated
    if not header.encoding.little_endian:
        flags |= _BIG_ENDIAN
    frame_bits = frame_bits if count else 0
    return FrameIndex(
        count, declared, pixel_data.tag, pixel_data.vr, bits, flags, pixel_data.offset, length, frame_bits
    )


def _is_subsampled(header: Header) -> bool:
    return header.layout.get(_PHOTOMETRIC_INTERPRETATION, b"").rstrip(b" \0").endswith(b"_422")


def _index_encapsulated(header: Header, pixel_data: PixelData, declared: int, bits: int) -> FrameIndex:
    offset = pixel_data.offset
    items = find_items(header.buffer, offset, header.end)
    length = min(items[-1], header.end) - offset  # with the delimiter, which is as long as the head of an item
    video = header.transfer_syntax_uid in _VIDEO_SYNTAXES
    extended_offset_table = header.layout.get(_EXTENDED_OFFSET_TABLE, b"")
    firsts = first_fragments(header.buffer, items, 1 if video else declared, extended_offset_table)
    flags = _ENCAPSULATED | _DEFLATED * header.encoding.deflated | _VIDEO * video
    count = len(firsts) - 1
    packed = b""
    if count:
        flags |= _WIDE * (length > _MOST)
        packed, split = _table(items, firsts, offset, "<u8" if length > _MOST else "<u4")
        flags |= _SPLIT * split
    return FrameIndex(count, declared, pixel_data.tag, pixel_data.vr, bits, flags, offset, length, 0, packed)


def _table(items: Sequence[int], firsts: Sequence[int], offset: int, dtype: str) -> tuple[bytes, bool]:
    """The table of a FrameIndex, and whether frames of several fragments are in it."""
    starts = np.array(items[1:], dtype="<u8") - np.uint64(offset)
    if len(firsts) == firsts[-1] + 1:  # they ascend, so it is one fragment a frame
        return starts[: len(firsts)].astype(dtype).tobytes(), False
    return np.array(firsts, dtype="<u4").tobytes() + starts.astype(dtype).tobytes(), True
