"""Masks that presentation states subtract; each expectation is computed here from the text of PS3.3."""

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.subtraction import Subtraction, subtracted, subtraction_of
from dicomweb_server.errors import ServerError
from tests.unit.dicom.rendering.test_presentation import IMAGE, image_reference, item, opened

FRAMES = {number: np.random.default_rng(number).integers(0, 4096, (6, 8)).astype("<u2") for number in range(1, 9)}


def state(*operations: Dataset, **more: Any) -> DataSet:
    return opened(MaskSubtractionSequence=list(operations), **more)


def average(**more: Any) -> Dataset:
    return item(MaskOperation="AVG_SUB", **{"MaskFrameNumbers": [1, 2], **more})


def mean(*numbers: int) -> Any:
    return np.mean([FRAMES[number] for number in numbers], axis=0)


@pytest.mark.parametrize(
    ("operation", "number", "expected"),
    [
        (average(), 5, Subtraction((5,), (1, 2))),
        (average(ApplicableFrameRange=[3, 4, 6, 7]), 5, None),
        (average(ApplicableFrameRange=[3, 4, 6, 7]), 6, Subtraction((6,), (1, 2))),
        (average(ContrastFrameAveraging=3), 6, Subtraction((6, 7, 8), (1, 2))),
        (average(ContrastFrameAveraging=3), 7, None),  # ends at the last frame minus the averaged ones plus one
        (average(MaskFrameNumbers=[9]), 5, None),
        (average(MaskFrameNumbers=None), 5, None),
        (item(MaskOperation="TID", TIDOffset=2), 5, Subtraction((5,), (3,))),
        (item(MaskOperation="TID", TIDOffset=-2), 5, Subtraction((5,), (7,))),
        (item(MaskOperation="TID", TIDOffset=None), 5, Subtraction((5,), (4,))),
        (item(MaskOperation="TID", TIDOffset=2), 2, None),
        (item(MaskOperation="REV_TID", TIDOffset=1, ApplicableFrameRange=[5, 8]), 5, Subtraction((5,), (4,))),
        (item(MaskOperation="REV_TID", TIDOffset=1, ApplicableFrameRange=[5, 8]), 7, Subtraction((7,), (2,))),
        (item(MaskOperation="REV_TID", TIDOffset=1), 7, None),
        (item(MaskOperation="NONE"), 5, None),
        (average(ReferencedImageSequence=[image_reference("1.9")]), 5, None),
    ],
)
def test_which_frames_are_subtracted(operation: Dataset, number: int, expected: Subtraction | None) -> None:
    assert subtraction_of(state(operation), IMAGE, number, 8) == expected


def test_the_average_of_some_minus_that_of_others() -> None:
    operations = state(average(ContrastFrameAveraging=2))
    found = subtraction_of(operations, IMAGE, 5, 8)
    assert found is not None
    assert found.frames == (5, 6, 1, 2)
    np.testing.assert_allclose(subtracted(found, FRAMES, operations), mean(5, 6) - mean(1, 2))


@pytest.mark.parametrize(("visibility", "share"), [(0, 1.0), (25, 0.75), (100, None)])
def test_how_much_of_the_mask_is_seen(visibility: float, share: float | None) -> None:
    display = item(StartTrim=1, StopTrim=8, MaskVisibilityPercentage=visibility)
    operations = state(average(), MultiFramePresentationSequence=[item(FrameDisplaySequence=[display])])
    found = subtraction_of(operations, IMAGE, 5, 8)
    if share is None:
        assert found is None
    else:
        assert found is not None
        np.testing.assert_allclose(subtracted(found, FRAMES, operations), FRAMES[5] - share * mean(1, 2))


def test_frames_that_are_to_be_seen_as_they_are() -> None:
    display = item(StartTrim=1, StopTrim=2, RecommendedViewingMode="NAT")
    operations = state(
        average(), RecommendedViewingMode="SUB", MultiFramePresentationSequence=[item(FrameDisplaySequence=[display])]
    )
    assert subtraction_of(operations, IMAGE, 2, 8) is None
    assert subtraction_of(operations, IMAGE, 3, 8) is not None
    assert subtraction_of(state(average(), RecommendedViewingMode="NAT"), IMAGE, 3, 8) is None


def test_the_mask_is_shifted() -> None:
    """Down by one row and to the right by one and a half columns; edges go on."""
    shifts = [
        item(PixelShiftFrameRange=[1, 3], MaskSubPixelShift=[9.0, 9.0]),
        item(PixelShiftFrameRange=[4, 8], RegionPixelShiftSequence=[item(MaskSubPixelShift=[1.0, 1.5])]),
    ]
    operations = state(item(MaskOperation="TID", TIDOffset=4, PixelShiftSequence=shifts))
    found = subtraction_of(operations, IMAGE, 5, 8)
    assert found is not None
    mask = np.vstack([FRAMES[1][:1], FRAMES[1][:-1]]).astype(float)
    padded = np.pad(mask, ((0, 0), (2, 0)), mode="edge")
    expected = FRAMES[5] - (padded[:, :-2] + padded[:, 1:-1]) / 2
    np.testing.assert_allclose(subtracted(found, FRAMES, operations), expected)
    regions = [item(MaskSubPixelShift=[1.0, 1.0]), item(MaskSubPixelShift=[2.0, 2.0])]
    parts = item(MaskOperation="TID", TIDOffset=4, PixelShiftSequence=[item(RegionPixelShiftSequence=regions)])
    with pytest.raises(ServerError, match="parts of the mask"):
        subtraction_of(state(parts), IMAGE, 5, 8)


def test_values_are_made_logarithmic_by_a_table() -> None:
    entries = np.round(1000 * np.log(np.arange(1, 4097))).astype("<u2")
    table = item(LUTDescriptor=[4096, 0, 16], LUTData=entries.tobytes(), LUTFunction="TO_LOG")
    table["LUTData"].VR = "OW"
    operations = state(
        item(MaskOperation="TID", TIDOffset=1, PixelIntensityRelationshipLUTSequence=[table]),
    )
    found = subtraction_of(operations, IMAGE, 5, 8)
    assert found is not None
    expected = entries[FRAMES[5]].astype(float) - entries[FRAMES[4]]
    np.testing.assert_allclose(subtracted(found, FRAMES, operations), expected)
