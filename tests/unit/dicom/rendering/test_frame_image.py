"""Whole frames against DCMTK, and colour, overlays, geometry, profiles and formats against other implementations."""

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageCms
from pydicom.pixels.processing import convert_color_space
from pydicom.pixels.utils import pixel_array

from dicomweb_server.dicom.data_set import DataSet, data_set_of
from dicomweb_server.dicom.header import open_part10
from dicomweb_server.dicom.rendering.colour import rgb_of
from dicomweb_server.dicom.rendering.frame_attributes import frame_attributes
from dicomweb_server.dicom.rendering.frame_image import DecodedFrame, frame_image, samples_of
from dicomweb_server.dicom.rendering.geometry import aspect_ratio, placed
from dicomweb_server.dicom.rendering.icc_profile import ColourSpace, in_colour_space, profile_named
from dicomweb_server.dicom.rendering.image_format import GIF, IMAGE_TYPES, PAM, PNG, animated, encoded
from dicomweb_server.dicom.rendering.options import Annotation, Region, RenderingOptions, Viewport
from dicomweb_server.dicom.rendering.overlay import Overlay, overlays_of
from dicomweb_server.dicom.rendering.window import Window
from dicomweb_server.errors import Reason, ServerError
from tests.builders import make_instance
from tests.real_files import REAL_FILES, tolerant_pydicom

NATIVE = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"}
# DCMTK does not read these, or shows them in another way that is not wrong either: overlays drawn without being asked
# for, single bits as gray, 32 bits in big endian as words.
SHOWN_OTHERWISE = ("overlay", "WithOverlays", "liver", "rtdose_expb", "32bit", "ALOKA", "Supplemental", "VR-UN", "odd")


def opened(data: bytes) -> DataSet:
    return data_set_of(open_part10(data))


def comparable() -> list[Path]:
    found = []
    with tolerant_pydicom():
        for path in REAL_FILES:
            data_set = pydicom.dcmread(path, stop_before_pixels=True)
            syntax = data_set.file_meta.get("TransferSyntaxUID")
            if syntax in NATIVE and "Rows" in data_set and not any(part in path.name for part in SHOWN_OTHERWISE):
                found.append(path)
    return found[::3]  # so many are alike


@pytest.mark.skipif(shutil.which("dcmj2pnm") is None, reason="DCMTK's dcmj2pnm is not installed")
@pytest.mark.parametrize("path", comparable(), ids=lambda path: path.name)
def test_real_images_as_dcmtk_shows_them(path: Path, tmp_path: Path) -> None:
    with tolerant_pydicom():
        data_set = pydicom.dcmread(path)
        if "PixelData" not in data_set or data_set.get("BitsAllocated") is None:
            return
        try:
            pixels = pixel_array(path, index=0, raw=True)
        except ValueError:
            return  # not even pydicom reads it
    ours = samples_of(frame_attributes(opened(path.read_bytes()), 1), DecodedFrame(pixels), RenderingOptions())
    few_bits = data_set.BitsStored <= 8
    asked = ["+Wi", "1"] if "WindowCenter" in data_set else ["+Wl", "1"] if "VOILUTSequence" in data_set else ["+Wm"]
    asked = ["-W"] if few_bits and asked == ["+Wm"] else asked
    target = tmp_path / "shown.png"
    subprocess.run(["dcmj2pnm", "+on", "-S", "+F", "1", *asked, path, target], check=True, capture_output=True)
    with Image.open(target) as image:
        expected = np.asarray(image.convert("RGB" if ours.ndim == 3 else "L"), dtype=int)
    assert np.abs(expected - ours).max() <= (2 if ours.ndim == 3 else 1)


@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_FULL_422"])
def test_ybr_as_pydicom_converts_it(photometric: str) -> None:
    samples = np.random.default_rng(2).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    expected = convert_color_space(samples, "YBR_FULL", "RGB").astype(int)
    assert np.abs(rgb_of(samples, photometric, 8) - expected).max() <= 1


def test_partial_range() -> None:
    samples = np.array([[[16, 128, 128], [235, 128, 128], [126, 128, 128]]], dtype=np.uint8)
    assert rgb_of(samples, "YBR_PARTIAL_420", 8)[0, :, 0].tolist() == [0, 255, 128]


@pytest.mark.parametrize(("bits", "value", "shown"), [(16, 0xFFFF, 255), (12, 0x800, 128), (4, 15, 255), (8, 9, 9)])
def test_colours_of_other_depths(bits: int, value: int, shown: int) -> None:
    assert rgb_of(np.full((1, 1, 3), value, np.uint16), "RGB", bits)[0, 0].tolist() == [shown] * 3


