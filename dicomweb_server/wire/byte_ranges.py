"""Byte ranges of a representation (RFC 9110 §14): which bytes are asked for. Bounded, and never reads any."""

import re
from dataclasses import dataclass

from dicomweb_server.errors import Reason, ServerError

MAX_RANGES = 16
MAX_HEADER_LENGTH = 1024

_SPEC = re.compile(r"[ \t]*(?:([0-9]{1,19})-([0-9]{0,19})|-([0-9]{1,19}))[ \t]*\Z")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """`length` bytes from `offset`."""

    offset: int
    length: int

    def content_range(self, size: int) -> str:
        """The value of Content-Range for a representation of `size` bytes."""
        return f"bytes {self.offset}-{self.offset + self.length - 1}/{size}"


def parse_range(header: str, size: int) -> tuple[ByteRange, ...]:
    """The ranges asked for, in the order of the request; none means that the whole representation is to be sent.

    A header that is malformed, of another unit, or abusive (many ranges, or more bytes than the whole) is ignored, as
    RFC 9110 §14.2 allows. ServerError(RANGE_NOT_SATISFIABLE) if no range touches the representation.
    """
    unit, equals, specs = header.partition("=")
    if unit.strip().lower() != "bytes" or not equals or len(header) > MAX_HEADER_LENGTH:
        return ()
    listed = [spec for spec in specs.split(",") if spec.strip()]
    if not 0 < len(listed) <= MAX_RANGES:
        return ()
    ranges: list[ByteRange] = []
    for spec in listed:
        found = _SPEC.match(spec)
        if not found or (found[2] and int(found[2]) < int(found[1])):
            return ()
        first, last = _bounds(found, size)
        if first <= last:
            ranges.append(ByteRange(first, last - first + 1))
    if not ranges:
        raise ServerError(Reason.RANGE_NOT_SATISFIABLE, f"the range lies outside of the {size} bytes of the resource")
    if len(ranges) > 1 and sum(part.length for part in ranges) > size:
        return ()
    return tuple(ranges)


def _bounds(found: re.Match[str], size: int) -> tuple[int, int]:
    if found[3] is not None:
        return max(0, size - int(found[3])), size - 1 if int(found[3]) else -1
    return int(found[1]), min(int(found[2]), size - 1) if found[2] else size - 1
