"""Edit value: what an element is to become, as clients write it (text, items, a data URI), to its bytes in a data set.

Checked when it is made, so that a request fails before any instance is touched. Errors name the attribute.
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dicomweb_server.dicom.byte_order import swap, word_size
from dicomweb_server.dicom.charset import Charset
from dicomweb_server.dicom.dictionary import US_OR_SS, private_vr, public_vr
from dicomweb_server.dicom.edit_path import EditPath, edit_path, tag_text
from dicomweb_server.dicom.encoding import MAX_DEPTH
from dicomweb_server.dicom.text_encoding import CHARSET_VRS, encoded_text
from dicomweb_server.dicom.uids import is_valid_uid
from dicomweb_server.dicom.value_field import padded, value_field
from dicomweb_server.errors import Reason, ServerError

_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_NUMBERS = {"FD": float, "FL": float, "SL": int, "SS": int, "SV": int, "UL": int, "US": int, "UV": int}
_DATA_URI = re.compile(r"data:[^,]{0,200};base64,", re.ASCII)
_TAG_VALUE = re.compile(r"([0-9A-Fa-f]{4})[,-]?([0-9A-Fa-f]{4})", re.ASCII)
_STRICT_UIDS = frozenset({0x00080016, 0x00080018, 0x0020000D, 0x0020000E})


@dataclass(frozen=True, slots=True)
class EditValue:
    """The new value of an element: text (or numbers as text), bytes, or items. `vr`: where the file has no better."""

    tag: int
    vr: str
    text: str | None = None
    data: bytes | None = None
    items: tuple[tuple["EditValue", ...], ...] | None = None
    _memo: dict[tuple[str, str, bool], bytes | None] = field(default_factory=dict, compare=False, repr=False)

    def encoded(self, vr: str, charset: Charset, *, little_endian: bool) -> bytes | None:
        """The bytes of a value that is no sequence; None if the character set cannot say it."""
        key = (vr, charset.key, little_endian)
        if key not in self._memo:
            self._memo[key] = self._encode(vr, charset, little_endian=little_endian)
        return self._memo[key]

    def is_sayable(self, charset: Charset) -> bool:
        """Whether a character set can say it, and all that is in it."""
        if self.items is not None:
            return all(value.is_sayable(charset) for item in self.items for value in item)
        return self.text is None or self.vr not in CHARSET_VRS or encoded_text(self.text, charset) is not None

    def _encode(self, vr: str, charset: Charset, *, little_endian: bool) -> bytes | None:
        if self.data is not None:
            raw = padded(self.data, vr)
        elif vr in _NUMBERS or vr == "AT":
            raw = _numbers(vr, self.text or "", self.tag)
        else:
            text = encoded_text(self.text or "", charset)
            if text is None:
                return None
            raw = padded(text, vr)
        return raw if little_endian else swap(raw, word_size(vr))


def edit_value(path: EditPath, value: object, private_creator: str = "") -> EditValue:
    """The new value of a path; ServerError(BAD_REQUEST) if it is not of a form that its VR allows."""
    return _value(path.tag, value, private_creator, 0)


def _value(tag: int, value: object, creator: str, depth: int) -> EditValue:
    vr = _vr(tag, creator)
    if value is None:
        value = ""
    if isinstance(value, list):
        if vr not in ("SQ", "UN") or (vr == "UN" and not all(isinstance(item, dict) for item in value)):
            raise _wrong(tag, "this attribute is no sequence, so its value has to be a string")
        return EditValue(tag, "SQ", items=_items(tag, value, creator, depth))
    if not isinstance(value, str):
        raise _wrong(tag, "bad parameter type: expected a string, or an array of objects for a sequence")
    return _text_value(tag, vr, value)


def _text_value(tag: int, vr: str, value: str) -> EditValue:
    uri = _DATA_URI.match(value)
    if uri:
        return EditValue(tag, vr, data=_base64(tag, value[uri.end() :]))
    if vr == "SQ":
        if value:
            raise _wrong(tag, "expected an array of objects, because it is a sequence")
        return EditValue(tag, vr, items=())
    if vr in _BINARY:
        if not value.isascii() or (vr not in ("UN", "OB") and value):
            raise _wrong(tag, "expected a data URI in base64, because it is binary")
        return EditValue(tag, vr, data=value.encode("ascii"))
    if vr in _NUMBERS or vr == "AT":
        _numbers(vr, value, tag)
    elif vr not in CHARSET_VRS and not value.isascii():
        raise _wrong(tag, f"expected ASCII, because its VR is {vr}")
    if tag in _STRICT_UIDS and not is_valid_uid(value):
        raise _wrong(tag, "expected a UID of at most 64 digits and dots")
    if not _is_encodable(value):
        raise _wrong(tag, "expected text without lone surrogates")
    return EditValue(tag, vr, text=value)


def _items(tag: int, items: list[Any], creator: str, depth: int) -> tuple[tuple[EditValue, ...], ...]:
    if depth >= MAX_DEPTH // 2:
        raise _wrong(tag, "sequences are nested too deeply")
    return tuple(_item(tag, item, creator, depth + 1) for item in items)


def _item(tag: int, item: object, creator: str, depth: int) -> tuple[EditValue, ...]:
    if not isinstance(item, Mapping):
        raise _wrong(tag, "expected an array of objects, because it is a sequence")
    values: dict[int, EditValue] = {}
    for name, value in item.items():
        path = edit_path(str(name))
        if path.steps or path.tag in values:
            raise _wrong(tag, "an item names an attribute twice, or by a path")
        values[path.tag] = _value(path.tag, value, creator, depth)
    return tuple(values[tag] for tag in sorted(values))


def _vr(tag: int, creator: str) -> str:
    if tag >> 16 in (0, 2, 0xFFFE) or tag & 0xFFFF == 0:
        raise _wrong(tag, "this attribute cannot be edited")
    if tag >> 16 & 1:
        return private_vr(creator, tag)
    vr = public_vr(tag)
    return "US" if vr == US_OR_SS else vr


def _numbers(vr: str, text: str, tag: int) -> bytes:
    parts = text.split("\\") if text else []
    if vr == "AT":
        tags = [_TAG_VALUE.fullmatch(part.strip()) for part in parts]
        if not all(tags):
            raise _wrong(tag, "expected tags as gggg,eeee")
        return value_field(vr, [match[1] + match[2] for match in tags if match], tag_text(tag)) if tags else b""
    try:
        values = [_NUMBERS[vr](part) for part in parts]
        return value_field(vr, values, tag_text(tag)) if values else b""
    except (ValueError, ServerError):
        raise _wrong(tag, f"expected numbers, because its VR is {vr}") from None


def _base64(tag: int, text: str) -> bytes:
    try:
        return a2b_base64(text.encode("ascii"), strict_mode=True)
    except (Base64Error, UnicodeEncodeError):
        raise _wrong(tag, "the data URI is not base64") from None


def _is_encodable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _wrong(tag: int, problem: str) -> ServerError:
    return ServerError(Reason.BAD_REQUEST, f"tag {tag_text(tag)}: {problem}")
