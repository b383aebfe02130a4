"""Stencil cutting: learns from some instances of a series what varies, and cuts the stencil for the next ones."""

from collections.abc import Mapping
from itertools import pairwise
from struct import Struct
from typing import NamedTuple

from dicomweb_server.dicom.attribute_json import (
    BULK_DATA_TAGS,
    PIXEL_REPRESENTATION,
    SPECIFIC_CHARACTER_SET,
    column_of,
    member,
)
from dicomweb_server.dicom.charset import charset_of
from dicomweb_server.dicom.elements import SHORT_VRS, VR_BYTES, implicit_vr, is_signed, locate, walk
from dicomweb_server.dicom.encoding import EXPLICIT_LITTLE, UNDEFINED, Buffer
from dicomweb_server.dicom.frames import index_frames
from dicomweb_server.dicom.header import FRAME_TAGS, Header
from dicomweb_server.dicom.memo import Conditions, Context
from dicomweb_server.dicom.part10 import FIRST_ELEMENT, MEDIA_STORAGE_SOP_INSTANCE_UID, PREAMBLE_LENGTH, read_file_meta
from dicomweb_server.dicom.reading import DataSetReading
from dicomweb_server.dicom.stencil import (
    LONGEST,
    AnyHole,
    Hole,
    RareHole,
    Said,
    SilentHole,
    Stencil,
    Step,
    Tail,
)
from dicomweb_server.dicom.values import TO_JSON, TO_TEXT
from dicomweb_server.errors import ServerError

_PIXEL_GROUP = 0x7FE0
_FILE_META_GROUP = 0x0002
_META_GROUP_LENGTH = 0x00020000
_META_HOLES = frozenset({_META_GROUP_LENGTH, MEDIA_STORAGE_SOP_INSTANCE_UID})
_NO_HOLES = frozenset({SPECIFIC_CHARACTER_SET, PIXEL_REPRESENTATION})  # what others mean depends on them
_MOST_HOLES = 64
_MOST_ELEMENTS = 1024
_MOST_LESSONS = 10
_TAG, _EXPLICIT, _IMPLICIT = Struct("<HH"), Struct("<6sH"), Struct("<4sI")


Span = tuple[int, int, int, bytes]  # of an element: its tag, start, end and JSON


class Sample(NamedTuple):
    """An instance of a series as it was read, but for its pixels, and what varies in others: the heads by tag."""

    header: Header
    marks: list[int]
    fragments: list[bytes]
    values: Mapping[str, str]
    conditions: Conditions
    creators: Mapping[int, str]
    varying: Mapping[int, bytes] = {}
    lessons: int = 0


def sampled(header: Header, data_set: DataSetReading, before: Sample | None) -> Sample | None:
    """The sample that an instance makes, given the last one of its series; the last one if nothing can be learnt."""
    reading, marks = data_set.reading, data_set.marks
    end = header.end if reading.pixel_data is None else reading.pixel_data.offset
    if end > LONGEST or len(marks) > _MOST_ELEMENTS or header.start < FIRST_ELEMENT or header.encoding.deflated:
        return before
    if before is not None and before.lessons >= _MOST_LESSONS:
        return before
    bare = header._replace(buffer=header.buffer[:end], pixel_data=reading.pixel_data, layout=reading.layout)
    conditions = data_set.context.conditions
    sample = Sample(bare, marks, data_set.fragments, reading.values, conditions, data_set.creators)
    if before is None:
        return sample
    return sample._replace(varying=_varying(before, sample), lessons=before.lessons + 1)


