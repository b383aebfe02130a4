"""Elements: the walk over the encoded elements of a data set, bounded in depth and by the buffer. Decodes no values."""

from collections.abc import Iterator
from typing import NamedTuple

from dicomweb_server.dicom.encoding import Buffer, Encoding


class Element(NamedTuple):
    """One encoded element: `start` to `end` is its value, `following` where the next element begins.

    `vr`: as encoded; of the dictionary if implicit (ambiguous ones resolved, "UN" if unknown). `defined` False: the
    length was undefined, so the value is a sequence of items (or fragments) and its delimiter lies between `end` and
    `following`.
    """

    tag: int
    vr: str
    start: int
    end: int
    following: int
    defined: bool


def walk(buffer: Buffer, start: int, end: int, encoding: Encoding) -> Iterator[Element]:
    """The elements of one data set or item in the order of the bytes, not descending into sequences."""
    raise NotImplementedError


def items(buffer: Buffer, element: Element, encoding: Encoding) -> Iterator[tuple[int, int]]:
    """Where the content of each item of a sequence starts and ends.

    The items of a UN element of undefined length are in implicit VR little endian: see `item_encoding`.
    """
    raise NotImplementedError


def item_encoding(element: Element, encoding: Encoding) -> Encoding:
    """The encoding inside a sequence: that of the data set, but for UN of undefined length (PS3.5 §6.2.2 note 2)."""
    raise NotImplementedError


def fragments(buffer: Buffer, offset: int, end: int) -> tuple[list[tuple[int, int]], int]:
    """The (offset, length) of each item of encapsulated pixel data, Basic Offset Table first, and the end of it all."""
    raise NotImplementedError
