"""Byte order: the word size of each binary VR, and swapping, for Explicit VR Big Endian. Never in place."""

from __future__ import annotations

from dicomweb_server.dicom.arrays import np

WORD_SIZES = {
    **dict.fromkeys(("AT", "OW", "SS", "US"), 2),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}


def word_size(vr: str, bits_allocated: int = 0) -> int:
    """How many bytes are swapped together in values of a VR (PS3.5 §7.3); 1 for text and bytes.

    `bits_allocated`, for pixel data: words of 32 and 64 bits in OW are swapped as a whole, as other software does.
    """
    size = WORD_SIZES.get(vr, 1)
    return bits_allocated // 8 if vr == "OW" and bits_allocated in (32, 64) else size


def swap(data: bytes | memoryview, size: int) -> bytes:
    """`data` with the bytes of each word of `size` bytes reversed; an incomplete last word stays as it is."""
    if size == 1:
        return bytes(data)
    whole = len(data) // size * size
    words = np.frombuffer(data, dtype=f"<u{size}", count=whole // size)
    return words.byteswap().tobytes() + bytes(data[whole:])
