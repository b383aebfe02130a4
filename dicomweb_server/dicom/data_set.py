"""DataSet: the attributes of an instance or item, read one by one where they lie. Never fails for a value that is odd.

For consumers of many attributes, nested ones too, such as rendering; `reading` makes the JSON of them all.
"""

import struct
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice, takewhile

from dicomweb_server.dicom.charset import Charset, charset_of
from dicomweb_server.dicom.dictionary import US_OR_SS, public_vr
from dicomweb_server.dicom.elements import Element, item_encoding, items, walk
from dicomweb_server.dicom.encoding import IMPLICIT_LITTLE, PIXEL_DATA_TAGS, Buffer, Encoding
from dicomweb_server.dicom.header import Header
from dicomweb_server.errors import ServerError

_CHARACTER_SET, _PIXEL_REPRESENTATION = 0x00080005, 0x00280103
_PADDING = " \0"
_CODES = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q", "AT": "H"}
_TEXT_NUMBERS = frozenset({"DS", "IS"})
_MOST_VALUES = 1 << 20
_LARGEST = 1e100


class DataSet:
    """The elements of one data set or item. Attributes that are absent, empty or ill-formed have no values."""

    def __init__(
        self,
        buffer: Buffer,
        start: int,
        end: int,
        encoding: Encoding,
        *,
        signed: bool = False,
        depth: int = 0,
        charset: Charset | None = None,
    ) -> None:
        self._buffer = buffer
        self._start, self._end = start, end
        self._encoding = encoding
        self._depth = depth
        self._outer = charset
        self._signed = signed

    @cached_property
    def _elements(self) -> Mapping[int, Element]:
        """By tag; the first of equal ones. A part that cannot be read ends it: what precedes the pixels may be all."""
        found: dict[int, Element] = {}
        try:
            for element in walk(
                self._buffer, self._start, self._end, self._encoding, signed=self._signed, depth=self._depth
            ):
                found.setdefault(element.tag, element)
                if element.tag in PIXEL_DATA_TAGS:
                    break
        except ServerError:
            pass
        return found

    def __contains__(self, tag: int) -> bool:
        return tag in self._elements

    def tags(self) -> Iterator[int]:
        """The tags that are there, in their order."""
        return iter(self._elements)

    @property
    def little_endian(self) -> bool:
        """The byte order of binary values."""
        return self._encoding.little_endian

    @cached_property
    def is_signed(self) -> bool:
        """Whether Pixel Representation, here or around this item, says two's complement."""
        return bool(self.integer(_PIXEL_REPRESENTATION, int(self._signed)))

    @cached_property
    def charset(self) -> Charset:
        """How its text is decoded."""
        if _CHARACTER_SET in self._elements:
            return charset_of(self.raw(_CHARACTER_SET))
        return self._outer or charset_of(b"")

    def raw(self, tag: int) -> bytes:
        """The encoded value, b"" without one."""
        element = self._elements.get(tag)
        return self._buffer[element.start : element.end] if element else b""

    def vr(self, tag: int) -> str:
        """The VR of an attribute: of the dictionary where the encoded one is UN."""
        element = self._elements.get(tag)
        if element is None:
            return ""
        if element.vr != "UN" or tag >> 16 & 1:
            return element.vr
        known = public_vr(tag)
        return ("SS" if self.is_signed else "US") if known == US_OR_SS else known

    def texts(self, tag: int) -> list[str]:
        """The values of an attribute of text, without padding."""
        raw = self.raw(tag)
        if not raw:
            return []
        vr = self.vr(tag)
        if vr in ("ST", "LT", "UT", "UR"):
            return [self.charset.decode(raw).rstrip(_PADDING)]
        text = self.charset.decode_name(raw) if vr == "PN" else self.charset.decode(raw)
        return [one.strip(_PADDING) for one in text.split("\\")]

    def text(self, tag: int) -> str:
        """The first of them, "" without any."""
        return next(iter(self.texts(tag)), "")

    def numbers(self, tag: int) -> list[float]:
        """The values of a numeric attribute, up to the first that is no finite number."""
        if tag not in self._elements:
            return []
        vr = self.vr(tag)
        if vr in _TEXT_NUMBERS:
            return list(_parsed(self.raw(tag)))
        code = _CODES.get(vr)
        if code is None:
            return []
        raw = self.raw(tag)
        count = min(len(raw) // struct.calcsize("<" + code), _MOST_VALUES)
        unpacked = struct.unpack_from(f"{'<' if self.little_endian else '>'}{count}{code}", raw)
        return list(takewhile(_is_reasonable, unpacked)) if code in "fd" else list(unpacked)

    def number(self, tag: int) -> float | None:
        """The first of them."""
        return next(iter(self.numbers(tag)), None)

    def integers(self, tag: int) -> list[int]:
        """The same as integers."""
        return [int(number) for number in self.numbers(tag)]

    def integer(self, tag: int, default: int = 0) -> int:
        """The first of them."""
        return next(iter(self.integers(tag)), default)

    def items(self, tag: int) -> Iterator["DataSet"]:
        """The items of a sequence, as far as they can be read."""
        element = self._elements.get(tag)
        if element is None or self.vr(tag) not in ("SQ", "UN"):
            return
        inner = item_encoding(element, self._encoding)
        if element.vr == "UN" and element.defined:
            # PS3.5 §6.2.2 note 2 says that it may be a sequence in implicit VR.
            inner = IMPLICIT_LITTLE
        try:
            for start, end in items(self._buffer, element, self._encoding, depth=self._depth):
                yield DataSet(
                    self._buffer,
                    start,
                    end,
                    inner,
                    signed=self.is_signed,
                    depth=self._depth + 1,
                    charset=self.charset,
                )
        except ServerError:
            return

    def item(self, tag: int, number: int = 1) -> "DataSet | None":
        """One item of a sequence, counted from 1."""
        return next(islice(self.items(tag), number - 1, None), None)


def data_set_of(header: Header) -> DataSet:
    """The data set of an instance that was opened."""
    return DataSet(header.buffer, header.start, header.end, header.encoding)


def _parsed(raw: bytes) -> Iterator[float]:
    for text in raw.decode("ascii", "replace").split("\\", _MOST_VALUES):
        try:
            number = float(text.strip(_PADDING))
        except ValueError:
            return
        if not _is_reasonable(number):
            return
        yield number


def _is_reasonable(number: float) -> bool:
    """Neither infinite, nor not a number, nor so large that computing with it makes it so."""
    return abs(number) < _LARGEST
