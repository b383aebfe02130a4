"""Subtraction: the mask that a presentation state of X-ray images takes from a frame (PS3.3 §C.11.19, §C.7.6.10)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from dicomweb_server.dicom.arrays import NDArray, np
from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.grayscale import Pixels
from dicomweb_server.dicom.rendering.lookup_table import LookupTable, lookup_table, unusable
from dicomweb_server.dicom.rendering.presentation_state import applies

_SUBTRACTIONS, _OPERATION, _RANGE, _MASKS = 0x00286100, 0x00286101, 0x00286102, 0x00286110
_AVERAGED, _OFFSET, _VIEWING_MODE = 0x00286112, 0x00286120, 0x00281090
_SHIFTS, _REGIONS, _SHIFT_RANGE, _SHIFT = 0x00289501, 0x00289502, 0x00289506, 0x00286114
_INTENSITIES, _LUT_RANGE = 0x00289422, 0x00289507
_PRESENTATIONS, _DISPLAYS, _START, _STOP, _VISIBILITY = 0x00289505, 0x00089458, 0x00082142, 0x00082143, 0x00289478
_MOST_FRAMES = 64  # that are averaged
_LARGEST_SHIFT = 4096.0


@dataclass(frozen=True, slots=True)
class Subtraction:
    """Frames by their numbers: those that are averaged, and those whose average is taken from that.

    `shift`: of the mask, in rows and columns. `visibility`: how much of the mask is left, from 0 to 1.
    """

    contrast: tuple[int, ...]
    mask: tuple[int, ...]
    shift: tuple[float, float] = (0.0, 0.0)
    visibility: float = 0.0

    @property
    def frames(self) -> tuple[int, ...]:
        """All that is needed, the one that is shown first."""
        return tuple(dict.fromkeys((*self.contrast, *self.mask)))


def subtraction_of(state: DataSet, instance_uid: str, frame_number: int, count: int) -> Subtraction | None:
    """What is subtracted from a frame of an image that has `count` of them; None: it is shown as it is."""
    for item in state.items(_SUBTRACTIONS):
        if applies(item, instance_uid, frame_number):
            found = _of_item(item, frame_number, count)
            if found is not None:
                return _displayed(state, found, instance_uid, frame_number)
    return None


def _of_item(item: DataSet, number: int, count: int) -> Subtraction | None:
    ends = item.integers(_RANGE)
    ranges = list(zip(ends[::2], ends[1::2], strict=False))
    if ranges and not any(first <= number <= last for first, last in ranges):
        return None
    operation, offset = item.text(_OPERATION), item.integer(_OFFSET, 1)
    contrast: tuple[int, ...] = (number,)
    if operation == "AVG_SUB":
        contrast = tuple(range(number, number + min(max(item.integer(_AVERAGED, 1), 1), _MOST_FRAMES)))
        mask = tuple(item.integers(_MASKS)[:_MOST_FRAMES])
    elif operation == "TID":
        mask = (number - offset,)
    elif operation == "REV_TID" and ranges:
        first = ranges[0][0]
        mask = (first - offset - (number - first),)
    else:
        return None
    if not mask or not all(1 <= one <= count for one in (*contrast, *mask)):
        return None
    return Subtraction(contrast, mask, _shift(item, number))


def _shift(item: DataSet, number: int) -> tuple[float, float]:
    """That of the whole frame; different ones for parts of it are not offered."""
    for shift in item.items(_SHIFTS):
        if _is_within(shift, _SHIFT_RANGE, number):
            regions = list(islice(shift.items(_REGIONS), 2))
            if len(regions) > 1:
                raise unusable("parts of the mask are shifted differently")
            values = [*(regions[0] if regions else shift).numbers(_SHIFT), 0.0, 0.0]
            rows, columns = (min(max(value, -_LARGEST_SHIFT), _LARGEST_SHIFT) for value in values[:2])
            return rows, columns
    return 0.0, 0.0


def _is_within(item: DataSet, tag: int, number: int) -> bool:
    ends = item.integers(tag)
    return not ends or any(first <= number <= last for first, last in zip(ends[::2], ends[1::2], strict=False))


def _displayed(state: DataSet, found: Subtraction, instance_uid: str, number: int) -> Subtraction | None:
    """As much of it as is to be seen: all of the mask visible is no subtraction (PS3.3 §C.8.19.7.1)."""
    mode = state.text(_VIEWING_MODE)
    for display in _displays(state, instance_uid, number):
        if display.integer(_START, 1) <= number <= display.integer(_STOP, number):
            mode = display.text(_VIEWING_MODE) or mode
            visible = min(max((display.number(_VISIBILITY) or 0.0) / 100, 0.0), 1.0)
            found = Subtraction(found.contrast, found.mask, found.shift, visible)
            break
    return None if mode == "NAT" or found.visibility == 1 else found


def _displays(state: DataSet, instance_uid: str, number: int) -> Iterator[DataSet]:
    for presentation in state.items(_PRESENTATIONS):
        if applies(presentation, instance_uid, number):
            yield from presentation.items(_DISPLAYS)


def subtracted(found: Subtraction, frames: Mapping[int, Pixels], state: DataSet) -> Pixels:
    """The values that are shown, of decoded frames by their numbers: contrast - (1 - visibility) * mask."""
    contrast = _average([_logarithmic(frames[number], state, number) for number in found.contrast])
    mask = _average([_logarithmic(frames[number], state, number) for number in found.mask])
    return contrast - (1 - found.visibility) * _shifted(mask, found.shift)


def _average(frames: list[Pixels]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.mean(np.stack(frames), axis=0, dtype=np.float64)
    return mean


def _logarithmic(pixels: Pixels, state: DataSet, number: int) -> Pixels:
    """Stored values where they are logarithmic to the intensity; else what a table of the state makes of them."""
    table = _intensity_table(state, number)
    return pixels if table is None else table.look_up(pixels)


def _intensity_table(state: DataSet, number: int) -> LookupTable | None:
    for owner in (state, *state.items(_SUBTRACTIONS)):
        for item in owner.items(_INTENSITIES):
            if _is_within(item, _LUT_RANGE, number):
                return lookup_table(item)
    return None


def _shifted(mask: NDArray[np.float64], shift: tuple[float, float]) -> NDArray[np.float64]:
    """The mask moved down and to the right, between pixels by linear interpolation; its edges go on outside."""
    for axis, distance in enumerate(shift):
        if distance:
            places = np.clip(np.arange(mask.shape[axis]) - distance, 0, mask.shape[axis] - 1)
            low = np.floor(places).astype(np.int64)
            share = (places - low).reshape((-1, 1) if axis == 0 else (1, -1))
            high = np.minimum(low + 1, mask.shape[axis] - 1)
            mask = np.take(mask, low, axis) * (1 - share) + np.take(mask, high, axis) * share
    return mask
