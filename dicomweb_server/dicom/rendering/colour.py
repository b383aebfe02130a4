"""Colour: samples of three per pixel to RGB of 8 bits (PS3.3 §C.7.6.3.1.2)."""

from __future__ import annotations

from dicomweb_server.dicom.arrays import NDArray, np
from dicomweb_server.dicom.rendering.grayscale import Pixels
from dicomweb_server.dicom.rendering.lookup_table import unusable

# The codecs undo the colour transformations that belong to JPEG 2000.
_RGB = frozenset({"RGB", "YBR_ICT", "YBR_RCT", ""})
_FULL = frozenset({"YBR_FULL", "YBR_FULL_422"})
_PARTIAL = frozenset({"YBR_PARTIAL_420", "YBR_PARTIAL_422"})
_TO_RGB = [[1.0, 0.0, 1.402], [1.0, -0.344136, -0.714136], [1.0, 1.772, 0.0]]


def rgb_of(pixels: Pixels, photometric_interpretation: str, bits_stored: int) -> NDArray[np.uint8]:
    """The image in RGB; ServerError(CANNOT_UNDERSTAND) for colour models that nobody defined a conversion for."""
    samples = _eight_bits(pixels, bits_stored)
    if photometric_interpretation in _RGB:
        return samples
    if photometric_interpretation in _FULL:
        return _from_ybr(samples)
    if photometric_interpretation in _PARTIAL:
        luminance = (samples[..., :1].astype(np.float32) - 16) * (255 / 219) + 0.5
        chrominance = (samples[..., 1:].astype(np.float32) - 128) * (255 / 224) + 128.5
        return _from_ybr(np.clip(np.concatenate([luminance, chrominance], axis=-1), 0, 255).astype(np.uint8))
    raise unusable(f"photometric interpretation {photometric_interpretation[:16]!r} is not known")


def _from_ybr(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    centred = samples.astype(np.float32)
    centred[..., 1:] -= 128
    to_rgb = np.array(_TO_RGB, dtype=np.float32)
    rgb: NDArray[np.uint8] = np.clip(centred @ to_rgb.T + 0.5, 0, 255).astype(np.uint8)
    return rgb


def _eight_bits(pixels: Pixels, bits_stored: int) -> NDArray[np.uint8]:
    if pixels.dtype.kind == "f":
        raise unusable("colours cannot be floating point numbers")
    bits_stored = min(max(bits_stored, 1), 8 * pixels.dtype.itemsize)
    if bits_stored > 8:
        return (pixels >> (bits_stored - 8)).astype(np.uint8)
    if bits_stored < 8:
        return (pixels.astype(np.uint16) * 255 // ((1 << bits_stored) - 1)).astype(np.uint8)
    return pixels.astype(np.uint8)
