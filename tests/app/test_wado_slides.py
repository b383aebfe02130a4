"""Rendered whole slide images over a real store."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.app.dicomweb_harness import Archive, Instance, open_archive
from tests.app.test_wado_rendered import picture
from tests.builders import make_instance

WSI = "1.2.840.10008.5.1.4.1.1.77.1.6"


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path) as opened:
        yield opened


def tiles(uid: str, flavour: str, *values: int, across: int = 2, **more: Any) -> bytes:
    """An image of tiles of 8 x 8 pixels, each of one value."""
    attributes: dict[str, Any] = {
        "SOPClassUID": WSI, "SOPInstanceUID": uid, "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1",
        "Modality": "SM", "ImageType": ["ORIGINAL", "PRIMARY", flavour, "NONE"],
        "DimensionOrganizationType": "TILED_FULL", "TotalPixelMatrixColumns": 8 * across,
        "TotalPixelMatrixRows": 8 * (len(values) // across), "PhotometricInterpretation": "RGB",
        "PlanarConfiguration": 0, "PixelData": b"".join(bytes([value]) * 192 for value in values),
    }  # fmt: skip
    return make_instance(bits_allocated=8, samples_per_pixel=3, frames=len(values), **attributes | more)


async def slide(archive: Archive) -> list[Instance]:
    return await archive.add(
        tiles("1.2.3.1.1", "VOLUME", *range(0, 240, 15), across=4),
        tiles("1.2.3.1.2", "VOLUME", 10, 60, 110, 160),
        tiles("1.2.3.1.3", "LABEL", 200, across=1),
    )


async def test_a_slide_is_seen_as_a_whole_without_its_label(archive: Archive) -> None:
    large, small, label = await slide(archive)
    expected = np.kron([[10, 60], [110, 160]], np.ones((8, 8)))
    for path in (small.study_path + "/rendered", small.series_path + "/rendered", small.path + "/rendered"):
        shown = np.asarray(picture(await archive.get(path, "image/png")).convert("RGB"), dtype=int)
        assert (shown == expected[..., np.newaxis]).all()
    thumbnail = picture(await archive.get(small.study_path + "/thumbnail?viewport=16,16", "image/png"))
    assert np.abs(np.asarray(thumbnail.convert("L"), dtype=int) - expected).max() <= 1
    assert picture(await archive.get(large.path + "/rendered")).size == (32, 32)
    assert picture(await archive.get(large.path + "/thumbnail")).size == (256, 256)
    assert picture(await archive.get(label.path + "/rendered")).size == (8, 8)


async def test_a_tile_and_what_is_too_large_are_seen_alone(archive: Archive) -> None:
    _, small, _ = await slide(archive)
    tile = np.asarray(picture(await archive.get(small.path + "/frames/3/rendered", "image/png")).convert("L"))
    assert (tile == 110).all()
    assert tile.shape == (8, 8)
    huge = tiles("1.2.3.1.4", "VOLUME", 50, 90, TotalPixelMatrixRows=80_000, TotalPixelMatrixColumns=80_000)
    missing = tiles("1.2.3.1.5", "VOLUME", 50, 90, TotalPixelMatrixRows=16)
    for one in await archive.add(huge, missing):
        assert picture(await archive.get(one.path + "/rendered")).size in ((8, 8), (16, 16))
        assert (await archive.get(one.path + "/thumbnail")).status_code == 200
