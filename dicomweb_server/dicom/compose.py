"""Compose: DICOM JSON and the bulk data it refers to, received apart (PS3.18 §10.5), to one Part 10 instance.

Strict with its input; off the hot path. Text becomes UTF-8, pixel data stay as they came.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dicomweb_server.dicom.dictionary import US_OR_SS, private_vr, public_vr
from dicomweb_server.dicom.element_head import element_head, item_head
from dicomweb_server.dicom.elements import VR_BYTES
from dicomweb_server.dicom.encoding import DELIMITER_GROUP, MAX_DEPTH, UNDEFINED
from dicomweb_server.dicom.part10 import file_meta
from dicomweb_server.dicom.pixel_parts import OCTETS, BulkPart, encapsulate_parts
from dicomweb_server.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN, require_uid
from dicomweb_server.dicom.value_field import cannot_encode, inline_binary, padded, value_field
from dicomweb_server.errors import Reason, ServerError

__all__ = ["BulkPart", "compose", "compose_data_set", "encoded"]

Pieces = list[bytes | memoryview]
Bulk = Mapping[str, Sequence[BulkPart]]

_CHARACTER_SET, _SOP_CLASS_UID, _INSTANCE_UID = "00080005", "00080016", "00080018"
_NUMBER_OF_FRAMES, _BITS_ALLOCATED, _PIXEL_REPRESENTATION = "00280008", "00280100", "00280103"
_TRANSFER_SYNTAX_UID = "00020010"
_PIXEL_DATA = "7FE00010"
_DOCUMENT, _DOCUMENT_TYPE, _DOCUMENT_LENGTH = "00420011", "00420012", "00420015"
_HEX = frozenset("0123456789ABCDEF")
_CONTENT = ("Value", "BulkDataURI", "InlineBinary")


def compose(document: object, bulk: Bulk) -> Pieces:
    """The Part 10 file, in pieces, of a DICOM JSON object and the parts that its BulkDataURIs name.

    `bulk`: under each URI its parts in order, several for the frames of compressed pixel data. ServerError:
    CANNOT_UNDERSTAND, MISSING_BULK_DATA, MISSING_UID, and what the pixel data may contradict.
    """
    attributes = dict(_attributes(document, ""))
    named_syntax = _first_text(attributes.pop(_TRANSFER_SYNTAX_UID, None))
    attributes = {tag: attribute for tag, attribute in attributes.items() if tag[:4] != "0002"}
    composer = _Composer(bulk)
    transfer_syntax_uid = EXPLICIT_VR_LITTLE_ENDIAN
    pixels: Sequence[bytes | memoryview] | None = None
    parts = composer.parts(attributes.get(_PIXEL_DATA), _PIXEL_DATA)
    if parts and parts[0].media_type != OCTETS:
        encapsulated = encapsulate_parts(parts, named_syntax, _first_integer(attributes.get(_NUMBER_OF_FRAMES)))
        attributes = {**encapsulated.described, **attributes}
        transfer_syntax_uid, pixels = encapsulated.transfer_syntax_uid, encapsulated.pieces
    _describe_document(attributes, composer)
    _label_as_utf8(attributes)
    meta = file_meta(
        require_uid(_first_text(attributes.get(_SOP_CLASS_UID)), "SOPClassUID"),
        require_uid(_first_text(attributes.get(_INSTANCE_UID)), "SOPInstanceUID"),
        transfer_syntax_uid,
    )
    return [meta, *composer.data_set(attributes, "", 0, pixels)]


def compose_data_set(document: object) -> bytes:
    """The bare data set, in explicit VR little endian, of a DICOM JSON object without bulk data; ServerError."""
    return b"".join(_Composer({}).data_set(document, "", 0))


def encoded(document: object) -> bytes:
    """The elements of a DICOM JSON object without bulk data in Explicit VR Little Endian, text in UTF-8."""
    attributes = dict(_attributes(document, ""))
    _label_as_utf8(attributes)
    return b"".join(_Composer({}).data_set(attributes, "", 0))


def _attributes(document: object, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The attributes of a data set or item in ascending order, their tags in upper case and checked."""
    if not isinstance(document, dict):
        raise cannot_encode(path.rstrip("/") or "(the data set)", "expected a JSON object of attributes")
    seen = set()
    for key in sorted(document, key=str):
        tag = key.upper()
        if len(tag) != 8 or not _HEX.issuperset(tag):
            raise cannot_encode(path + ascii(key)[:40], "expected a tag of eight hexadecimal digits")
        if int(tag[:4], 16) in (0, DELIMITER_GROUP, 0xFFFF) or tag in seen:
            raise cannot_encode(path + tag, "this tag cannot be in a data set, or is there twice")
        if not isinstance(document[key], dict):
            raise cannot_encode(path + tag, "expected a JSON object with vr and Value")
        seen.add(tag)
        if tag[4:] != "0000":  # group lengths, which have no meaning here
            yield tag, document[key]


