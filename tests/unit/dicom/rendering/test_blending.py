"""Blending states: which frames, where their pixels are, and what comes of them, computed here from PS3.4 §N.2.4."""

from typing import Any

import numpy as np
import pytest

from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.blending import BlendedFrame, blended, layers_of, nearest, plane_of
from dicomweb_server.dicom.rendering.frame_attributes import frame_attributes
from dicomweb_server.errors import ServerError
from tests.unit.dicom.rendering.test_presentation import image_reference, item, opened

ROWS, COLUMNS = 12, 16
GEOMETRY: dict[str, Any] = {
    "ImagePositionPatient": [0.0, 0.0, 0.0],
    "ImageOrientationPatient": [1.0, 0, 0, 0, 1, 0],
    "PixelSpacing": [2.0, 2.0],
}
RED = {
    f"{colour}PaletteColorLookupTable{part}": value
    for colour, top in (("Red", 255), ("Green", 0), ("Blue", 0))
    for part, value in (
        ("Descriptor", [256, 0, 8]),
        ("Data", (np.arange(256) * top // 255).astype("<u2").tobytes()),
    )
}


def layer(position: str, uid: str, width: float) -> Any:
    series = item(SeriesInstanceUID="1.2", ReferencedImageSequence=[image_reference(uid)])
    window = item(WindowCenter=width / 2, WindowWidth=width, VOILUTFunction="LINEAR_EXACT")
    return item(
        BlendingPosition=position, StudyInstanceUID="1.2.3", ReferencedSeriesSequence=[series], RescaleSlope=2,
        RescaleIntercept=0, RescaleType="US", SoftcopyVOILUTSequence=[window],
    )  # fmt: skip


def state(opacity: Any = 0.25, **more: Any) -> DataSet:
    layers = [layer("SUPERIMPOSED", "1.9", 400), layer("UNDERLYING", "1.8", 2000)]
    return opened(BlendingSequence=layers, RelativeOpacity=opacity, **RED | more)


def frame(pixels: Any, uid: str, **geometry: Any) -> BlendedFrame:
    return BlendedFrame(pixels, frame_attributes(opened(**geometry), 1), uid, 1)


BELOW = np.random.default_rng(1).integers(0, 1000, (ROWS, COLUMNS)).astype("<u2")
GRAY = np.repeat((BELOW * 2 / 2000)[..., np.newaxis], 3, axis=2)


def test_the_layers_of_a_state() -> None:
    below, above = layers_of(state())
    assert [(one.study_uid, one.images[0].instance_uid) for one in (below, above)] == [
        ("1.2.3", "1.8"),
        ("1.2.3", "1.9"),
    ]
    with pytest.raises(ServerError, match="underlying and superimposed"):
        layers_of(opened(BlendingSequence=[layer("UNDERLYING", "1.8", 10)]))


def test_pixel_upon_pixel() -> None:
    above = np.random.default_rng(2).integers(0, 200, (ROWS, COLUMNS)).astype("<u2")
    made = blended(state(), frame(BELOW, "1.8"), frame(above, "1.9"))
    red = np.zeros((ROWS, COLUMNS, 3))
    red[..., 0] = above * 2 / 400
    assert np.abs(made - 255 * (0.75 * GRAY + 0.25 * red)).max() <= 1
    with pytest.raises(ServerError, match="differ in size"):
        blended(state(), frame(BELOW, "1.8"), frame(above[:5], "1.9"))
    with pytest.raises(ServerError, match="palette"):
        blended(state(**{keyword: None for keyword in RED}), frame(BELOW, "1.8"), frame(above, "1.9"))


def test_pixels_of_another_size_lie_where_they_belong() -> None:
    """Half as many pixels of twice the size, from the third column and the second row of the underlying image on."""
    above = np.full((3, 4), 200, "<u2")
    place = GEOMETRY | {"ImagePositionPatient": [2 * 2 + 1.0, 2 * 1 + 1.0, 0.0], "PixelSpacing": [4.0, 4.0]}
    made = blended(state(opacity=1), frame(BELOW, "1.8", **GEOMETRY), frame(above, "1.9", **place))
    expected = GRAY * 255
    expected[1:7, 2:10] = (255, 0, 0)
    assert np.abs(made - expected).max() <= 1


def test_colours_between_pixels_are_interpolated() -> None:
    above = np.arange(0, 200, 25, dtype="<u2")[np.newaxis].repeat(6, axis=0)
    wide = GEOMETRY | {"PixelSpacing": [4.0, 4.0]}
    made = blended(state(opacity=1), frame(BELOW, "1.8", **GEOMETRY), frame(above, "1.9", **wide))
    assert np.abs(made[4, :15, 0] - np.arange(15) * 12.5 * 2 / 400 * 255).max() <= 1


def test_the_nearest_parallel_plane() -> None:
    def plane(z: float, **more: Any) -> Any:
        return plane_of(frame_attributes(opened(**GEOMETRY | {"ImagePositionPatient": [5.0, 5.0, z]} | more), 1))

    oblique = plane(0.1, ImageOrientationPatient=[1.0, 0, 0, 0, 0, -1])
    assert nearest(plane(0), [plane(9), oblique, None, plane(-2), plane(3)]) == 3
    assert nearest(plane(0), [oblique, None]) is None
    assert nearest(None, [plane(0)]) is None
    assert plane_of(frame_attributes(opened(), 1)) is None
    assert plane_of(frame_attributes(opened(**GEOMETRY | {"ImageOrientationPatient": [1.0, 0, 0, 1, 0, 0]}), 1)) is None
