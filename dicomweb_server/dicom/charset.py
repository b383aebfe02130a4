"""Charset: text of any Specific Character Set (PS3.3 §C.12.1.1.2) to Unicode. Never fails: U+FFFD stands for the rest.

Labels are read generously. Where none says otherwise, bytes above 7F are UTF-8 if they can be, else Latin-1: both
occur in data sets without a label. The byte 5C of JIS X 0201 becomes a backslash, not a yen sign, as it does in other
DICOM software; it delimits values all the same.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial

Decode = Callable[[bytes], str]

# ISO-IR numbers of the single-byte sets, and Python's names for their codecs. The codec of 13 takes the double-byte
# characters of Shift JIS as well, which files so labelled contain.
_SINGLE_BYTE = {
    "6": "ascii",
    "100": "latin-1",
    "101": "iso8859-2",
    "109": "iso8859-3",
    "110": "iso8859-4",
    "144": "iso8859-5",
    "127": "iso8859-6",
    "126": "iso8859-7",
    "138": "iso8859-8",
    "148": "iso8859-9",
    "203": "iso8859-15",
    "166": "iso8859-11",
    "13": "shift_jis",
    "192": "utf-8",
}
_NAMED = {"GB18030": "gb18030", "GBK": "gbk"}
# Double-byte sets of G1, which can only be reached by an escape, but are often used without one.
_G1_DOUBLE_BYTE = {"149": "euc_kr", "58": "gb2312"}

_ASCII = "ascii"
_KANJI, _SUPPLEMENTARY_KANJI = "87", "159"

# PS3.3 tables C.12-3 and C.12-4: what each escape sequence puts into G0 or G1.
_G0_ESCAPES = {
    b"\x1b(B": _ASCII,
    b"\x1b(J": "shift_jis",
    b"\x1b$B": _KANJI,
    b"\x1b$@": _KANJI,
    b"\x1b$(D": _SUPPLEMENTARY_KANJI,
}
_G1_ESCAPES = {
    b"\x1b-A": "latin-1",
    b"\x1b-B": "iso8859-2",
    b"\x1b-C": "iso8859-3",
    b"\x1b-D": "iso8859-4",
    b"\x1b-L": "iso8859-5",
    b"\x1b-G": "iso8859-6",
    b"\x1b-F": "iso8859-7",
    b"\x1b-H": "iso8859-8",
    b"\x1b-M": "iso8859-9",
    b"\x1b-b": "iso8859-15",
    b"\x1b-T": "iso8859-11",
    b"\x1b)I": "shift_jis",
    b"\x1b$)C": "euc_kr",
    b"\x1b$)A": "gb2312",
}
_ESCAPE = re.compile(b"|".join(re.escape(escape) for escape in (_G0_ESCAPES | _G1_ESCAPES)))
_LABEL = re.compile(r"ISO[ _-]?(2022)?[ _-]?IR[ _-]?(\d+)")

# Where the initial sets are in force again (PS3.5 §6.1.2.5.3): behind each of these.
_DELIMITER = re.compile(rb"[\\\r\n\f\t]")
_NAME_DELIMITER = re.compile(rb"[\\\r\n\f\t^=]")
_CONTROL = re.compile(rb"[\r\n\f\t]")


@dataclass(frozen=True, slots=True)
class Charset:
    """How the text of one data set is decoded; `decode_name` for person names, whose delimiters are more.

    In both results a backslash is the delimiter of values: as a part of a multi-byte character it is gone.
    """

    key: str  # charsets of equal keys decode alike
    decode: Decode = field(compare=False)
    decode_name: Decode = field(compare=False)


@lru_cache(maxsize=256)
def charset_of(label: bytes) -> Charset:
    """The character set that a value of Specific Character Set (0008,0005) names."""
    terms = [term.strip(" \0").upper() for term in label[:256].decode("ascii", "replace").split("\\")]
    numbers = [_number(term) for term in terms]
    first = numbers[0]
    if len(terms) == 1 and first not in _G1_DOUBLE_BYTE and first not in (_KANJI, _SUPPLEMENTARY_KANJI):
        codec = _NAMED.get(first) or _SINGLE_BYTE.get(first, _ASCII)
        decode = _guess if codec == _ASCII else partial(_decode, codec=codec)
        return Charset(codec, decode, decode)
    initial = _SINGLE_BYTE.get(first, _ASCII)
    declared = [_G1_DOUBLE_BYTE[number] for number in numbers if number in _G1_DOUBLE_BYTE]
    fallback = declared[0] if declared else initial
    return Charset(
        f"{initial} {fallback}",
        partial(_decode_extended, initial=initial, fallback=fallback, delimiter=_DELIMITER),
        partial(_decode_extended, initial=initial, fallback=fallback, delimiter=_NAME_DELIMITER),
    )


def _number(term: str) -> str:
    match = _LABEL.fullmatch(term)
    if match:
        return match[2].lstrip("0") or "6"
    return {"": "6", "UTF-8": "192", "UTF8": "192", "ISO_192": "192", "ISO 192": "192"}.get(term, term)


def _decode(raw: bytes, codec: str) -> str:
    return raw.decode(codec, "replace")


def _guess(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _decode_extended(raw: bytes, initial: str, fallback: str, delimiter: re.Pattern[bytes]) -> str:
    """ISO 2022 code extensions (PS3.5 §6.1.2.5): pieces between escapes, each with the sets then in force."""
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii")
    out = []
    start_g1 = fallback if initial == _ASCII else initial
    g0, g1 = _ASCII, start_g1
    position = following = 0
    while position < len(raw):
        escape = _ESCAPE.match(raw, position)
        if escape:
            g0 = _G0_ESCAPES.get(escape[0], g0)
            g1 = _G1_ESCAPES.get(escape[0], g1)
            position = escape.end()
            continue
        double = g0 in (_KANJI, _SUPPLEMENTARY_KANJI)
        if following <= position:
            found = raw.find(b"\x1b", position + 1)
            following = found if found >= 0 else len(raw)
        end = following
        reset = (_CONTROL if double else delimiter).search(raw, position, end)
        if reset:
            end = reset.end()
        piece = raw[position:end]
        out.append(_decode_double(piece, g0) if double else _decode_piece(piece, g1))
        if reset:
            g0, g1 = _ASCII, start_g1
        position = end
    return "".join(out)


def _decode_piece(piece: bytes, codec: str) -> str:
    if piece.isascii():
        return piece.decode("ascii")
    return _guess(piece) if codec == _ASCII else piece.decode(codec, "replace")


_HIGH = bytes(byte | 0x80 if 0x21 <= byte <= 0x7E else byte for byte in range(256))
_PAIRS = re.compile(rb"[\x21-\x7e]{2}")


def _decode_double(piece: bytes, g0: str) -> str:
    """Text with JIS X 0208 or JIS X 0212 in G0: the same pairs of bytes that EUC has with the high bits set."""
    if g0 == _KANJI:
        return piece.translate(_HIGH).decode("euc_jp", "replace")
    return _PAIRS.sub(lambda pair: b"\x8f" + pair[0].translate(_HIGH), piece).decode("euc_jp", "replace")
