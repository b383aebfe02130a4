"""ICC profiles: of images (PS3.3 §C.11.15), and of the colour spaces that `iccprofile` names (PS3.18 §8.3.5.1.5)."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache

from dicomweb_server.dicom.arrays import Image, ImageCms
from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.lookup_table import unusable

_ICC_PROFILE, _OPTICAL_PATH = 0x00282000, 0x00480105
_LARGEST = 4 << 20


class ColourSpace(Enum):
    """The values of `iccprofile`."""

    NONE = "no"
    AS_IT_IS = "yes"
    SRGB = "srgb"
    ADOBE_RGB = "adobergb"
    ROMM_RGB = "rommrgb"
    DISPLAY_P3 = "displayp3"


# Red, green and blue in XYZ relative to D50, as the specifications of these spaces have them, and their gamma.
_SPACES: Mapping[ColourSpace, tuple[str, tuple[tuple[float, float, float], ...], float]] = {
    ColourSpace.ADOBE_RGB: (
        "Compatible with Adobe RGB (1998)",
        ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)),
        563 / 256,
    ),
    ColourSpace.ROMM_RGB: (
        "ROMM RGB",
        ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491)),
        1.8,
    ),
    ColourSpace.DISPLAY_P3: (
        "Display P3",
        ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)),
        0.0,
    ),
}
_D50 = (0.9642, 1.0, 0.8249)


def profile_of(data_set: DataSet) -> bytes:
    """The ICC profile that an image brings, b"" without one."""
    optical_path = data_set.item(_OPTICAL_PATH)
    for source in (data_set, optical_path):
        if source is not None and 128 < len(source.raw(_ICC_PROFILE)) <= _LARGEST:
            return source.raw(_ICC_PROFILE)
    return b""


@lru_cache(maxsize=8)
def profile_named(space: ColourSpace) -> bytes:
    """The profile of a colour space; sRGB stands for images that bring none."""
    if space not in _SPACES:
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    name, primaries, gamma = _SPACES[space]
    return _matrix_profile(name, primaries, gamma)


def in_colour_space(image: Image.Image, profile: bytes, space: ColourSpace) -> tuple[Image.Image, bytes]:
    """An image with the profile `profile` or none, as `iccprofile` wants it, and the profile to go with it.

    Grayscale is left alone: profiles are of RGB here.
    """
    if space is ColourSpace.NONE or image.mode != "RGB":
        return image, b""
    if space is ColourSpace.AS_IT_IS:
        return image, profile or profile_named(ColourSpace.SRGB)
    wanted = profile_named(space)
    source = profile or profile_named(ColourSpace.SRGB)
    return (image if source == wanted else _converted(image, source, wanted)), wanted


def _converted(image: Image.Image, source: bytes, wanted: bytes) -> Image.Image:
    try:
        converted = ImageCms.profileToProfile(
            image, ImageCms.getOpenProfile(io.BytesIO(source)), ImageCms.getOpenProfile(io.BytesIO(wanted))
        )
    except (ImageCms.PyCMSError, OSError):
        raise unusable("its ICC profile is not valid") from None
    return converted or image


def _matrix_profile(name: str, primaries: tuple[tuple[float, float, float], ...], gamma: float) -> bytes:
    """A display profile of version 2 (ICC.1:2001-04 §6.3.1.2): white point, primaries, one curve for all."""
    curve = _curve(gamma)
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(name) + 1) + name.encode("ascii") + bytes(80),
        b"cprt": b"text" + bytes(4) + b"No copyright, use freely\0",
        b"wtpt": _xyz(_D50),
        **{tag: _xyz(value) for tag, value in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)},
        **{tag: curve for tag in (b"rTRC", b"gTRC", b"bTRC")},
    }
    table, data = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for tag, value in tags.items():
        table += tag + struct.pack(">II", start + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    size = start + len(data)
    head = struct.pack(">II4s4s4s4s", size, 0, b"\x02\x10\0\0", b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H4s", 2024, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + _s15(_D50) + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + data


def _curve(gamma: float) -> bytes:
    if gamma:
        return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    # The curve of sRGB (IEC 61966-2-1), sampled.
    points = [position / 1023 for position in range(1024)]
    linear = [point / 12.92 if point <= 0.04045 else ((point + 0.055) / 1.055) ** 2.4 for point in points]
    return b"curv" + bytes(4) + struct.pack(">I1024H", 1024, *(round(value * 65535) for value in linear))


def _xyz(value: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + _s15(value)


def _s15(values: tuple[float, float, float]) -> bytes:
    return struct.pack(">3i", *(round(value * 65536) for value in values))
