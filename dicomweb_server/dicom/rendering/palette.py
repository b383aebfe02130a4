"""Palette: indices to colours (PS3.3 §C.7.6.3.1.5, §C.7.9), from plain and segmented tables."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dicomweb_server.dicom.arrays import NDArray, np
from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.grayscale import Pixels
from dicomweb_server.dicom.rendering.lookup_table import LookupTable, table_of, unusable

_DESCRIPTORS = (0x00281101, 0x00281102, 0x00281103)
_DATA = (0x00281201, 0x00281202, 0x00281203)
_SEGMENTED = (0x00281221, 0x00281222, 0x00281223)
_NAMES = ("Red", "Green", "Blue")
_MOST_ENTRIES = 65536
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Palette:
    """One table for each of red, green and blue."""

    tables: tuple[LookupTable, LookupTable, LookupTable]

    @property
    def first(self) -> int:
        """The lowest index that has a colour of its own."""
        return self.tables[0].first

    def colours(self) -> NDArray[np.uint8]:
        """All colours, in 8 bits."""
        longest = max(len(table.values) for table in self.tables)
        inputs = np.arange(self.first, self.first + longest)
        return np.stack([_eight_bits(table, table.look_up(inputs)) for table in self.tables], axis=-1)

    def look_up(self, indices: Pixels) -> NDArray[np.uint8]:
        """The pixels in RGB; an index outside of the tables has the colour of the nearest one inside."""
        colours = self.colours()
        index = np.clip(indices.astype(np.int64) - self.first, 0, len(colours) - 1)
        return colours[index]


def palette_of(data_set: DataSet) -> Palette | None:
    """The palette of an image, presentation state or colour palette instance; None if it has none.

    ServerError(CANNOT_UNDERSTAND) if a part of it is missing or cannot be used.
    """
    if not any(tag in data_set for tag in (*_DESCRIPTORS, *_DATA, *_SEGMENTED)):
        return None
    red, green, blue = (_table(data_set, position) for position in range(3))
    return Palette((red, green, blue))


def _table(data_set: DataSet, position: int) -> LookupTable:
    name = _NAMES[position]
    descriptor = data_set.integers(_DESCRIPTORS[position])
    if len(descriptor) != 3:
        raise unusable(f"{name} Palette Color Lookup Table Descriptor must have three values")
    plain, segmented = _DATA[position], _SEGMENTED[position]
    if data_set.raw(plain):
        table = table_of(descriptor, data_set.raw(plain), data_set.vr(plain), little_endian=data_set.little_endian)
    elif data_set.raw(segmented):
        words = np.frombuffer(data_set.raw(segmented)[: len(data_set.raw(segmented)) // 2 * 2], dtype="<u2")
        words = words if data_set.little_endian else words.byteswap()
        entries = expanded([int(word) for word in words])
        used = max(8 if descriptor[2] <= 8 else 16, int(entries.max()).bit_length())
        table = LookupTable(descriptor[1], used, entries.tobytes())
    else:
        raise unusable(f"{name} Palette Color Lookup Table Data are missing")
    # First values are unsigned if the pixels are; some write them in the other VR (US or SS).
    first = table.first & 0xFFFF if not data_set.is_signed else table.first
    return replace(table, first=first)


def _eight_bits(table: LookupTable, values: NDArray[np.uint16]) -> NDArray[np.uint8]:
    if table.bits <= 8:
        return values.astype(np.uint8)
    # 16-bit tables are often 8-bit ones in disguise: the low byte, or both, hold the value (as DCMTK sees it too).
    if int(table.values.max()) <= 0xFF:
        return values.astype(np.uint8)
    return (values >> 8).astype(np.uint8)


def expanded(words: list[int]) -> NDArray[np.uint16]:
    """The entries of a segmented table (PS3.3 §C.7.9.2); ServerError if it breaks the rules or would never end."""
    entries: list[int] = []
    _expand(words, 0, len(words), entries, None)
    if not entries:
        raise unusable("a segmented palette has no entries")
    return np.array(entries[:_MOST_ENTRIES], dtype=np.uint16)


def _expand(words: list[int], position: int, end: int, entries: list[int], most: int | None) -> int:
    """Expand segments up to `end`, or `most` of them; where the next one begins."""
    done = 0
    while position + 2 <= end and (most is None or done < most):
        kind, length = words[position], words[position + 1]
        position += 2
        if kind == _DISCRETE:
            entries += words[position : position + length]
            position += length
        elif kind == _LINEAR:
            _interpolate(words, position, length, entries)
            position += 1
        elif kind == _INDIRECT and most is None:
            _repeat(words, position, length, entries)
            position += 2
        else:
            raise unusable(f"a segmented palette has a segment of type {kind} where it cannot be")
        if len(entries) > _MOST_ENTRIES:
            raise unusable(f"a segmented palette has more than {_MOST_ENTRIES} entries")
        done += 1
    return position


def _interpolate(words: list[int], position: int, length: int, entries: list[int]) -> None:
    if not entries or position >= len(words):
        raise unusable("a linear segment of a palette has nothing to start or end with")
    if length:
        line = np.linspace(entries[-1], words[position], length + 1)[1:]
        entries += [int(value) for value in np.rint(line)]


def _repeat(words: list[int], position: int, count: int, entries: list[int]) -> None:
    """An indirect segment: `count` segments again, from a byte offset on, which is given as two words."""
    if position + 2 > len(words):
        raise unusable("an indirect segment of a palette ends too early")
    start = (words[position] | words[position + 1] << 16) // 2
    _expand(words, start, len(words), entries, count)
