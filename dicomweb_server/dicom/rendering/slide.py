"""Slide: whole slide images, whose frames are tiles of one picture (PS3.3 §C.8.12.4, §C.8.12.14)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dicomweb_server.dicom.arrays import np
from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.grayscale import Shown

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
MOST_TILES = 64
_LARGEST = 1 << 24  # pixels

_IMAGE_TYPE, _LABEL_IN_IMAGE, _ORGANIZATION = 0x00080008, 0x00480010, 0x00209311
_ROWS, _COLUMNS, _FRAMES = 0x00280010, 0x00280011, 0x00280008
_TOTAL_COLUMNS, _TOTAL_ROWS = 0x00480006, 0x00480007
_PER_FRAME, _PLACE, _LEFT, _TOP = 0x52009230, 0x0048021A, 0x0048021E, 0x0048021F


@dataclass(frozen=True, slots=True)
class Tiling:
    """The size of the picture, and the frame number, top and left of each tile, counted from 0."""

    rows: int
    columns: int
    tiles: tuple[tuple[int, int, int], ...]


def tiling_of(data_set: DataSet) -> Tiling | None:
    """The tiles of the first focal plane and optical path; None if they are no picture that is small enough."""
    rows, columns = data_set.integer(_TOTAL_ROWS), data_set.integer(_TOTAL_COLUMNS)
    high, wide = data_set.integer(_ROWS), data_set.integer(_COLUMNS)
    if min(rows, columns, high, wide) <= 0 or rows * columns > _LARGEST:
        return None
    down, across = -(-rows // high), -(-columns // wide)
    if down * across > MOST_TILES:
        return None
    if data_set.text(_ORGANIZATION) == "TILED_FULL":
        count = min(down * across, data_set.integer(_FRAMES, 1))
        tiles = [(number + 1, number // across * high, number % across * wide) for number in range(count)]
    else:
        tiles = _placed(data_set, rows, columns)
    return Tiling(rows, columns, tuple(tiles)) if tiles else None


def _placed(data_set: DataSet, rows: int, columns: int) -> list[tuple[int, int, int]]:
    found: dict[tuple[int, int], int] = {}
    for number, group in enumerate(data_set.items(_PER_FRAME), 1):
        place = group.item(_PLACE)
        if place is None:
            continue
        top, left = place.integer(_TOP) - 1, place.integer(_LEFT) - 1
        if 0 <= top < rows and 0 <= left < columns:
            found.setdefault((top, left), number)
        if len(found) > MOST_TILES:
            return []
    return [(number, top, left) for (top, left), number in found.items()]


def mosaic(tiling: Tiling, tiles: Sequence[Shown]) -> Shown:
    """The picture of its tiles, in their order; white, as glass, where there are none."""
    whole = np.full((tiling.rows, tiling.columns, *tiles[0].shape[2:]), 255, tiles[0].dtype)
    for (_, top, left), tile in zip(tiling.tiles, tiles, strict=True):
        part = whole[top : top + tile.shape[0], left : left + tile.shape[1]]
        part[:] = tile[: part.shape[0], : part.shape[1]]
    return whole


def rank_as_overview(data_set: DataSet) -> int:
    """How well an image of a slide stands for all of it, 0 best; last what shows the label, and so the patient."""
    flavours = data_set.texts(_IMAGE_TYPE)
    if data_set.text(_LABEL_IN_IMAGE) == "YES" or "LABEL" in flavours:
        return 4
    if "THUMBNAIL" in flavours:
        return 0
    if "OVERVIEW" in flavours:
        return 2
    return 1 if tiling_of(data_set) is not None else 3