def _first(attribute: Mapping[str, Any] | None) -> object:
    values = attribute.get("Value") if attribute else None
    return values[0] if isinstance(values, list) and values else None


def _first_text(attribute: Mapping[str, Any] | None) -> str:
    value = _first(attribute)
    return value.strip(" \0") if isinstance(value, str) else ""


def _first_integer(attribute: Mapping[str, Any] | None) -> int | None:
    value = _first(attribute)
    if isinstance(value, str) and value.strip().isdecimal() and len(value) <= 12:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _label_as_utf8(attributes: dict[str, Any]) -> None:
    """Text is written in UTF-8, so Specific Character Set has to say so where anything is not ASCII (PS3.18 §F.2)."""
    if _first(attributes.get(_CHARACTER_SET)) is not None or not _is_ascii(attributes.values()):
        attributes[_CHARACTER_SET] = {"vr": "CS", "Value": ["ISO_IR 192"]}


def _is_ascii(values: Iterable[object]) -> bool:
    """Whether all text in a JSON tree is ASCII; without recursion, for its depth is not yet checked."""
    stack = [iter(values)]
    while stack:
        for value in stack[-1]:
            if isinstance(value, str):
                if not value.isascii():
                    return False
            elif isinstance(value, dict | list):
                stack.append(iter(value.values() if isinstance(value, dict) else value))
                break
        else:
            stack.pop()
    return True


def _describe_document(attributes: dict[str, Any], composer: "_Composer") -> None:
    """Type and length of an encapsulated document that came as a part of its own (PS3.3 §C.24.2)."""
    parts = composer.parts(attributes.get(_DOCUMENT), _DOCUMENT)
    if parts:
        length = sum(len(part.data) for part in parts)
        attributes.setdefault(_DOCUMENT_LENGTH, {"vr": "UL", "Value": [length]})
        if parts[0].media_type != OCTETS:
            attributes.setdefault(_DOCUMENT_TYPE, {"vr": "LO", "Value": [parts[0].media_type]})


