"""multipart/related: a reader fed with chunks of any size, and the pieces of a writer. No I/O; copies no part data."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from dicomweb_server.errors import Reason, ServerError

# RFC 2046 §5.1.1: 1 to 70 of `bchars`, the last of them not a space. Orthanc sends 73 of them: length does no harm.
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,199}[0-9A-Za-z'()+_,./:=?-]\Z")
_FIELD_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_PADDING = b" \t"
_HEADER_END = b"\r\n\r\n"
_MAX_PADDING = 256


@dataclass(frozen=True, slots=True)
class Limits:
    """What one body may hold at most: bytes and fields in the header of a part, and parts."""

    header_bytes: int = 16_384
    header_fields: int = 64
    parts: int = 100_000


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class PartBegin:
    """A part starts; its header fields by lower-case name, repeated ones joined by a comma."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PartData:
    """Some bytes of the part, a view into what was fed."""

    data: memoryview


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part is whole."""


@dataclass(frozen=True, slots=True)
class End:
    """The closing delimiter was read; what follows is ignored."""


Event = PartBegin | PartData | PartEnd | End

_PART_END = PartEnd()
_END = End()


class _State(Enum):
    PREAMBLE = "preamble"
    DELIMITER = "delimiter"
    HEADER = "header"
    DATA = "data"
    EPILOGUE = "epilogue"


def check_boundary(boundary: str) -> bytes:
    """The bytes of a boundary; ServerError(BAD_REQUEST) if it breaks RFC 2046 §5.1.1."""
    if not _BOUNDARY.match(boundary):
        raise ServerError(Reason.BAD_REQUEST, "multipart boundary: 1 to 200 characters of RFC 2046 expected")
    return boundary.encode("ascii")


class Reader:
    """Reads one multipart body: `feed` the chunks in order, then `finish`.

    The events of `feed` must be taken whole before the next call. An error is raised after the events of everything
    that came before it, so complete parts of a broken body are not lost.
    """

    def __init__(self, boundary: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self._delimiter = b"\r\n--" + check_boundary(boundary)
        self._limits = limits
        self._state = _State.PREAMBLE
        self._in_part = False
        self._parts = 0
        # A delimiter includes the line break before it; this stands for the one before the first line.
        self._held = b"\r\n"

    @property
    def ended(self) -> bool:
        """Whether the closing delimiter was read."""
        return self._state is _State.EPILOGUE

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that these bytes complete."""
        if self._state is _State.EPILOGUE or not chunk:
            return
        # What is held is short (a possible start of a delimiter, or a header), so this seldom copies much.
        data = self._held + chunk if self._held else chunk
        self._held = b""
        view = memoryview(data)
        position: int | None = 0
        while position is not None:
            if self._state is _State.PREAMBLE:
                position = self._read_preamble(data, position)
            elif self._state is _State.DELIMITER:
                position, events = self._read_delimiter(data, position)
                yield from events
            elif self._state is _State.HEADER:
                position, headers = self._read_header(data, position)
                if headers is not None:
                    yield PartBegin(headers)
            elif self._state is _State.DATA:
                found, after = self._find_data_end(data, position)
                if found > position:
                    yield PartData(view[position:found])
                position = after
            else:
                return

    def finish(self) -> None:
        """The body ended; ServerError(BAD_REQUEST) if its closing delimiter did not come."""
        if self._state is _State.PREAMBLE:
            raise ServerError(Reason.BAD_REQUEST, "multipart body: no line with the boundary of the Content-Type found")
        if self._state is not _State.EPILOGUE:
            raise ServerError(
                Reason.BAD_REQUEST, f"multipart body: ended inside part {self._parts}, without the closing delimiter"
            )

    def _read_preamble(self, data: bytes, start: int) -> int | None:
        found = data.find(self._delimiter, start)
        if found < 0:
            self._held = data[-len(self._delimiter) :]
            return None
        self._state = _State.DELIMITER
        return found

    def _read_delimiter(self, data: bytes, start: int) -> tuple[int | None, Sequence[Event]]:
        """What follows a delimiter says whether it is one: "--", or white space and the end of the line."""
        position = start + len(self._delimiter)
        if data.startswith(b"--", position):
            events = (_PART_END, _END) if self._in_part else (_END,)
            self._state, self._in_part = _State.EPILOGUE, False
            return position, events
        while position < len(data) and data[position] in _PADDING:
            position += 1
        rest = data[position : position + 2]
        if rest == b"\r\n":
            return self._open_part(position)
        if rest.startswith(b"\n"):
            raise ServerError(
                Reason.BAD_REQUEST, "multipart body: a delimiter line ends in LF alone; CR LF expected (RFC 2046)"
            )
        if (rest in (b"", b"\r") or data[position:] == b"-") and position - start < _MAX_PADDING:
            self._held = data[start:]
            return None, ()
        # Not a delimiter after all, but content that looks like one.
        self._state = _State.DATA if self._in_part else _State.PREAMBLE
        return self._skip_lookalike(data, start)

    def _skip_lookalike(self, data: bytes, start: int) -> tuple[int, Sequence[Event]]:
        end = start + len(self._delimiter)
        return end, ((PartData(memoryview(data)[start:end]),) if self._in_part else ())

    def _open_part(self, position: int) -> tuple[int, Sequence[Event]]:
        events = (_PART_END,) if self._in_part else ()
        self._parts += 1
        self._state, self._in_part = _State.HEADER, False
        return position, events

    def _read_header(self, data: bytes, start: int) -> tuple[int | None, dict[str, str] | None]:
        """`start` is at the line break that ends the delimiter, so that a part without fields needs no special case."""
        if self._parts > self._limits.parts:
            raise ServerError(Reason.TOO_LARGE, f"multipart body: more than {self._limits.parts} parts")
        limit = self._limits.header_bytes
        found = data.find(_HEADER_END, start, start + limit + len(_HEADER_END))
        block = data[start : found if found >= 0 else start + limit + 1]
        if b"\n" in block.replace(b"\r\n", b""):
            raise ServerError(
                Reason.BAD_REQUEST, f"multipart body: the header of part {self._parts} has lines that end in LF alone"
            )
        if found < 0:
            if len(block) > limit:
                raise ServerError(
                    Reason.TOO_LARGE, f"multipart body: the header of part {self._parts} exceeds {limit} bytes"
                )
            self._held = data[start:]
            return None, None
        self._state, self._in_part = _State.DATA, True
        # The line break that ends the header may be the one that begins the next delimiter (a part without a body).
        closing = found + len(_HEADER_END)
        if data.startswith(self._delimiter, found + 2):
            closing = found + 2
        elif self._delimiter.startswith(data[found + 2 :]):
            self._state, self._in_part = _State.HEADER, False
            self._held = data[start:]
            return None, None
        return closing, self._fields(block)

    def _fields(self, block: bytes) -> dict[str, str]:
        fields: dict[str, str] = {}
        unfolded = block.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
        lines = [line for line in unfolded.split(b"\r\n") if line]
        if len(lines) > self._limits.header_fields:
            raise ServerError(
                Reason.TOO_LARGE,
                f"multipart body: the header of part {self._parts} exceeds {self._limits.header_fields} fields",
            )
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon or not _FIELD_NAME.match(name):
                raise ServerError(
                    Reason.BAD_REQUEST, f"multipart body: the header of part {self._parts} has a line that is no field"
                )
            key, text = name.decode("ascii").lower(), value.strip().decode("latin-1")
            fields[key] = f"{fields[key]}, {text}" if key in fields else text
        return fields

    def _find_data_end(self, data: bytes, start: int) -> tuple[int, int | None]:
        """Where the part's bytes in `data` end, and where to go on: None for the next chunk."""
        found = data.find(self._delimiter, start)
        if found >= 0:
            self._state = _State.DELIMITER
            return found, found
        # The end of the chunk may be the beginning of a delimiter.
        candidate = data.find(b"\r", max(start, len(data) - len(self._delimiter) + 1))
        while candidate >= 0:
            if self._delimiter.startswith(data[candidate:]):
                self._held = data[candidate:]
                return candidate, None
            candidate = data.find(b"\r", candidate + 1)
        return len(data), None


def part_head(boundary: bytes, fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """What precedes the bytes of a part: its delimiter line and header. `PART_TAIL` follows them."""
    lines = [b"--" + boundary]
    lines += [name + b": " + value for name, value in fields]
    return b"\r\n".join(lines) + _HEADER_END


PART_TAIL = b"\r\n"


def closing(boundary: bytes) -> bytes:
    """What ends a body."""
    return b"--" + boundary + b"--\r\n"


def content_length(boundary: bytes, heads: Sequence[bytes], sizes: Sequence[int]) -> int:
    """The exact length of a body of parts with these heads and sizes."""
    parts = sum(map(len, heads)) + sum(sizes) + len(PART_TAIL) * len(sizes)
    return parts + len(boundary) + 6  # two hyphens before, two after, a line break