def compared(sample: Sample, buffer: Buffer) -> Sample | None:
    """The sample after one more Part 10 file, not read yet; None if nothing is learnt by comparing it like this."""
    if sample.lessons >= _MOST_LESSONS:
        return None
    encoded, encoding = sample.header.buffer, sample.header.encoding
    size = 6 if encoding.explicit else 4
    varying = dict(sample.varying)
    try:
        position, end = read_file_meta(buffer)[1], len(buffer)
        for tag, start, stop, _ in _spans(sample):
            following = position + stop - start
            if buffer[position:following] != encoded[start:stop]:
                head = encoded[start : start + size]
                *_, value, length = locate(buffer, position, end, encoding)
                if length == UNDEFINED or buffer[position : position + size] != head:
                    return None
                varying[tag], following = head, value + length
            position = following
    except ServerError:
        return None
    if sample.lessons and varying.keys() == sample.varying.keys():
        return None
    return sample._replace(varying=varying, lessons=sample.lessons + 1)


def _varying(before: Sample, sample: Sample) -> dict[int, bytes]:
    then, now = [
        {tag: each.header.buffer[start:end] for tag, start, end, _ in _spans(each)} for each in (before, sample)
    ]
    size = 6 if sample.header.encoding.explicit else 4
    varying = dict(before.varying)
    for tag in then.keys() | now.keys():
        if then.get(tag) != now.get(tag):
            varying[tag] = (now.get(tag) or then[tag])[:size]
    return varying


def _spans(sample: Sample) -> list[Span]:
    """The elements before the pixel data."""
    spans: list[Span] = []
    unpack, buffer = _TAG.unpack_from, sample.header.buffer
    for (start, end), fragment in zip(pairwise(sample.marks), sample.fragments, strict=True):
        group, number = unpack(buffer, start)
        if group >= _PIXEL_GROUP:
            break
        spans.append((group << 16 | number, start, end, fragment))
    return spans


def cut(sample: Sample) -> Stencil | None:
    """The stencil by a sample, if there can be one."""
    header, conditions, varying, spans = sample.header, sample.conditions, sample.varying, _spans(sample)
    tags = [tag for tag, *_ in spans]
    stable = set(tags) - varying.keys()
    if not tags or tags != sorted(set(tags)) or len(varying) > _MOST_HOLES:
        return None
    # By the first element it is seen where the file meta information ends, and whether the VR is implicit.
    if tags[0] >> 16 <= _FILE_META_GROUP or tags[0] >= min(varying, default=tags[0] + 1):
        return None
    # Those behind the steps are not those of other instances.
    creators = {key: name for key, name in sample.creators.items() if key >> 8 << 16 | key & 0xFF in stable}
    steps = _steps(header, Context(conditions, {}), creators, spans, varying)
    if steps is None:
        return None
    layout = {tag: raw for tag, raw in header.layout.items() if tag in stable}
    columns = {column_of(tag, Context(conditions, {})) for tag in stable}
    values = {column: text for column, text in sample.values.items() if text and column in columns}
    tail = _tail(sample, len(spans)) if FRAME_TAGS.isdisjoint(varying) else None
    # Nothing that says what others mean may be behind the steps.
    last_tag = max(tags[-1], PIXEL_REPRESENTATION, *varying)
    bare = header._replace(buffer=b"", pixel_data=None, layout=layout)
    return Stencil(steps, tail, values, bare, conditions, creators, last_tag)


def _tail(sample: Sample, count: int) -> Tail | None:
    """The end behind so many elements, if there is nothing or only native pixel data."""
    header, marks = sample.header, sample.marks
    start, pixel_data = marks[count], header.pixel_data
    if pixel_data is None:
        return Tail(b"", b"", 0, index_frames(header).pack()) if start == header.end else None
    is_alone = len(marks) == count + 2 and marks[-1] == header.end
    column = column_of(pixel_data.tag, Context(sample.conditions, {}))
    if pixel_data.length is None or not is_alone or column is not None:
        return None
    head = header.buffer[start : pixel_data.offset]
    return Tail(head, sample.fragments[count], pixel_data.length, index_frames(header).pack())


