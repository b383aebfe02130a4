"""Palettes against pydicom, and palettes that are broken."""

from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array

from dicomweb_server.dicom.data_set import data_set_of
from dicomweb_server.dicom.header import open_part10
from dicomweb_server.dicom.rendering.palette import expanded, palette_of
from dicomweb_server.errors import Reason, ServerError
from tests.builders import make_instance
from tests.real_files import REAL_FILES, tolerant_pydicom

PALETTES = [
    path
    for path in REAL_FILES
    if path.name in {"OBXXXX1A.dcm", "gdcm-US-ALOKA-16.dcm", "gdcm-US-ALOKA-16_big.dcm", "examples_palette.dcm"}
]


@pytest.mark.parametrize("path", PALETTES, ids=lambda path: path.name)
def test_real_palettes_as_pydicom_applies_them(path: Any) -> None:
    with tolerant_pydicom():
        data_set = pydicom.dcmread(path)
        indices = pixel_array(path, index=0, raw=True)
        expected = apply_color_lut(indices, data_set)
    palette = palette_of(data_set_of(open_part10(path.read_bytes())))
    assert palette is not None
    ours = palette.look_up(indices)
    assert np.abs(ours.astype(int) - (expected >> 8 if expected.dtype == np.uint16 else expected)).max() <= 1


def palette(**changed: Any) -> bytes:
    attributes: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR", "bits_allocated": 8}
    for number, colour in enumerate(("Red", "Green", "Blue")):
        attributes[f"{colour}PaletteColorLookupTableDescriptor"] = [4, 10, 16]
        entries = np.array([0, 0x4000, 0x8000, 0xFFFF], dtype="<u2") >> number
        attributes[f"{colour}PaletteColorLookupTableData"] = entries.tobytes()
    return make_instance(**attributes | changed)


def test_indices_outside_have_the_nearest_colour() -> None:
    found = palette_of(data_set_of(open_part10(palette())))
    assert found is not None
    looked_up = found.look_up(np.array([[0, 10, 11, 13, 255]], dtype=np.uint8))
    assert looked_up[0, :, 0].tolist() == [0, 0, 0x40, 0xFF, 0xFF]
    assert looked_up[0, :, 1].tolist() == [0, 0, 0x20, 0x7F, 0x7F]


@pytest.mark.parametrize("bits", [8, 16])
def test_tables_shorter_than_they_say(bits: int) -> None:
    data = palette(
        RedPaletteColorLookupTableDescriptor=[256, 0, bits], RedPaletteColorLookupTableData=bytes([1, 0, 2, 0])
    )
    found = palette_of(data_set_of(open_part10(data)))
    assert found is not None
    assert found.look_up(np.array([[200]], dtype=np.uint8)).shape == (1, 1, 3)


@pytest.mark.parametrize(
    "changed",
    [
        {"RedPaletteColorLookupTableDescriptor": None},
        {"RedPaletteColorLookupTableDescriptor": [4, 0]},
        {"GreenPaletteColorLookupTableData": None},
        {"BluePaletteColorLookupTableData": b""},
        {"BluePaletteColorLookupTableData": None, "SegmentedBluePaletteColorLookupTableData": b"\x07\0\1\0"},
    ],
)
def test_parts_that_are_missing_or_wrong(changed: dict[str, Any]) -> None:
    with pytest.raises(ServerError) as caught:
        palette_of(data_set_of(open_part10(palette(**changed))))
    assert caught.value.reason is Reason.CANNOT_UNDERSTAND


def test_without_a_palette() -> None:
    assert palette_of(data_set_of(open_part10(make_instance()))) is None


@pytest.mark.parametrize(
    ("words", "entries"),
    [
        ([0, 3, 7, 8, 9], [7, 8, 9]),
        ([0, 1, 0, 1, 4, 8], [0, 2, 4, 6, 8]),
        ([0, 2, 5, 6, 1, 2, 8, 2, 2, 0, 0], [5, 6, 7, 8, 5, 6, 7, 8]),
    ],
)
def test_segments(words: list[int], entries: list[int]) -> None:
    assert expanded(words).tolist() == entries


@pytest.mark.parametrize(
    "words",
    [
        [],
        [1, 4, 9],
        [3, 1, 1],
        [0, 1, 5, 2, 1],
        [0, 1, 5, 2, 1, 6, 0],  # repeats itself
        [0, 1, 0, 1, 65535, 1, 1, 65535, 9],  # more than a palette may have
    ],
)
def test_segments_that_break_the_rules(words: list[int]) -> None:
    with pytest.raises(ServerError):
        expanded(words)
