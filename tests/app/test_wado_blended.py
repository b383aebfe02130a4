"""Rendered blending states over a real store: which frames are laid over one another, and what comes of it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from tests.app.dicomweb_harness import Archive, Instance, open_archive
from tests.app.test_wado_rendered import item, picture, reference
from tests.builders import make_dataset, make_instance, write_part10


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path) as opened:
        yield opened


async def test_an_image_is_blended_over_the_one_below(archive: Archive) -> None:
    place: dict[str, Any] = {
        "ImageOrientationPatient": [1.0, 0, 0, 0, 1, 0],
        "PixelSpacing": [1.0, 1.0],
        "StudyInstanceUID": "1.2.3",
    }
    below, *above = await archive.add(
        make_instance(SOPInstanceUID="1.8", ImagePositionPatient=[0.0, 0, 0], SeriesInstanceUID="1.2.3.1", **place),
        *(
            make_instance(
                SOPInstanceUID=f"1.9.{z}", ImagePositionPatient=[0.0, 0, z], SeriesInstanceUID="1.2.3.2",
                PixelData=bytes([z, 0]) * 64, **place,
            )
            for z in (20, 1, 10)
        ),
    )  # fmt: skip

    def layer(position: str, *images: Instance) -> Dataset:
        series = item(SeriesInstanceUID=images[0].series, ReferencedImageSequence=[reference(one) for one in images])
        window = item(WindowCenter=32, WindowWidth=64, VOILUTFunction="LINEAR_EXACT")
        return item(
            BlendingPosition=position, StudyInstanceUID="1.2.3", ReferencedSeriesSequence=[series],
            SoftcopyVOILUTSequence=[window],
        )  # fmt: skip

    dataset = make_dataset(
        StudyInstanceUID="1.2.3", SOPClassUID="1.2.840.10008.5.1.4.1.1.11.4", Modality="PR", RelativeOpacity=0.5,
        BlendingSequence=[layer("UNDERLYING", below), layer("SUPERIMPOSED", *above)],
    )  # fmt: skip
    for colour, top in (("Red", 1), ("Green", 0), ("Blue", 0)):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [64, 0, 8])
        setattr(dataset, f"{colour}PaletteColorLookupTableData", (np.arange(64) * 4 * top).astype("<u2").tobytes())
    (state,) = await archive.add(write_part10(dataset))
    query = f"?presentationSeriesUID={state.series}&presentationUID={state.uid}"
    count = np.arange(64).reshape(8, 8) / 64 * 255
    for path in (state.path + "/rendered", below.path + "/rendered" + query):
        shown = np.asarray(picture(await archive.get(path, "image/png")), dtype=int)
        assert np.abs(shown[..., 1] - count / 2).max() <= 1
        assert np.abs(shown[..., 0] - (count / 2 + 2)).max() <= 1  # the nearest one is that of 1 mm
    other = await archive.get(above[0].path + "/rendered" + query, "image/png")
    assert other.status_code == 400


async def test_images_of_other_studies_are_blended_step_by_step(archive: Archive) -> None:
    """Advanced blending: one input is a whole series, of another study, of which the nearest slice is taken."""
    place: dict[str, Any] = {"ImageOrientationPatient": [1.0, 0, 0, 0, 1, 0], "PixelSpacing": [1.0, 1.0]}
    below, *above = await archive.add(
        make_instance(SOPInstanceUID="1.8", ImagePositionPatient=[0.0, 0, 0], StudyInstanceUID="1.2.3", **place),
        *(
            make_instance(
                SOPInstanceUID=f"1.9.{z}", ImagePositionPatient=[0.0, 0, z], StudyInstanceUID="1.2.4",
                SeriesInstanceUID="1.2.4.1", PixelData=bytes([z, 0]) * 64, **place,
            )
            for z in (20, 1, 10)
        ),
    )  # fmt: skip
    window = item(WindowCenter=32, WindowWidth=64, VOILUTFunction="LINEAR_EXACT")
    inputs = [
        item(BlendingInputNumber=2, StudyInstanceUID="1.2.4", SeriesInstanceUID="1.2.4.1"),
        item(
            BlendingInputNumber=1, StudyInstanceUID="1.2.3", SeriesInstanceUID=below.series,
            ReferencedImageSequence=[reference(below)], GeometryForDisplay="YES",
        ),
    ]  # fmt: skip
    for blended in inputs:
        blended.SoftcopyVOILUTSequence = [window]
    step = item(
        BlendingMode="FOREGROUND", RelativeOpacity=0.25,
        BlendingDisplayInputSequence=[item(BlendingInputNumber=2), item(BlendingInputNumber=1)],
    )  # fmt: skip
    dataset = make_dataset(
        StudyInstanceUID="1.2.3", SOPClassUID="1.2.840.10008.5.1.4.1.1.11.8", Modality="PR",
        PixelPresentation="TRUE_COLOR", AdvancedBlendingSequence=inputs, BlendingDisplaySequence=[step],
    )  # fmt: skip
    (state,) = await archive.add(write_part10(dataset))
    query = f"?presentationSeriesUID={state.series}&presentationUID={state.uid}"
    expected = np.arange(64).reshape(8, 8) / 64 * 255 * 0.75 + 1 / 64 * 255 * 0.25
    for path in (state.path + "/rendered", below.path + "/rendered" + query, state.path + "/thumbnail?viewport=8,8"):
        shown = np.asarray(picture(await archive.get(path, "image/png")).convert("RGB"), dtype=int)
        assert np.abs(shown - expected[..., np.newaxis]).max() <= 1
    for one in above:
        await archive.send("DELETE", one.path)
    assert (await archive.get(below.path + "/rendered" + query, "image/png")).status_code == 404