def _steps(
    header: Header, context: Context, creators: dict[int, str], spans: list[Span], varying: Mapping[int, bytes]
) -> tuple[Step, ...] | None:
    cutter = _Cutter(header.buffer)
    holes = _Holes(header, context, creators)
    absent = sorted(varying.keys() - {tag for tag, *_ in spans})
    fits = holes.is_uniform and cutter.cut_file_meta(header.start)
    end = header.start
    for tag, start, end, json in spans:
        while absent and absent[0] < tag:
            missing = absent.pop(0)
            fits = fits and cutter.close(start, start, holes.hole(missing, varying[missing]))
        if tag in varying:
            fits = fits and cutter.close(start, end, holes.hole(tag, varying[tag]))
        elif json:
            cutter.json.append(json)
    for tag in absent:
        fits = fits and cutter.close(end, end, holes.hole(tag, varying[tag]))
    cutter.end(end)
    return tuple(cutter.steps) if fits else None


class _Cutter:
    """Makes the steps of a stencil from the bytes of an instance."""

    def __init__(self, buffer: Buffer) -> None:
        self.buffer = buffer
        self.steps: list[Step] = []
        self.json: list[bytes] = []  # of what is before the next hole
        self._start = PREAMBLE_LENGTH

    def end(self, position: int, hole: AnyHole | None = None) -> None:
        """End a step."""
        self.steps.append(Step(self.buffer[self._start : position], b",".join(self.json), hole))
        self.json.clear()

    def close(self, start: int, end: int, hole: AnyHole | None) -> bool:
        """End a step by a hole between two positions; False if there can be none, or it does not fill the place."""
        if hole is None or start + 8 > len(self.buffer) or hole.take(self.buffer, start, Said({})) != end:
            return False
        self.end(start, hole)
        self._start = end
        return True

    def cut_file_meta(self, end: int) -> bool:
        """Of the file meta information the identity of the instance varies, and so its length."""
        position = FIRST_ELEMENT
        try:
            for element in walk(self.buffer, position, end, EXPLICIT_LITTLE):
                hole = SilentHole(_EXPLICIT, self.buffer[position : position + 6])
                if element.tag in _META_HOLES and not self.close(position, element.following, hole):
                    return False
                position = element.following
        except ServerError:
            return False
        return position == end


class _Holes:
    """Makes the holes for the elements of an instance."""

    def __init__(self, header: Header, context: Context, creators: dict[int, str]) -> None:
        conditions = context.conditions
        self._context = context
        self._before = Context(conditions._replace(charset=charset_of(b"")), {})  # the character set is told
        self._creators = creators
        _, start, end, *_ = header
        # Whether PixelRepresentation says to all elements the same.
        self.is_uniform = conditions.explicit or conditions.signed == is_signed(
            header.buffer, start, end, header.encoding
        )

    def hole(self, tag: int, head: bytes) -> AnyHole | None:
        """The hole for an element; None if it would change what others mean, or is too odd."""
        context = self._before if tag < SPECIFIC_CHARACTER_SET else self._context
        explicit, is_private = context.explicit, bool(tag >> 16 & 1)
        form = _EXPLICIT if explicit else _IMPLICIT
        is_creator = is_private and 0x10 <= tag & 0xFFFF <= 0xFF and not explicit
        if tag in _NO_HOLES or is_creator:
            return None
        vr = head[4:] if explicit else VR_BYTES[implicit_vr(tag, {}, signed=context.signed)]
        if explicit and vr not in SHORT_VRS:
            return RareHole(head, context.conditions, self._creators)
        if not tag & 0xFFFF or tag >> 16 == _FILE_META_GROUP:
            return SilentHole(form, head)
        if tag in BULK_DATA_TAGS or vr not in TO_JSON:
            return None if explicit else RareHole(head, context.conditions, self._creators)
        opening = member(tag, vr, b"")[:-1]
        return Hole(form, head, tag, opening, column_of(tag, context), context.charset, TO_JSON[vr], TO_TEXT[vr])