@dataclass(frozen=True, slots=True)
class _Composer:
    """Encodes data sets; knows the bulk data that was sent."""

    bulk: Bulk

    def parts(self, attribute: Mapping[str, Any] | None, path: str) -> Sequence[BulkPart]:
        """The parts that an attribute refers to; none if it refers to none."""
        if attribute is None or "BulkDataURI" not in attribute:
            return ()
        uri = attribute["BulkDataURI"]
        if not isinstance(uri, str):
            raise cannot_encode(path, "BulkDataURI is not a string")
        parts = self.bulk.get(uri)
        if not parts:
            raise ServerError(Reason.MISSING_BULK_DATA, f"attribute {path}: no part has its BulkDataURI as location")
        return parts

    def data_set(
        self, document: object, path: str, depth: int, pixels: Sequence[bytes | memoryview] | None = None
    ) -> Pieces:
        """The encoded elements. `pixels`: the value of encapsulated pixel data, instead of what `document` has."""
        pieces: Pieces = []
        attributes = dict(_attributes(document, path))
        for tag in sorted(attributes):
            if tag == _PIXEL_DATA and pixels is not None:
                pieces += (element_head(int(tag, 16), "OB", UNDEFINED), *pixels)
            else:
                pieces += self._element(tag, attributes, path, depth)
        return pieces

    def _element(self, tag: str, attributes: Mapping[str, Any], path: str, depth: int) -> Pieces:
        attribute, here = attributes[tag], path + tag
        vr = _vr(tag, attribute, attributes, here)
        present = [key for key in _CONTENT if attribute.get(key) is not None]
        if len(present) > 1:
            raise cannot_encode(here, f"has both {present[0]} and {present[1]}")
        value: Pieces = []
        if present == ["BulkDataURI"]:
            value = self._bulk_value(tag, vr, attribute, here)
        elif present == ["InlineBinary"]:
            value = [inline_binary(attribute["InlineBinary"], vr, here)]
        elif present:
            value = self._value(vr, attribute["Value"], here, depth)
        length = sum(map(len, value))
        if length >= UNDEFINED:
            raise ServerError(Reason.TOO_LARGE, f"attribute {here}: the value has 4 GiB or more")
        return [element_head(int(tag, 16), vr, length), *value]

    def _value(self, vr: str, values: object, path: str, depth: int) -> Pieces:
        if not isinstance(values, list):
            raise cannot_encode(path, "Value is not an array")
        if vr == "SQ":
            return self._items(values, path, depth)
        return [value_field(vr, values, path)] if values else []

    def _items(self, values: list[object], path: str, depth: int) -> Pieces:
        if depth >= MAX_DEPTH:
            raise cannot_encode(path, f"sequences are nested deeper than {MAX_DEPTH}")
        pieces: Pieces = []
        for number, item in enumerate(values, 1):
            content = self.data_set({} if item is None else item, f"{path}/{number}/", depth + 1)
            length = sum(map(len, content))
            if length >= UNDEFINED:
                raise ServerError(Reason.TOO_LARGE, f"attribute {path}: an item has 4 GiB or more")
            pieces += (item_head(length), *content)
        return pieces

    def _bulk_value(self, tag: str, vr: str, attribute: Mapping[str, Any], path: str) -> Pieces:
        parts = self.parts(attribute, path)
        is_document = tag == _DOCUMENT and vr == "OB"
        if vr == "SQ" or not (is_document or all(part.media_type == OCTETS for part in parts)):
            problem = f"attribute {path}: expected bulk data of type {OCTETS}"
            raise ServerError(Reason.UNSUPPORTED_MEDIA_TYPE, problem)
        content: Pieces = [part.data for part in parts]
        padding = padded(b"\0" * (sum(map(len, content)) % 2), vr)[1:]
        return [*content, padding]


def _vr(tag: str, attribute: Mapping[str, Any], attributes: Mapping[str, Any], path: str) -> str:
    """The VR as given, or of the dictionary; pixel data in 16 bits are words (PS3.5 §8.1.2)."""
    vr = attribute.get("vr")
    if vr is None:
        vr = _dictionary_vr(tag, attributes)
    if not isinstance(vr, str) or vr not in VR_BYTES:
        raise cannot_encode(path, "the vr is not one of PS3.5 table 6.2-1")
    if tag == _PIXEL_DATA and (vr == "UN" or attribute.get("vr") is None):
        return "OW" if (_first_integer(attributes.get(_BITS_ALLOCATED)) or 16) > 8 else "OB"
    return vr


def _dictionary_vr(tag: str, attributes: Mapping[str, Any]) -> str:
    number = int(tag, 16)
    if number >> 16 & 1:
        return private_vr(_first_text(attributes.get(f"{tag[:4]}00{tag[4:6]}")), number)
    vr = public_vr(number)
    if vr == US_OR_SS:
        return "SS" if _first_integer(attributes.get(_PIXEL_REPRESENTATION)) == 1 else "US"
    return vr