@pytest.mark.parametrize("photometric", ["HSV", "CMYK", "???"])
def test_colour_models_nobody_uses(photometric: str) -> None:
    with pytest.raises(ServerError) as caught:
        rgb_of(np.zeros((1, 1, 3), np.uint8), photometric, 8)
    assert caught.value.reason is Reason.CANNOT_UNDERSTAND


def test_overlays_as_pydicom_reads_them() -> None:
    path = next(path for path in REAL_FILES if path.name == "MR-SIEMENS-DICOM-WithOverlays.dcm")
    with tolerant_pydicom():
        expected = pydicom.dcmread(path).overlay_array(0x6000)
    (overlay,) = overlays_of(opened(path.read_bytes()), 1)
    assert (overlay.plane == expected.astype(bool)).all()


def test_overlays_in_bits_of_the_pixels() -> None:
    data = make_instance(BitsStored=12, HighBit=11)
    data_set = pydicom.dcmread(io.BytesIO(data))
    for element, vr, value in [(0x10, "US", 2), (0x11, "US", 2), (0x100, "US", 16), (0x102, "US", 12)]:
        data_set.add_new(0x60020000 | element, vr, value)
    buffer = io.BytesIO()
    data_set.save_as(buffer)
    pixels = np.array([[0x1000, 0x0FFF], [0x2000, 0xF000]], dtype=np.uint16)
    (overlay,) = overlays_of(opened(buffer.getvalue()), 1, pixels)
    assert overlay.plane.tolist() == [[True, False], [False, True]]


@pytest.mark.parametrize(
    ("top", "left", "drawn"),
    [(0, 0, [[1, 1], [1, 1]]), (1, 1, [[0, 0], [0, 1]]), (-1, 0, [[1, 1], [0, 0]]), (9, 9, [[0, 0], [0, 0]])],
)
def test_overlays_need_not_be_inside(top: int, left: int, drawn: list[list[int]]) -> None:
    assert Overlay(np.ones((2, 2), bool), top, left).drawn_on((2, 2)).astype(int).tolist() == drawn


@pytest.mark.parametrize(
    ("size", "viewport", "expected"),
    [
        ((512, 512), Viewport(), (512, 512)),
        ((512, 256), Viewport(128, 128), (128, 64)),
        ((512, 256), Viewport(1024, 1024), (1024, 512)),
        ((512, 256), Viewport(None, 128), (256, 128)),
        ((512, 256), Viewport(100, 100, Region(0, 0, 10, 200)), (5, 100)),
        ((512, 256), Viewport(region=Region(500, 200)), (12, 56)),
        ((512, 256), Viewport(region=Region(0.5, 0.5, 0.5, 0.25, relative=True)), (256, 64)),
        ((10000, 1), Viewport(8, 8), (8, 1)),
    ],
)
def test_sizes(size: tuple[int, int], viewport: Viewport, expected: tuple[int, int]) -> None:
    assert placed(Image.new("L", size), viewport).size == expected


@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_a_smaller_picture_has_the_means_of_the_pixels(mode: str) -> None:
    image = Image.fromarray(np.array([[0, 4, 9, 9], [4, 8, 9, 13], [1, 1, 7, 7]], np.uint16)).convert(mode)
    viewport = Viewport(2, 2, Region(0, 0, 4, 2))
    assert np.asarray(placed(image, viewport)).tolist() == [[4, 10]]


@pytest.mark.parametrize(
    "region",
    [Region(-1, 0), Region(0, 256), Region(0, 0, 513, 1), Region(1, 0, 512, 1), Region(0, 0.5, 1, 0.6, relative=True)],
)
def test_regions_that_are_not_inside(region: Region) -> None:
    with pytest.raises(ServerError) as caught:
        placed(Image.new("L", (512, 256)), Viewport(region=region))
    assert caught.value.reason is Reason.BAD_REQUEST


@pytest.mark.parametrize("mode", ["L", "I;16", "RGB"])
def test_flips(mode: str) -> None:
    image = Image.fromarray(np.arange(4, dtype=np.uint8).reshape(2, 2)).convert(mode)
    flipped = placed(image, Viewport(flip_x=True, flip_y=True))
    assert np.asarray(flipped.convert("L")).tolist() == [[3, 2], [1, 0]]


@pytest.mark.parametrize(
    ("attributes", "ratio"),
    [
        ({}, 1.0),
        ({"PixelAspectRatio": [2, 1]}, 2.0),
        ({"PixelSpacing": [0.5, 1.0]}, 0.5),
        ({"ImagerPixelSpacing": [0.143, 0.143]}, 1.0),
        ({"PixelSpacing": [0, 1]}, 1.0),
        ({"PixelAspectRatio": [1000, 1]}, 1.0),
    ],
)
def test_pixels_that_are_no_squares(attributes: dict[str, Any], ratio: float) -> None:
    frame = frame_attributes(opened(make_instance(**attributes)), 1)
    assert aspect_ratio(frame) == pytest.approx(ratio)
    across, down = placed(Image.new("L", (8, 8)), Viewport(), aspect_ratio(frame)).size
    assert down / across == pytest.approx(ratio)


