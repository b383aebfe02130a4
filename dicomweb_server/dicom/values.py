"""Values: the value field of one element, by VR, to DICOM JSON (PS3.18 §F.2) and to the text that an index keeps.

Choices where the standard leaves one: DS and IS are JSON numbers, spelt as the file spells them, unless a double would
lose digits or the text is no number: then strings. SV and UV are always strings. NaN and infinities of FL and FD are
the strings "NaN", "Infinity", "-Infinity". Bytes behind the last whole value of a binary VR are ignored.
"""

import math
import re
import struct
from binascii import b2a_base64
from collections.abc import Callable
from decimal import Decimal

import orjson

from dicomweb_server.dicom.byte_order import swap, word_size
from dicomweb_server.dicom.charset import Charset

# (value field, character set, byte order "<" or ">") to what follows the VR in the JSON, or to the text for the index
ToJson = Callable[[bytes, Charset, str], bytes]
ToText = Callable[[bytes, Charset, str], str]

# Printable ASCII that JSON and every character set take as it is, and that is no delimiter.
_PLAIN = re.compile(rb"[ !#-\[\]-~]*").fullmatch
# Values of DS and IS whose spelling is a JSON number, of at most 15 digits, so that a double keeps them all.
_SHORT = rb"(?=[-.\d]{1,16} *(?:\\|\Z))-?(?:0|[1-9]\d{0,14})"
_PLAIN_DECIMALS = re.compile(rb" *%b(?:\.\d+)? *(?:\\ *%b(?:\.\d+)? *)*" % (_SHORT, _SHORT)).fullmatch
_PLAIN_INTEGERS = re.compile(rb" *%b *(?:\\ *%b *)*" % (_SHORT, _SHORT)).fullmatch
_DECIMAL = re.compile(r"([-+]?)(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d{1,4}))?", re.ASCII).fullmatch
_INTEGER = re.compile(r"[-+]?\d{1,16}", re.ASCII).fullmatch

_PADDING = " \0"
_PADDING_BYTES = b" \0"
_ZERO = ord("0")
_MAX_SAFE_INTEGER = 2**53


def _json_texts(texts: list[str]) -> bytes:
    if len(texts) == 1 and not texts[0]:
        return b""
    return b',"Value":' + orjson.dumps([text or None for text in texts])


def _words_to_json(raw: bytes, charset: Charset, order: str) -> bytes:
    word = raw.strip(_PADDING_BYTES)
    if _PLAIN(word):
        return b',"Value":["' + word + b'"]' if word else b""
    return _json_texts(_words(raw, charset))


def _words(raw: bytes, charset: Charset) -> list[str]:
    return [text.strip(_PADDING) for text in charset.decode(raw).split("\\")]


def _words_to_text(raw: bytes, charset: Charset, order: str) -> str:
    word = raw.strip(_PADDING_BYTES)
    if _PLAIN(word):
        return word.decode("ascii")
    return "\\".join(_words(raw, charset))


def _unlimited(raw: bytes, charset: Charset) -> list[str]:
    # Leading blanks are significant in UC (PS3.5 table 6.2-1).
    return [text.rstrip(_PADDING) for text in charset.decode(raw).split("\\")]


def _unlimited_to_json(raw: bytes, charset: Charset, order: str) -> bytes:
    return _json_texts(_unlimited(raw, charset))


def _unlimited_to_text(raw: bytes, charset: Charset, order: str) -> str:
    return "\\".join(_unlimited(raw, charset))


def _paragraph_to_json(raw: bytes, charset: Charset, order: str) -> bytes:
    return _json_texts([_paragraph_to_text(raw, charset, order)])


def _paragraph_to_text(raw: bytes, charset: Charset, order: str) -> str:
    return charset.decode(raw).rstrip(_PADDING)


_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def _names(raw: bytes, charset: Charset) -> list[list[str]]:
    """The component groups of each name; what is behind a third "=" has no place in a name and is dropped."""
    names = charset.decode_name(raw).split("\\")
    return [[group.strip(_PADDING) for group in name.split("=")[:3]] for name in names]


def _names_to_json(raw: bytes, charset: Charset, order: str) -> bytes:
    if _PLAIN(raw) and b"=" not in raw:
        name = raw.strip(b" ")
        return b',"Value":[{"Alphabetic":"' + name + b'"}]' if name else b""
    names = [
        {key: group for key, group in zip(_GROUPS, groups, strict=False) if group} or None
        for groups in _names(raw, charset)
    ]
    return b"" if names == [None] else b',"Value":' + orjson.dumps(names)


def _names_to_text(raw: bytes, charset: Charset, order: str) -> str:
    return "\\".join("=".join(groups).rstrip("=") for groups in _names(raw, charset))


def _numbers_to_json(raw: bytes, number: Callable[[str], bytes | None]) -> bytes:
    texts = [text.strip(_PADDING) for text in raw.decode("latin-1").split("\\")]
    if texts == [""]:
        return b""
    return b',"Value":[' + b",".join(number(text) or orjson.dumps(text or None) for text in texts) + b"]"


def _decimal(text: str) -> bytes | None:
    """The text as a JSON number of the same value, None if it is none or a double cannot hold it."""
    match = _DECIMAL(text)
    if match is None or len(text) > 64 or not (match[2] or match[3]):
        return None
    sign, whole, fraction, exponent = match.groups()
    normal = ("-" if sign == "-" else "") + ((whole or "").lstrip("0") or "0")
    normal += f".{fraction}" if fraction else ""
    normal += f"e{int(exponent)}" if exponent else ""
    double = float(normal)
    if math.isinf(double) or Decimal(repr(double)) != Decimal(normal):
        return None
    return normal.encode("ascii")


