"""Grayscale against pydicom's transformations, and against the formulas of the standard where it has none."""

import math
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_windowing
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from dicomweb_server.dicom.data_set import DataSet, data_set_of
from dicomweb_server.dicom.header import open_part10
from dicomweb_server.dicom.rendering.frame_attributes import frame_attributes
from dicomweb_server.dicom.rendering.grayscale import Grayscale, Rescale, rendered_grayscale
from dicomweb_server.dicom.rendering.lookup_table import LookupTable
from dicomweb_server.dicom.rendering.transforms import grayscale_of
from dicomweb_server.dicom.rendering.window import Function, Window
from tests.builders import make_instance


def opened(data: bytes) -> DataSet:
    return data_set_of(open_part10(data))


def item(**attributes: Any) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def table(first: int, values: list[int], bits: int) -> Dataset:
    made = item(LUTDescriptor=[len(values), first, bits], LUTData=values)
    made["LUTDescriptor"].VR = "US" if first >= 0 else "SS"
    made["LUTData"].VR = "US"
    return made


@pytest.mark.parametrize("function", list(Function))
@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<u2", "|u1", "|i1", "<i4", "<u4"])
def test_windows_as_pydicom_applies_them(function: Function, dtype: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 100, (16, 16)).astype(dtype)
    if pixels.dtype.kind == "i":
        pixels -= 50
    data_set = item(
        WindowCenter=20, WindowWidth=60, VOILUTFunction=function.value, RescaleSlope=2, RescaleIntercept=-30,
        PhotometricInterpretation="MONOCHROME2", BitsStored=8, PixelRepresentation=1,
    )  # fmt: skip
    oracle = apply_windowing(apply_modality_lut(pixels, data_set), data_set)
    low, high = np.array([-256 - 30, 254 - 30])  # what pydicom maps to: the range of the rescaled values
    expected = (oracle - low) / (high - low) * 255
    ours = rendered_grayscale(pixels, Grayscale(Rescale(2, -30), Window(20, 60, function)))
    assert np.abs(ours - expected).max() <= 0.51


@pytest.mark.parametrize("function", [Function.LINEAR, Function.LINEAR_EXACT])
@pytest.mark.parametrize("inverse", [False, True])
def test_windows_are_exact(function: Function, inverse: bool) -> None:
    """Whatever way is taken: the numbers are those of the formulas in double precision."""
    numbers = np.random.default_rng(5)
    pixels = np.arange(-1024, 3072, dtype=np.int16).reshape(64, 64)
    for center, width, slope in zip(
        numbers.uniform(-500, 2000, 100),
        numbers.uniform(1, 3000, 100),
        numbers.choice([1.0, 0.5, 1.37], 100),
        strict=True,
    ):
        window = Window(float(round(center)) if slope == 1 else center, float(width), function)
        brightness = window.brightness(pixels * slope - 10)
        expected = np.floor((1 - brightness if inverse else brightness) * 255 + 0.5)
        ours = rendered_grayscale(pixels, Grayscale(Rescale(slope, -10), window, inverse=inverse))
        assert np.array_equal(ours, expected)


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<u2", "|u1", "|i1"])
def test_values_at_the_ends_of_their_type(dtype: str) -> None:
    ends = np.iinfo(dtype)
    window = Window((ends.min + ends.max) / 2, ends.max - ends.min, Function.LINEAR_EXACT)
    for values in ([ends.min, ends.max], [ends.min, ends.min + 1], [ends.max - 1, ends.max]):
        pixels = np.array([values], dtype)
        expected = np.floor(window.brightness(pixels.astype(np.float64)) * 255 + 0.5)
        assert rendered_grayscale(pixels, Grayscale(voi=window)).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("window", "value", "brightness"),
    [
        (Window(2048, 4096), 0, 0.0),  # the examples of PS3.3 §C.11.2.1.2.1
        (Window(2048, 4096), 4095, 1.0),
        (Window(2048, 1), 2047, 0.0),
        (Window(2048, 1), 2048, 1.0),
        (Window(0, 100), -50, 0.0),
        (Window(0, 100), 49, 1.0),
        (Window(0, 100, Function.LINEAR_EXACT), 50, 1.0),
        (Window(0, 100, Function.LINEAR_EXACT), -50, 0.0),
        (Window(0, 100, Function.LINEAR_EXACT), 0, 0.5),
        (Window(10, 50, Function.SIGMOID), 10, 0.5),
        (Window(10, 50, Function.SIGMOID), 35, 1 / (1 + math.exp(-2))),
        (Window(0, 1e-9, Function.SIGMOID), 1e9, 1.0),
    ],
)
def test_windows_of_the_standard(window: Window, value: float, brightness: float) -> None:
    assert window.brightness(np.array([float(value)]))[0] == pytest.approx(brightness)