@pytest.mark.parametrize("space", [ColourSpace.ADOBE_RGB, ColourSpace.ROMM_RGB, ColourSpace.DISPLAY_P3])
def test_profiles_are_there_and_back(space: ColourSpace) -> None:
    image = Image.fromarray(np.random.default_rng(3).integers(30, 226, (8, 8, 3)).astype(np.uint8))
    converted, profile = in_colour_space(image, b"", space)
    assert ImageCms.getProfileDescription(ImageCms.getOpenProfile(io.BytesIO(profile))).strip()
    back, _ = in_colour_space(converted, profile, ColourSpace.SRGB)
    assert np.abs(np.asarray(back, dtype=int) - np.asarray(image)).max() <= 3
    assert np.abs(np.asarray(converted, dtype=int) - np.asarray(image)).max() > 3


def test_a_known_colour_in_adobe_rgb() -> None:
    # Pure green of sRGB is (144, 255, 60) there.
    green, _ = in_colour_space(Image.new("RGB", (1, 1), (0, 255, 0)), b"", ColourSpace.ADOBE_RGB)
    assert np.abs(np.array(green.getpixel((0, 0))) - (144, 255, 60)).max() <= 2


def test_a_profile_that_is_none() -> None:
    with pytest.raises(ServerError):
        in_colour_space(Image.new("RGB", (1, 1)), bytes(200), ColourSpace.SRGB)


@pytest.mark.parametrize("media_type", IMAGE_TYPES)
@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
def test_formats_are_read_by_others(media_type: str, mode: str) -> None:
    gradient = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    image = Image.fromarray(gradient.astype(np.uint16) * 257 if mode == "I;16" else gradient)
    image = image.convert("RGB") if mode == "RGB" else image
    profile = profile_named(ColourSpace.SRGB) if mode == "RGB" else b""
    file = encoded(image, media_type, quality=95, profile=profile)
    with Image.open(io.BytesIO(file.data)) as read:
        assert read.get_format_mimetype() == media_type
        assert read.size == (64, 64)
        if media_type == PNG and mode == "I;16":
            assert (np.asarray(read) == gradient.astype(int) * 257).all()
        elif not read.mode.startswith("I;16"):
            assert np.abs(np.asarray(read.convert("L"), dtype=int) - gradient).max() <= 8
        if media_type in ("image/jpeg", PNG, "image/webp", "image/avif"):
            assert read.info.get("icc_profile", b"") == profile


def test_gif_of_several_frames() -> None:
    frames = [Image.new("L", (8, 8), value) for value in (0, 100, 200)]
    with Image.open(io.BytesIO(animated(frames, GIF, 100).data)) as read:
        assert (read.n_frames, read.info["duration"], read.info["loop"]) == (3, 100, 0)  # type: ignore[attr-defined]


def test_portable_arbitrary_map() -> None:
    image = Image.fromarray(np.array([[1, 256]], dtype=np.uint16))
    head, _, data = encoded(image, PAM).data.partition(b"ENDHDR\n")
    assert b"MAXVAL 65535" in head
    assert data == b"\0\1\1\0"


def test_annotations_are_written_only_if_asked_for() -> None:
    data_set = opened(make_instance(SpecificCharacterSet="ISO_IR 192", PatientName="Müller^Jörg=森^太郎", KVP=120))
    decoded = DecodedFrame(np.zeros((256, 256), np.uint16))
    plain = frame_image(data_set, 1, decoded, RenderingOptions(window=Window(50, 100)))
    assert not np.asarray(plain.image).any()
    for annotation in Annotation:
        asked = RenderingOptions(window=Window(50, 100), annotations=(annotation,))
        assert np.asarray(frame_image(data_set, 1, decoded, asked).image).any()


def test_a_supplemental_palette_colours_some_values() -> None:
    path = next(path for path in REAL_FILES if path.name == "eCT_Supplemental.dcm")
    with tolerant_pydicom():
        pixels = pixel_array(path, index=0, raw=True)
    shown = samples_of(frame_attributes(opened(path.read_bytes()), 1), DecodedFrame(pixels), RenderingOptions())
    assert shown.ndim == 3
    assert (shown[..., 0] != shown[..., 2]).any()
    assert (shown[..., 0] == shown[..., 2]).any()
