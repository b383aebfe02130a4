"""Advanced blending states: what comes of each step, computed here from PS3.4 §N.2.6."""

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.advanced_blending import InputFrame, advanced_blended, inputs_of
from dicomweb_server.dicom.rendering.frame_attributes import frame_attributes
from dicomweb_server.dicom.rendering.frame_image import DecodedFrame
from dicomweb_server.dicom.rendering.presentation_state import ReferencedImage
from dicomweb_server.errors import ServerError
from tests.unit.dicom.rendering import test_blending
from tests.unit.dicom.rendering.test_blending import COLUMNS, GEOMETRY, ROWS
from tests.unit.dicom.rendering.test_presentation import image_reference, item, opened

RED: dict[str, Any] = dict(test_blending.RED)
GRAYS = [np.random.default_rng(seed).integers(0, 200, (ROWS, COLUMNS)).astype("<u2") for seed in range(3)]


def blending_input(number: int, width: float = 200, **more: Any) -> Dataset:
    window = item(WindowCenter=width / 2, WindowWidth=width, VOILUTFunction="LINEAR_EXACT")
    return item(
        BlendingInputNumber=number, StudyInstanceUID="1.2.3", SeriesInstanceUID=f"1.2.{number}",
        SoftcopyVOILUTSequence=[window], **more,
    )  # fmt: skip


def step(*inputs: int, mode: str = "EQUAL", **more: Any) -> Dataset:
    return item(
        BlendingMode=mode, BlendingDisplayInputSequence=[item(BlendingInputNumber=number) for number in inputs], **more
    )


def state(inputs: list[Dataset], steps: list[Dataset]) -> DataSet:
    return opened(AdvancedBlendingSequence=inputs, BlendingDisplaySequence=steps)


def threshold(kind: str, *limits: float) -> Dataset:
    return item(ThresholdType=kind, ThresholdValueSequence=[item(ThresholdValue=limit) for limit in limits])


def frame(pixels: Any, photometric: str = "MONOCHROME2", **attributes: Any) -> InputFrame:
    return InputFrame(DecodedFrame(pixels, photometric), frame_attributes(opened(**attributes), 1), "1.9", 1)


def shown(pixels: Any, width: float = 200) -> Any:
    return np.repeat(np.clip(pixels / width, 0, 1)[..., np.newaxis], 3, axis=2)


def red(pixels: Any) -> Any:
    return shown(pixels) * (1, 0, 0)


def close(made: Any, expected: Any) -> bool:
    return bool(made.dtype == np.uint8 and np.abs(made - expected * 255).max() <= 1)


def test_the_inputs_of_a_state() -> None:
    images = [image_reference("1.9", ReferencedFrameNumber=[2])]
    found = inputs_of(
        state([blending_input(1, ReferencedImageSequence=images), blending_input(2, GeometryForDisplay="YES")], [])
    )
    assert [(one.number, one.study_uid, one.series_uid, one.images) for one in found] == [
        (2, "1.2.3", "1.2.2", ()),
        (1, "1.2.3", "1.2.1", (ReferencedImage("1.2.1", "1.9", (2,)),)),
    ]
    with pytest.raises(ServerError, match="has 0 inputs"):
        inputs_of(state([], []))


def test_the_foreground_has_its_opacity() -> None:
    made = advanced_blended(
        state([blending_input(1, **RED), blending_input(2)], [step(1, 2, mode="FOREGROUND", RelativeOpacity=0.25)]),
        {1: frame(GRAYS[0]), 2: frame(GRAYS[1])},
        2,
    )
    assert close(made, 0.25 * red(GRAYS[0]) + 0.75 * shown(GRAYS[1]))


def test_equal_parts_of_what_is_there() -> None:
    """Padding, and what a threshold keeps out, has no part; black where there is nothing at all."""
    pixels = [gray.copy() for gray in GRAYS]
    pixels[0][0, :2] = 999
    pixels[1][0, 1:3] = 999
    pixels[2][0, 1] = 150
    inputs = [blending_input(1), blending_input(2), blending_input(3, ThresholdSequence=[threshold("LESS_THAN", 100)])]
    padded: dict[str, Any] = {"PixelPaddingValue": 999}
    frames = {1: frame(pixels[0], **padded), 2: frame(pixels[1], **padded), 3: frame(pixels[2])}
    covered = np.stack([pixels[0] != 999, pixels[1] != 999, pixels[2] < 100])[..., np.newaxis]
    total = np.sum([shown(one) for one in pixels] * covered, axis=0)
    made = advanced_blended(state(inputs, [step(1, 2, 3)]), frames, 1)
    assert close(made, total / np.maximum(covered.sum(axis=0), 1))
    assert (made[0, 1] == 0).all()


