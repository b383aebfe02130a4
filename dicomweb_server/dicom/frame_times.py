"""PURE: when the frames of an instance were acquired, and what says so of some of them (PS3.4 §Y.3.2.1.3)."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate, pairwise

from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.reencode import NewElement, padded_element

_CONTENT_DATE, _CONTENT_TIME = 0x00080023, 0x00080033
FRAME_TIME, FRAME_TIME_VECTOR, FRAME_POINTER = 0x00181063, 0x00181065, 0x00280009
_FRAME_CONTENT, _FRAME_GROUPS = 0x00209111, 0x52009230
_MOMENTS = (0x00189151, 0x00189074)  # Frame Reference DateTime, Frame Acquisition DateTime
_Changes = dict[int, NewElement | None]


def frame_times(data_set: DataSet, count: int) -> list[float]:
    """Seconds since the Content Time of each frame; none if they are not told."""
    offsets = _offsets(data_set, count)
    if offsets:
        return [each / 1000 for each in offsets]
    begin = _begin(data_set)
    moments = [_moment_of(item) for item in data_set.items(_FRAME_GROUPS)]
    known = [each for each in moments if each is not None]
    if begin is None or len(known) != count or len(moments) != count:
        return []
    return [(each - begin).total_seconds() for each in known]


def times_of_frames(data_set: DataSet, numbers: Sequence[int], count: int) -> _Changes:
    """What changes of the times that are told for all frames together, where only some are left."""
    offsets = _offsets(data_set, count)
    if not offsets:
        return {}
    left = [offsets[number - 1] for number in numbers]
    changes = _begins_later(data_set, left[0])
    steps = [later - earlier for earlier, later in pairwise(left)]
    is_even = len({numbers[at + 1] - numbers[at] for at in range(len(steps))}) < 2
    if data_set.numbers(FRAME_TIME) and not data_set.numbers(FRAME_TIME_VECTOR):
        if is_even:
            return changes | ({FRAME_TIME: _decimals(steps[:1])} if steps else {})
        if data_set.raw(FRAME_POINTER):
            changes[FRAME_POINTER] = NewElement("AT", [b"\x18\x00\x65\x10"])
        changes[FRAME_TIME] = None
    return changes | {FRAME_TIME_VECTOR: _decimals([0, *steps])}


def _offsets(data_set: DataSet, count: int) -> list[float]:
    """Milliseconds since the first frame."""
    vector = data_set.numbers(FRAME_TIME_VECTOR)
    if vector:
        return [each - vector[0] for each in accumulate(vector)] if len(vector) == count else []
    step = data_set.number(FRAME_TIME)
    return [] if step is None else [number * step for number in range(count)]


def _begins_later(data_set: DataSet, milliseconds: float) -> _Changes:
    """The first frame that is left is the one that the Content Time is of."""
    begin = _begin(data_set)
    if begin is None or not milliseconds:
        return {}
    try:
        moved = begin + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return {}
    date, time = moved.strftime("%Y%m%d").rjust(8, "0"), moved.strftime("%H%M%S.%f")
    return {
        _CONTENT_DATE: padded_element("DA", date.encode("ascii")),
        _CONTENT_TIME: padded_element("TM", time.encode("ascii")),
    }


def _begin(data_set: DataSet) -> datetime | None:
    return _moment(data_set.text(_CONTENT_DATE) + data_set.text(_CONTENT_TIME))


def _moment_of(item: DataSet) -> datetime | None:
    content = item.item(_FRAME_CONTENT)
    if content is None:
        return None
    return next((found for tag in _MOMENTS if (found := _moment(content.text(tag))) is not None), None)


def _moment(text: str) -> datetime | None:
    """Of a date with a time, as far as seconds and their fraction; the time zone is that of the instance."""
    whole, _, fraction = text.partition("+")[0].partition("-")[0].partition(".")
    try:
        return datetime.strptime(f"{whole}.{fraction or 0}", "%Y%m%d%H%M%S.%f")
    except ValueError:
        return None


def _decimals(values: Iterable[float]) -> NewElement:
    return padded_element("DS", "\\".join(f"{value:.10g}" for value in values).encode("ascii"))
