"""Value field: the JSON values of one attribute (PS3.18 §F.2) to its encoded bytes, little endian, text in UTF-8.

Strict: what cannot be encoded as its VR says is an error that names the attribute, never its value.
"""

import math
import re
import struct
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable, Sequence
from functools import partial

from dicomweb_server.errors import Reason, ServerError

_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_INTEGER = re.compile(r" *[-+]?[0-9]{1,20} *\Z").match
_TAG = re.compile(r"[0-9A-Fa-f]{8}\Z").match
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_LONGEST_DECIMAL = 16  # of DS (PS3.5 table 6.2-1)
_CODES = {"FD": "d", "FL": "f", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}
_MAX_IS = 2**53


class _UnexpectedError(Exception):
    """A value is not what its VR allows; the message says what was expected."""


def value_field(vr: str, values: Sequence[object], path: str) -> bytes:
    """The encoded values of an attribute that is neither a sequence nor binary, padded to an even length.

    `path`: the attribute, for the ServerError(CANNOT_UNDERSTAND) about it.
    """
    encode = _ENCODE.get(vr)
    if encode is None:
        raise cannot_encode(path, f"VR {vr} takes InlineBinary or BulkDataURI, not Value")
    try:
        raw = encode(values)
    except _UnexpectedError as unexpected:
        raise cannot_encode(path, f"expected {unexpected} as VR {vr} says") from None
    return padded(raw, vr)


def inline_binary(text: object, vr: str, path: str) -> bytes:
    """The bytes of an InlineBinary, padded to an even length."""
    if not isinstance(text, str):
        raise cannot_encode(path, "InlineBinary is not a string")
    try:
        return padded(a2b_base64(text.encode("ascii"), strict_mode=True), vr)
    except (Base64Error, UnicodeEncodeError):
        raise cannot_encode(path, "InlineBinary is not base64") from None


def padded(raw: bytes, vr: str) -> bytes:
    """The value with its padding: a blank behind text, NUL behind UIDs and bytes (PS3.5 §6.2)."""
    if len(raw) % 2 == 0:
        return raw
    return raw + (b" " if vr in _TEXT_VRS else b"\0")


def cannot_encode(path: str, problem: str) -> ServerError:
    """The error of an attribute that cannot be encoded."""
    return ServerError(Reason.CANNOT_UNDERSTAND, f"attribute {path}: {problem}")


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise _UnexpectedError("text without lone surrogates") from None


def _word(value: object) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, str) or "\\" in value:
        raise _UnexpectedError("strings without backslashes, or null,")
    return _utf8(value)


def _words(values: Sequence[object]) -> bytes:
    return b"\\".join(map(_word, values))


def _paragraph(values: Sequence[object]) -> bytes:
    if len(values) != 1 or not isinstance(values[0], str | None):
        raise _UnexpectedError("one string")
    return _utf8(values[0] or "")


def _name(value: object) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, dict) or not value.keys() <= set(_GROUPS):
        raise _UnexpectedError("objects of Alphabetic, Ideographic and Phonetic")
    groups = [value.get(group) or "" for group in _GROUPS]
    if not all(isinstance(group, str) and not set(group) & {"=", "\\"} for group in groups):
        raise _UnexpectedError("strings without = and backslash in each component group")
    return _utf8("=".join(groups).rstrip("="))


def _names(values: Sequence[object]) -> bytes:
    return b"\\".join(map(_name, values))


def _decimal(value: object) -> bytes:
    if value is None:
        return b""
    if isinstance(value, str) and "\\" not in value:
        return _utf8(value)  # numbers that a double cannot hold, and what a careless modality wrote, come as strings
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(_as_float(value)):
        raise _UnexpectedError("finite numbers, or strings,")
    text = repr(value)
    digits = _LONGEST_DECIMAL
    while len(text) > _LONGEST_DECIMAL:
        digits -= 1
        text = f"{value:.{digits}g}"
    return text.encode("ascii")


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _decimals(values: Sequence[object]) -> bytes:
    return b"\\".join(map(_decimal, values))


def _integer(value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and _INTEGER(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _UnexpectedError("integers")
    return value


def _integer_string(value: object) -> bytes:
    if value is None:
        return b""
    if isinstance(value, str) and "\\" not in value:
        return _utf8(value)
    number = _integer(value)
    if abs(number) > _MAX_IS:
        raise _UnexpectedError("integers of 32 bits")
    return b"%d" % number


def _integer_strings(values: Sequence[object]) -> bytes:
    return b"\\".join(map(_integer_string, values))


def _binary_integers(code: str, values: Sequence[object]) -> bytes:
    try:
        return struct.pack(f"<{len(values)}{code}", *map(_integer, values))
    except struct.error:
        raise _UnexpectedError(f"integers of {8 * struct.calcsize(f'<{code}')} bits, signed or not") from None


def _float(value: object) -> float:
    if isinstance(value, str):
        value = _NOT_FINITE.get(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        value = _as_float(value)
        if math.isinf(value):
            raise _UnexpectedError("numbers within the range")
    elif isinstance(value, float) and not math.isfinite(value):
        raise _UnexpectedError("numbers within the range")  # 1e400 in the text; an infinity that is meant is a string
    if not isinstance(value, float):
        raise _UnexpectedError('numbers, or "NaN", "Infinity", "-Infinity"')
    return value


def _floats(code: str, values: Sequence[object]) -> bytes:
    try:
        return struct.pack(f"<{len(values)}{code}", *map(_float, values))
    except OverflowError:
        raise _UnexpectedError("numbers within the range") from None


def _tags(values: Sequence[object]) -> bytes:
    if not all(isinstance(value, str) and _TAG(value) for value in values):
        raise _UnexpectedError("tags of eight hexadecimal digits")
    return b"".join(struct.pack("<HH", int(str(value)[:4], 16), int(str(value)[4:], 16)) for value in values)


_WORD_VRS = ("AE", "AS", "CS", "DA", "DT", "LO", "SH", "TM", "UC", "UI")
_PARAGRAPH_VRS = ("LT", "ST", "UR", "UT")
_TEXT_VRS = frozenset({*_WORD_VRS, *_PARAGRAPH_VRS, "DS", "IS", "PN"} - {"UI"})
_ENCODE: dict[str, Callable[[Sequence[object]], bytes]] = {
    **dict.fromkeys(_WORD_VRS, _words),
    **dict.fromkeys(_PARAGRAPH_VRS, _paragraph),
    **{vr: partial(_floats if vr in ("FD", "FL") else _binary_integers, code) for vr, code in _CODES.items()},
    "AT": _tags,
    "DS": _decimals,
    "IS": _integer_strings,
    "PN": _names,
}
