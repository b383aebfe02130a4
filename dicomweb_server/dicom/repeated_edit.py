"""Repeated edit: the same change of many instances. What the instances of a series have in common is edited once.

A stretch of elements is only ever taken where its very bytes are found again, under the same task: a wrong guess costs
time, never truth. Whatever differs from instance to instance is edited anew. Bounded in series and in bytes of each.
"""

from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from dicomweb_server.dicom.charset import Charset
from dicomweb_server.dicom.edit import edit, with_file_meta
from dicomweb_server.dicom.edit_level import INSTANCE_UID, SOP_CLASS_UID, Editor, Level, Note, Place, Task, Traced
from dicomweb_server.dicom.edit_rules import Site
from dicomweb_server.dicom.edited import Edited, Output
from dicomweb_server.dicom.elements import walk
from dicomweb_server.dicom.header import Header
from dicomweb_server.dicom.same_series import series_of

# What tasks are made of must not vary: character set, SOP class, declared safe private blocks, patient.
_DECISIVE = frozenset({0x00080005, SOP_CLASS_UID, 0x00080300, 0x00100010, 0x00100020})
_LONGEST = 4096  # of an element that is remembered
_MAX_SERIES = 64
_MAX_LESSONS = 10


class Change(Protocol):
    """What makes the task of an instance."""

    @property
    def is_uniform(self) -> bool:
        """Whether tasks depend on nothing but what is decisive."""

    def task(self, header: Header, note: Note | None = None) -> Task:
        """What is to be done to an instance."""


@dataclass(frozen=True, slots=True)
class _Same:
    """Elements that all instances have in common, and what becomes of them."""

    encoded: bytes
    output: bytes


@dataclass(frozen=True, slots=True)
class _Other:
    """An element that varies: its tag, the inserts from here on, and what its meaning depends on."""

    tag: int
    inserts_from: int
    charset: Charset
    creators: dict[int, str]


@dataclass(frozen=True, slots=True)
class _Sample:
    """What is known of a series."""

    task: Task
    sop_class: bytes
    tags: tuple[int, ...]
    elements: tuple[tuple[bytes, bytes] | None, ...]  # encoded and output; None for one that varies
    steps: tuple[_Same | _Other, ...] = ()
    tail: bytes = b""
    lessons: int = 0


class RepeatedEdit:
    """Edits instance after instance; may be called by several threads."""

    def __init__(self, change: Change) -> None:
        self._change = change
        self._samples: dict[bytes, _Sample] = {}

    def edit(self, header: Header) -> tuple[Edited, Task]:
        """An instance after its edit, and the task that it was."""
        series = series_of(header.buffer, header.start) if self._can_repeat(header) else None
        if series is None:
            task = self._change.task(header)
            return edit(header, task), task
        sample = self._samples.get(series)
        if sample is not None and sample.steps:
            edited = _repeated(header, sample)
            if edited is not None:
                return edited, sample.task
        return self._learn(header, series, sample)

    def _can_repeat(self, header: Header) -> bool:
        explicit, little_endian, deflated = header.encoding
        return self._change.is_uniform and explicit and little_endian and not deflated

    def _learn(self, header: Header, series: bytes, sample: _Sample | None) -> tuple[Edited, Task]:
        task = self._change.task(header)
        if sample is not None and sample.lessons >= _MAX_LESSONS:
            return edit(header, task), task
        trace: list[Traced] = []
        edited = edit(header, task, trace)
        if len(self._samples) < _MAX_SERIES or series in self._samples:
            self._samples[series] = _learned(header, task, trace, edited, sample)
        return edited, task


def _learned(header: Header, task: Task, trace: list[Traced], edited: Edited, before: _Sample | None) -> _Sample:
    tags = tuple(one.tag for one in trace)
    elements = tuple(_element(header, one) for one in trace)
    sop_class = next((header.buffer[one.value : one.end] for one in trace if one.tag == SOP_CLASS_UID), b"")
    lessons = before.lessons + 1 if before else 0
    is_alike = before is not None and before.tags == tags and _same_task(before.task, task)
    if before is None or not is_alike:
        return _Sample(task, sop_class, tags, elements, lessons=lessons)
    agreed = tuple(
        one if one is not None and one == other else None for one, other in zip(elements, before.elements, strict=True)
    )
    varying = {tag for tag, one in zip(tags, agreed, strict=True) if one is None}
    if varying & _DECISIVE or any(tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF for tag in varying):
        return _Sample(task, sop_class, tags, elements, lessons=lessons)
    tail = _tail(edited, sum(len(one.pieces) for one in trace))
    return _Sample(task, sop_class, tags, agreed, _steps(task, trace, agreed), tail, lessons)


def _same_task(one: Task, other: Task) -> bool:
    return (
        one.rules is other.rules
        and one.inserts == other.inserts
        and one.facts == other.facts
        and one.charset == other.charset
        and one.patient == other.patient
    )


def _element(header: Header, traced: Traced) -> tuple[bytes, bytes] | None:
    is_short = traced.end - traced.start <= _LONGEST and traced.tag != INSTANCE_UID  # the file meta repeats that
    if not is_short or not all(isinstance(piece, bytes) for piece in traced.pieces):
        return None
    output = b"".join(piece for piece in traced.pieces if isinstance(piece, bytes))
    return header.buffer[traced.start : traced.end], output


def _tail(edited: Edited, pieces: int) -> bytes:
    """What is behind the last element of the source: what was inserted there."""
    return b"".join(piece for piece in edited.pieces[pieces + 1 :] if isinstance(piece, bytes))


def _steps(
    task: Task, trace: list[Traced], agreed: tuple[tuple[bytes, bytes] | None, ...]
) -> tuple[_Same | _Other, ...]:
    steps: list[_Same | _Other] = []
    previous = -1
    for is_same, group in groupby(zip(trace, agreed, strict=True), lambda pair: pair[1] is not None):
        members = list(group)
        if is_same:
            known = [one for _, one in members if one is not None]
            steps.append(_Same(b"".join(one[0] for one in known), b"".join(one[1] for one in known)))
        else:
            for traced, _ in members:
                done = sum(value.tag <= previous for value in task.inserts)
                steps.append(_Other(traced.tag, done, traced.charset, traced.creators))
                previous = max(previous, traced.tag)
        previous = max(previous, *(traced.tag for traced, _ in members))
    return tuple(steps)


def _repeated(header: Header, sample: _Sample) -> Edited | None:
    """The edit by what is known of the series; None if the instance is not like those before."""
    buffer, task = header.buffer, sample.task
    editor = Editor(buffer, task)
    site = Site(header.encoding, aimed_at=task.charset, facts=task.facts)
    level = Level(editor, task.rules, site, Place())
    output = Output()
    editor.identity[SOP_CLASS_UID] = sample.sop_class
    position = header.start
    for step in sample.steps:
        if isinstance(step, _Same):
            following = position + len(step.encoded)
            if buffer[position:following] != step.encoded:
                return None
            output.write(step.output)
            position = following
            continue
        element = next(walk(buffer, position, header.end, header.encoding), None)
        if element is None or element.tag != step.tag:
            return None
        site.charset, site.creators = step.charset, dict(step.creators)
        level.resume(output, position, task.inserts[step.inserts_from :])
        level.edit_one(element, position)
        level.finish(element.following)
        position = element.following
    if position != header.end:
        return None
    output.write(sample.tail)
    return with_file_meta(header, task, editor, output)
