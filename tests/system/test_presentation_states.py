"""Presentation states made and applied by DCMTK: what we show of them is the same, but for rounding."""

import io
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image

from tests.app.dicomweb_harness import Archive, open_archive
from tests.real_files import REAL_FILES

pytestmark = pytest.mark.skipif(shutil.which("dcmp2pgm") is None, reason="DCMTK is not installed")

# With a window, a VOI LUT, a modality LUT; MONOCHROME1. Without any of these DCMTK maps all that the bits could hold,
# in which nothing is seen, and we from the lowest to the highest value there is.
IMAGES = ("MR_small.dcm", "vlut_04.dcm", "mlut_18.dcm", "693_UNCR.dcm", "RG3_UNCR.dcm")
CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"ImageRotation": 90, "ImageHorizontalFlip": "Y"},
    {"PresentationLUTShape": "INVERSE"},
)


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path / "archive") as opened:
        yield opened


def paths() -> list[Path]:
    return [path for path in REAL_FILES if path.name in IMAGES]


def made_and_shown(path: Path, change: dict[str, Any], folder: Path) -> tuple[bytes, bytes, Image.Image]:
    """An image, a state for it that DCMTK made and that was changed, and what DCMTK shows of it."""
    state, shown = folder / "state.dcm", folder / "shown.pgm"
    subprocess.run(["dcmpsmk", path, state], check=True, capture_output=True)
    dataset = pydicom.dcmread(state)
    for keyword, value in change.items():
        setattr(dataset, keyword, value)
    dataset.save_as(state)
    subprocess.run(["dcmp2pgm", "-p", state, path, shown], check=True, capture_output=True)
    return path.read_bytes(), state.read_bytes(), Image.open(io.BytesIO(shown.read_bytes()))


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.name)
@pytest.mark.parametrize("change", CHANGES, ids=["plain", "turned", "inverse"])
async def test_states_are_applied_as_dcmtk_applies_them(
    archive: Archive, tmp_path: Path, path: Path, change: dict[str, Any]
) -> None:
    image, state, theirs = made_and_shown(path, change, tmp_path)
    _, one = await archive.add(image, state)
    answer = await archive.get(one.path + "/rendered", "image/png")
    assert answer.status_code == 200, answer.text
    ours = Image.open(io.BytesIO(answer.content)).convert("L")
    assert np.abs(np.asarray(ours, dtype=int) - np.asarray(theirs, dtype=int)).max() <= 1


def test_there_are_images() -> None:
    assert len(paths()) >= 3