def test_steps_feed_each_other_in_any_order() -> None:
    inputs = [blending_input(1), blending_input(2), blending_input(3, **RED)]
    steps = [step(3, 4, mode="FOREGROUND", RelativeOpacity=0.5), step(1, 2, BlendingInputNumber=4)]
    made = advanced_blended(state(inputs, steps), {n: frame(GRAYS[n - 1]) for n in (1, 2, 3)}, 1)
    below = (shown(GRAYS[0]) + shown(GRAYS[1])) / 2
    assert close(made, (red(GRAYS[2]) + below) / 2)


@pytest.mark.parametrize(
    ("kind", "limits", "kept"),
    [
        ("GREATER_OR_EQUAL", (100,), GRAYS[0] >= 100),
        ("GREATER_THAN", (100,), GRAYS[0] > 100),
        ("LESS_OR_EQUAL", (100,), GRAYS[0] <= 100),
        ("LESS_THAN", (100,), GRAYS[0] < 100),
        ("RANGE_INCL", (50, 100), (GRAYS[0] >= 50) & (GRAYS[0] <= 100)),
        ("RANGE_EXCL", (50, 100), (GRAYS[0] < 50) | (GRAYS[0] > 100)),
    ],
)
def test_thresholds_are_of_modality_values(kind: str, limits: tuple[int, ...], kept: Any) -> None:
    sequence = [threshold(kind, *(limit * 2 + 1 for limit in limits))]
    one = blending_input(1, 402, ThresholdSequence=sequence, RescaleSlope=2, RescaleIntercept=1, RescaleType="US")
    made = advanced_blended(state([one], [step(1)]), {1: frame(GRAYS[0])}, 1)
    assert close(made, shown(GRAYS[0] * 2 + 1.0, 402) * kept[..., np.newaxis])


def test_color_lies_where_it_belongs_and_its_edge_does_not_darken() -> None:
    """Half as many pixels of twice the size, from the third column and the second row of the other image on."""
    above = np.full((3, 4, 3), (0, 255, 0), np.uint8)
    place = GEOMETRY | {"ImagePositionPatient": [2 * 2 + 1.0, 2 * 1 + 1.0, 0.0], "PixelSpacing": [4.0, 4.0]}
    frames = {1: frame(GRAYS[0], **GEOMETRY), 2: frame(above, "RGB", BitsStored=8, **place)}
    steps = [step(2, 1, mode="FOREGROUND", RelativeOpacity=1)]
    expected = shown(GRAYS[0])
    expected[1:7, 2:10] = (0, 1, 0)
    assert close(advanced_blended(state([blending_input(1), blending_input(2)], steps), frames, 1), expected)


@pytest.mark.parametrize(
    ("steps", "match"),
    [
        ([], "no step"),
        ([step(1, BlendingInputNumber=2)], "no step"),
        ([step(1, 9)], "none of its inputs"),
        ([step(1, mode="FOREGROUND")], "blends 1 inputs in mode 'FOREGROUND'"),
        ([step(1, mode="MULTIPLY")], "MULTIPLY"),
        ([step()], "blends 0 inputs"),
        ([step(3, BlendingInputNumber=4), step(4, BlendingInputNumber=3)], "need each other"),
    ],
)
def test_impossible_steps(steps: list[Dataset], match: str) -> None:
    with pytest.raises(ServerError, match=match):
        advanced_blended(state([blending_input(1)], steps), {1: frame(GRAYS[0])}, 1)


@pytest.mark.parametrize("bad", [threshold("ABOVE", 1), threshold("RANGE_INCL", 1), threshold("LESS_THAN")])
def test_impossible_thresholds(bad: Dataset) -> None:
    one = state([blending_input(1, ThresholdSequence=[bad])], [step(1)])
    with pytest.raises(ServerError, match="threshold"):
        advanced_blended(one, {1: frame(GRAYS[0])}, 1)


def test_gray_of_an_unknown_interpretation_is_taken_as_it_is_shown() -> None:
    """Found by fuzzing."""
    odd = frame(GRAYS[0].astype(np.uint8), "MONOCHRAME2", BitsStored=8, Rows=ROWS, Columns=COLUMNS)
    made = advanced_blended(
        state([blending_input(1), blending_input(2)], [step(1, 2)]), {1: odd, 2: frame(GRAYS[1])}, 2
    )
    assert made.shape == (ROWS, COLUMNS, 3)
