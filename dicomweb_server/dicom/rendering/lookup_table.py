"""LookupTable: the tables of modality, VOI, presentation (PS3.3 §C.11.1, §C.11.2, §C.11.6), and of palettes."""

from __future__ import annotations

from dataclasses import dataclass

from dicomweb_server.dicom.arrays import NDArray, np
from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.errors import Reason, ServerError

_DESCRIPTOR, _DATA = 0x00283002, 0x00283006
_MOST_ENTRIES = 65536


@dataclass(frozen=True, slots=True)
class LookupTable:
    """`entries` (uint16, as bytes) for input values from `first` on; what lies outside gets the nearest entry."""

    first: int
    bits: int
    entries: bytes

    @property
    def values(self) -> NDArray[np.uint16]:
        """The entries."""
        return np.frombuffer(self.entries, dtype=np.uint16)

    @property
    def highest(self) -> int:
        """The largest value that the entries may have."""
        return (1 << self.bits) - 1

    def look_up(self, inputs: NDArray[np.floating] | NDArray[np.integer]) -> NDArray[np.uint16]:
        """The entries of input values."""
        values = self.values
        rounded = np.rint(inputs) if inputs.dtype.kind == "f" else inputs
        index = np.clip(rounded.astype(np.int64) - self.first, 0, len(values) - 1)
        return values[index]


def lookup_table(item: DataSet) -> LookupTable:
    """The table of a LUT item; ServerError(CANNOT_UNDERSTAND) if its descriptor or data are not what they must be."""
    descriptor = item.integers(_DESCRIPTOR)
    if len(descriptor) != 3:
        raise unusable("LUT Descriptor (0028,3002) must have three values")
    return table_of(descriptor, item.raw(_DATA), item.vr(_DATA), little_endian=item.little_endian)


def table_of(descriptor: list[int], data: bytes, vr: str, *, little_endian: bool) -> LookupTable:
    """The table of a descriptor and its data; fewer entries than it promises are as many as there are."""
    count, first, bits = descriptor
    count = (count & 0xFFFF) or _MOST_ENTRIES
    del vr  # OW and US are words; a value of OB or UN was words before somebody lost its VR
    entries = np.frombuffer(data[: len(data) // 2 * 2], dtype="<u2" if little_endian else ">u2")
    if bits <= 8 and count > 1 and len(data) < 2 * count:
        # Two entries a word, as of old (PS3.3 §C.11.1.1 allows it for 8 bits).
        entries = np.frombuffer(data, dtype=np.uint8).astype(np.uint16)
        if not little_endian:
            entries = entries[: len(entries) // 2 * 2].reshape(-1, 2)[:, ::-1].reshape(-1)
    entries = entries[:count].astype(np.uint16)
    if not len(entries):
        raise unusable("a lookup table has no entries")
    used = max(8 if bits <= 8 else min(bits, 16), int(entries.max()).bit_length())
    return LookupTable(first, used, entries.tobytes())


def unusable(problem: str) -> ServerError:
    """An attribute that rendering needs is not what the standard wants it to be."""
    return ServerError(Reason.CANNOT_UNDERSTAND, f"this cannot be rendered: {problem}")
