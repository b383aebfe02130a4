"""Headers of compressed streams made by hand: enough to be described, not to be decoded. 20 columns, 10 rows."""

import struct


def segment(marker: int, content: bytes = b"") -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg(
    marker: int, *, samples: int = 1, bits: int = 8, selection: int = 0, sampling: int = 0x11, extra: bytes = b""
) -> bytes:
    components = b"".join(bytes((number, sampling if number == 1 else 0x11, 0)) for number in range(1, samples + 1))
    frame = segment(marker, struct.pack(">BHHB", bits, 10, 20, samples) + components)
    scan = segment(0xDA, bytes((samples,)) + b"\1\0" * samples + bytes((selection, 63, 0)))
    return b"\xff\xd8" + extra + segment(0xDB, b"\0" * 65) + frame + segment(0xC4, b"\0" * 20) + scan + b"data\xff\xd9"


def jpeg_2000(*, samples: int = 1, depth: int = 7, mixed: int = 0, wavelet: int = 1, extra: bytes = b"") -> bytes:
    size = struct.pack(">HIIIIIIIIH", 0, 25, 12, 5, 2, 20, 10, 0, 0, samples) + bytes((depth, 1, 1)) * samples
    coding = struct.pack(">BBHBBBBBB", 0, 0, 1, mixed, 5, 4, 4, 0, wavelet)
    return b"\xff\x4f" + segment(0x51, size) + extra + segment(0x52, coding) + segment(0x5C, b"\0") + b"\xff\x90data"


def jp2(codestream: bytes, *, long: bool = False) -> bytes:
    box = b"\0\0\0\1jp2c" + struct.pack(">Q", len(codestream) + 16) if long else b"\0\0\0\0jp2c"
    return b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x14ftypjp2 \0\0\0\0jp2 " + box + codestream
