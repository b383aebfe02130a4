"""Byte order: the word size of each binary VR, and swapping, for Explicit VR Big Endian. Never in place."""

from __future__ import annotations

from dicomweb_server.dicom.arrays import np

WORD_SIZES = {
    **dict.fromkeys(("AT", "OW", "SS", "US"), 2),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}


def word_size(vr: str) -> int:
    """How many bytes are swapped together in values of a VR (PS3.5 2016b §7.3); 1 for text and bytes.

    Pixels in OW too are words of 16 bits: a larger cell goes on in the next word, its low bits first (§6.2).
    """
    return WORD_SIZES.get(vr, 1)


def swap(data: bytes | memoryview, size: int) -> bytes:
    """`data` with the bytes of each word of `size` bytes reversed; an incomplete last word stays as it is."""
    if size == 1:
        return bytes(data)
    whole = len(data) // size * size
    words = np.frombuffer(data, dtype=f"<u{size}", count=whole // size)
    return words.byteswap().tobytes() + bytes(data[whole:])