@pytest.mark.parametrize(
    ("center", "width", "function", "valid"),
    [(0, 1, "LINEAR", True), (0, 0.5, "LINEAR", False), (0, 0.5, "SIGMOID", True), (0, 0, "LINEAR_EXACT", False)],
)
def test_widths_that_show_something(center: float, width: float, function: str, valid: bool) -> None:
    assert Window(center, width, Function(function)).is_valid is valid


def test_all_bits_of_16_are_used() -> None:
    pixels = np.array([[0, 500, 1000]], dtype=np.uint16)
    assert rendered_grayscale(pixels, Grayscale(), bits=16).tolist() == [[0, 32768, 65535]]


def test_the_inverse_and_the_padding() -> None:
    pixels = np.array([[-2000, 0, 50, 100]], dtype=np.int16)
    grayscale = Grayscale(inverse=True, padding=(-2000.0, -2000.0))
    assert rendered_grayscale(pixels, grayscale).tolist() == [[255, 255, 128, 0]]


def test_an_image_of_one_value_has_no_range() -> None:
    assert rendered_grayscale(np.full((2, 2), 7, np.int16), Grayscale()).max() <= 255


def test_floating_point_numbers_that_are_none() -> None:
    pixels = np.array([[np.nan, 0.0, 1.0, np.inf]], dtype=np.float32)
    assert rendered_grayscale(pixels, Grayscale())[0, 1:3].tolist() == [0, 255]
    assert rendered_grayscale(np.full((1, 2), np.nan), Grayscale()).shape == (1, 2)


def test_a_presentation_table() -> None:
    steps = LookupTable(0, 8, np.array([0, 200, 100], dtype=np.uint16).tobytes())
    pixels = np.array([[0, 5, 10]], dtype=np.uint8)
    shown = rendered_grayscale(pixels, Grayscale(voi=Window(5, 10, Function.LINEAR_EXACT), presentation=steps))
    assert shown.tolist() == [[0, 200, 100]]


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_tables_of_an_image(syntax: str) -> None:
    data = make_instance(
        transfer_syntax_uid=syntax,
        ModalityLUTSequence=[table(10, [100, 200, 300], 16)],
        VOILUTSequence=[table(200, [0, 128, 255], 8)],
    )
    grayscale = grayscale_of(frame_attributes(opened(data), 1))
    pixels = np.array([[0, 10, 11, 12, 99]], dtype=np.uint16)
    # Modality: 100, 100, 200, 300, 300; of the VOI table 200 is the first entry, all from 202 on the last.
    assert rendered_grayscale(pixels, grayscale).tolist() == [[0, 0, 0, 255, 255]]


def test_a_negative_first_value() -> None:
    data = make_instance(PixelRepresentation=1, ModalityLUTSequence=[table(-2, [0, 1, 2, 3], 16)])
    modality = grayscale_of(frame_attributes(opened(data), 1)).modality
    assert isinstance(modality, LookupTable)
    assert modality.look_up(np.array([-5, -2, 0, 9])).tolist() == [0, 0, 2, 3]


def test_values_per_frame_come_before_shared_ones() -> None:
    def groups(center: int, slope: int | None) -> Dataset:
        made = item(FrameVOILUTSequence=[item(WindowCenter=center, WindowWidth=10)])
        if slope:
            made.PixelValueTransformationSequence = [item(RescaleSlope=slope, RescaleIntercept=0, RescaleType="US")]
        return made

    data = make_instance(
        frames=2,
        SharedFunctionalGroupsSequence=[groups(1, 3)],
        PerFrameFunctionalGroupsSequence=[groups(20, None), groups(30, 7)],
    )
    shown = [grayscale_of(frame_attributes(opened(data), number)) for number in (1, 2, 3)]
    assert [(one.voi, one.modality) for one in shown] == [
        (Window(20, 10), Rescale(3)),
        (Window(30, 10), Rescale(7)),
        (Window(1, 10), Rescale(3)),
    ]


def test_of_several_windows_the_first_that_shows_something() -> None:
    data = make_instance(WindowCenter=[10, 40], WindowWidth=[0, 400])
    assert grayscale_of(frame_attributes(opened(data), 1)).voi == Window(40, 400)


@pytest.mark.parametrize(
    ("photometric", "shape", "inverse"),
    [
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME2", "IDENTITY", False),
    ],
)
def test_what_is_shown_inverted(photometric: str, shape: str | None, inverse: bool) -> None:
    data = make_instance(PhotometricInterpretation=photometric, PresentationLUTShape=shape)
    assert grayscale_of(frame_attributes(opened(data), 1)).inverse is inverse


def test_few_bits_are_shown_by_what_they_may_be() -> None:
    grayscale = grayscale_of(frame_attributes(opened(make_instance(bits_allocated=8)), 1))
    assert rendered_grayscale(np.array([[10, 20]], dtype=np.uint8), grayscale).tolist() == [[10, 20]]