def _integer(text: str) -> bytes | None:
    if not _INTEGER(text):
        return None
    number = int(text)
    return b"%d" % number if abs(number) <= _MAX_SAFE_INTEGER else None


def _decimals_to_json(raw: bytes, charset: Charset, order: str) -> bytes:
    if _PLAIN_DECIMALS(raw):
        return b',"Value":[' + raw.replace(b" ", b"").replace(b"\\", b",") + b"]"
    return _numbers_to_json(raw, _decimal)


def _integers_to_json(raw: bytes, charset: Charset, order: str) -> bytes:
    if _PLAIN_INTEGERS(raw):
        return b',"Value":[' + raw.replace(b" ", b"").replace(b"\\", b",") + b"]"
    return _numbers_to_json(raw, _integer)


def _integers_to_text(raw: bytes, charset: Charset, order: str) -> str:
    word = raw.strip(_PADDING_BYTES)
    if word.isdigit() and len(word) < 16 and word[0] != _ZERO:
        return word.decode("ascii")
    texts = [text.strip(_PADDING) for text in raw.decode("latin-1").split("\\")]
    return "\\".join((_integer(text) or text.encode("utf-8")).decode("utf-8") for text in texts)


def _unpack(code: str, size: int, raw: bytes, order: str) -> tuple[int | float, ...]:
    count = len(raw) // size
    values: tuple[int | float, ...] = struct.unpack_from(f"{order}{count}{code}", raw)
    return values


def _binary(code: str) -> tuple[ToJson, ToText]:
    size = struct.calcsize(f"<{code}")

    def to_json(raw: bytes, charset: Charset, order: str) -> bytes:
        values = _unpack(code, size, raw, order)
        if len(values) == 1:
            return b',"Value":[%d]' % values
        return b',"Value":' + orjson.dumps(values) if values else b""

    def to_text(raw: bytes, charset: Charset, order: str) -> str:
        return "\\".join(map(str, _unpack(code, size, raw, order)))

    return to_json, to_text


def _long_binary(code: str) -> tuple[ToJson, ToText]:
    def to_json(raw: bytes, charset: Charset, order: str) -> bytes:
        values = _unpack(code, 8, raw, order)
        return b',"Value":' + orjson.dumps([str(value) for value in values]) if values else b""

    def to_text(raw: bytes, charset: Charset, order: str) -> str:
        return "\\".join(map(str, _unpack(code, 8, raw, order)))

    return to_json, to_text


def _not_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _floating(code: str) -> tuple[ToJson, ToText]:
    size = struct.calcsize(f"<{code}")

    def to_json(raw: bytes, charset: Charset, order: str) -> bytes:
        values = _unpack(code, size, raw, order)
        if not values:
            return b""
        if not all(map(math.isfinite, values)):
            return b',"Value":' + orjson.dumps([v if math.isfinite(v) else _not_finite(v) for v in values])
        return b',"Value":' + orjson.dumps(values)

    def to_text(raw: bytes, charset: Charset, order: str) -> str:
        return "\\".join(map(str, _unpack(code, size, raw, order)))

    return to_json, to_text


def _tags(raw: bytes, order: str) -> list[str]:
    numbers = _unpack("H", 2, raw[: len(raw) // 4 * 4], order)
    return [f"{group:04X}{element:04X}" for group, element in zip(numbers[::2], numbers[1::2], strict=True)]


def _tags_to_json(raw: bytes, charset: Charset, order: str) -> bytes:
    tags = _tags(raw, order)
    return b',"Value":' + orjson.dumps(tags) if tags else b""


def _tags_to_text(raw: bytes, charset: Charset, order: str) -> str:
    return "\\".join(_tags(raw, order))


# The VRs that JSON carries as base64 or by reference.
BINARY_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"UN"})


def inline_binary(vr: bytes, raw: bytes, order: str) -> bytes:
    """What follows the VR in the JSON of a binary attribute that is not left to a bulk data URI."""
    if not raw:
        return b""
    content = raw if order == "<" else swap(raw, word_size(vr.decode("ascii")))
    return b',"InlineBinary":"' + b2a_base64(content, newline=False) + b'"'


_WORD = (_words_to_json, _words_to_text)
_PARAGRAPH = (_paragraph_to_json, _paragraph_to_text)

_BOTH: dict[bytes, tuple[ToJson, ToText]] = {
    b"AE": _WORD,
    b"AS": _WORD,
    b"AT": (_tags_to_json, _tags_to_text),
    b"CS": _WORD,
    b"DA": _WORD,
    b"DS": (_decimals_to_json, _words_to_text),
    b"DT": _WORD,
    b"FD": _floating("d"),
    b"FL": _floating("f"),
    b"IS": (_integers_to_json, _integers_to_text),
    b"LO": _WORD,
    b"LT": _PARAGRAPH,
    b"PN": (_names_to_json, _names_to_text),
    b"SH": _WORD,
    b"SL": _binary("i"),
    b"SS": _binary("h"),
    b"ST": _PARAGRAPH,
    b"SV": _long_binary("q"),
    b"TM": _WORD,
    b"UC": (_unlimited_to_json, _unlimited_to_text),
    b"UI": _WORD,
    b"UL": _binary("I"),
    b"UR": _PARAGRAPH,
    b"US": _binary("H"),
    b"UT": _PARAGRAPH,
    b"UV": _long_binary("Q"),
}
TO_JSON: dict[bytes, ToJson] = {vr: both[0] for vr, both in _BOTH.items()}
TO_TEXT: dict[bytes, ToText] = {vr: both[1] for vr, both in _BOTH.items()}
