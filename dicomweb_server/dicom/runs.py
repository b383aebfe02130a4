"""Runs: stretches of elements that the instances of a series have in common, taken in one comparison of bytes.

What differs from instance to instance is learnt from two of them, and again whenever a run turns out not to hold.
A run is only ever taken where its bytes are found, under the conditions it was made for: a wrong guess costs time,
never truth. Bounded in series and in bytes of each.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

from dicomweb_server.dicom.elements import walk
from dicomweb_server.dicom.encoding import Buffer, Encoding
from dicomweb_server.dicom.header import Header
from dicomweb_server.dicom.memo import Conditions

_PIXEL_GROUP = 0x7FE0
_SERIES_INSTANCE_UID = b"\x20\0\x0e\0"
_SEARCHED = 1 << 16  # bytes in which the series is looked for
_MAX_SAMPLE = 1 << 16  # bytes of elements without pixel data
_MAX_LESSONS = 10
_PATIENCE = 3  # instances: a lesson costs as much time as it saves on ten
_MAX_SERIES = 100


class Run(NamedTuple):
    """Some elements one behind the other: their bytes, the tag of the last, their JSON, and what they told."""

    encoded: bytes
    last_tag: int
    json: bytes
    conditions: Conditions
    conditions_behind: Conditions
    values: Mapping[str, str]
    layout: Mapping[int, bytes]


Runs = Mapping[int, Run]  # by the tag of the first element
NO_RUNS: Runs = {}


class Template(NamedTuple):
    """What is known of a series: the elements of its first instance, the tags that vary, and the runs between them.

    `met`: how many instances were met before the first lesson.
    """

    sample: bytes
    met: int = 1
    varying: frozenset[int] = frozenset()
    runs: Runs = NO_RUNS
    lessons: int = 0


# Reads the elements between two positions, after those it read before; None if they cannot be a run.
ReadRun = Callable[[int, int], Run | None]


class Templates:
    """The templates of the series met last, in two generations like those of the memo."""

    def __init__(self) -> None:
        self._recent: dict[bytes, Template] = {}
        self._older: dict[bytes, Template] = {}

    def get(self, series: bytes) -> Template | None:
        """The template of a series, if it is known."""
        return self._recent.get(series) or self._older.get(series)

    def put(self, series: bytes, template: Template) -> None:
        """Remember or replace the template of a series."""
        if len(self._recent) >= _MAX_SERIES and series not in self._recent:
            self._older = self._recent
            self._recent = {}
        self._recent[series] = template


def series_of(header: Header) -> bytes | None:
    """Bytes that, in all likelihood, the instances of one series share and others have not; None if not found soon."""
    buffer, encoding = header.buffer, header.encoding
    start = buffer.find(_SERIES_INSTANCE_UID, header.start, header.start + _SEARCHED)
    if start < 0 or not encoding.little_endian:
        return None
    at = start + (6 if encoding.explicit else 4)
    length = int.from_bytes(buffer[at : at + 2], "little")
    return buffer[start : start + 8 + length] if length <= 64 else None


def first_template(header: Header) -> Template | None:
    """The template of a series of which one instance is known; None if its elements are too many bytes."""
    end = header.end
    if header.pixel_data is not None:
        end = header.pixel_data.offset - 8
        long_form = header.buffer[end - 4 : end - 2] == _PIXEL_GROUP.to_bytes(2, "little")
        end -= 4 * long_form
    return Template(header.buffer[header.start : end]) if end - header.start <= _MAX_SAMPLE else None


def learn(template: Template, header: Header, read_run: ReadRun) -> Template:
    """The template after one more instance, whose elements are in order."""
    if template.met < _PATIENCE:
        return template._replace(met=template.met + 1)
    if template.lessons >= _MAX_LESSONS:
        return template
    sample, buffer = template.sample, header.buffer
    before = {tag: sample[start:end] for tag, start, end in _spans(sample, 0, len(sample), header.encoding)}
    spans = _spans(buffer, header.start, header.end, header.encoding)
    now = {tag: buffer[start:end] for tag, start, end in spans}
    varying = template.varying | {tag for tag in before.keys() | now.keys() if before.get(tag) != now.get(tag)}
    if not header.encoding.explicit:  # what private elements mean depends on their creators
        varying |= {tag for tag in now if tag >> 16 & 1}
    runs: dict[int, Run] = {}
    for stretch in _stretches(spans, varying):
        run = read_run(stretch[0][1], stretch[-1][2])
        if run is not None and stretch[0][0] not in varying:
            runs[stretch[0][0]] = run
    return template._replace(varying=varying, runs=runs, lessons=template.lessons + 1)


Span = tuple[int, int, int]  # tag, start, end


def _spans(buffer: Buffer, start: int, end: int, encoding: Encoding) -> list[Span]:
    """Where the elements before the pixel data lie."""
    spans: list[Span] = []
    for element in walk(buffer, start, end, encoding):
        if element.tag >> 16 >= _PIXEL_GROUP:
            break
        spans.append((element.tag, start, element.following))
        start = element.following
    return spans


def _stretches(spans: list[Span], varying: frozenset[int]) -> Iterator[list[Span]]:
    """Neighbours that are all stable, or one that varies.

    A stretch ends also where, in another instance, a varying element was between two of its elements.
    """
    breaks = sorted(varying)
    for _, stretch in groupby(spans, lambda span: (bisect_left(breaks, span[0]), span[0] in varying)):
        yield list(stretch)
