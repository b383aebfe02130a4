"""Tiles of whole slide images: where each lies, and which image stands for a slide."""

from typing import Any

import numpy as np
import pytest

from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.slide import Tiling, mosaic, rank_as_overview, tiling_of
from tests.unit.dicom.rendering.test_presentation import item, opened

FULL: dict[str, Any] = {
    "DimensionOrganizationType": "TILED_FULL",
    "TotalPixelMatrixRows": 5,
    "TotalPixelMatrixColumns": 7,
    "Rows": 4,
    "Columns": 3,
    "NumberOfFrames": 12,  # two focal planes
}


def slide(**more: Any) -> DataSet:
    return opened(**FULL | more)


def placed(*places: tuple[int, int]) -> list[Any]:
    return [
        item(
            PlanePositionSlideSequence=[
                item(RowPositionInTotalImagePixelMatrix=row, ColumnPositionInTotalImagePixelMatrix=column)
            ]
        )
        for row, column in places
    ]


def test_tiles_in_rows_from_the_top_left() -> None:
    found = tiling_of(slide())
    assert found == Tiling(5, 7, ((1, 0, 0), (2, 0, 3), (3, 0, 6), (4, 4, 0), (5, 4, 3), (6, 4, 6)))


def test_tiles_that_say_where_they_lie() -> None:
    groups = [*placed((1, 4), (5, 1)), item(), *placed((1, 4), (99, 1))]
    sparse = slide(DimensionOrganizationType="TILED_SPARSE", PerFrameFunctionalGroupsSequence=groups)
    assert tiling_of(sparse) == Tiling(5, 7, ((1, 0, 3), (2, 4, 0)))


@pytest.mark.parametrize(
    "more",
    [
        {"TotalPixelMatrixRows": None},
        {"Rows": 0},
        {"TotalPixelMatrixRows": 400},  # too many tiles
        {"TotalPixelMatrixRows": 100_000, "TotalPixelMatrixColumns": 100_000, "Rows": 60_000, "Columns": 60_000},
        {"DimensionOrganizationType": "TILED_SPARSE"},  # without places
        {
            "DimensionOrganizationType": "TILED_SPARSE",
            "PerFrameFunctionalGroupsSequence": placed(*((1 + n // 7, 1 + n % 7) for n in range(35)))
            + placed(*((row, column) for row in range(6, 30) for column in (1, 2))),
            "TotalPixelMatrixRows": 30,
        },
    ],
)
def test_no_picture_as_a_whole(more: dict[str, Any]) -> None:
    assert tiling_of(slide(**more)) is None


def test_tiles_put_together() -> None:
    tiles = [np.full((4, 3, 3), value, np.uint8) for value in (1, 2, 3)]
    made = mosaic(Tiling(5, 7, ((1, 0, 0), (2, 0, 6), (3, 4, 3))), tiles)
    expected = np.full((5, 7), 255)
    expected[:4, :3], expected[:4, 6], expected[4, 3:6] = 1, 2, 3
    assert made.shape == (5, 7, 3)
    assert (made == expected[..., np.newaxis]).all()


@pytest.mark.parametrize(
    ("rank", "more"),
    [
        (0, {"ImageType": ["DERIVED", "PRIMARY", "THUMBNAIL", "RESAMPLED"]}),
        (1, {"ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]}),
        (2, {"ImageType": ["ORIGINAL", "PRIMARY", "OVERVIEW", "NONE"]}),
        (3, {"ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], "TotalPixelMatrixRows": 9999}),
        (4, {"ImageType": ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]}),
        (4, {"ImageType": ["ORIGINAL", "PRIMARY", "OVERVIEW", "NONE"], "SpecimenLabelInImage": "YES"}),
    ],
)
def test_what_stands_for_a_slide(rank: int, more: dict[str, Any]) -> None:
    assert rank_as_overview(slide(**more)) == rank
