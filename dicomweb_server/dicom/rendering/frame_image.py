"""FrameImage: one decoded frame as the picture that was asked for. The order of steps is that of PS3.4 §N.2."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dicomweb_server.dicom.arrays import Image, np
from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.annotation import annotated
from dicomweb_server.dicom.rendering.colour import rgb_of
from dicomweb_server.dicom.rendering.frame_attributes import FrameAttributes, frame_attributes
from dicomweb_server.dicom.rendering.geometry import aspect_ratio, placed
from dicomweb_server.dicom.rendering.grayscale import Grayscale, Pixels, Shown, rendered_grayscale
from dicomweb_server.dicom.rendering.icc_profile import in_colour_space, profile_of
from dicomweb_server.dicom.rendering.lookup_table import unusable
from dicomweb_server.dicom.rendering.options import RenderingOptions
from dicomweb_server.dicom.rendering.overlay import overlays_of, with_overlays
from dicomweb_server.dicom.rendering.palette import palette_of
from dicomweb_server.dicom.rendering.transforms import grayscale_of

_PHOTOMETRIC_INTERPRETATION, _PIXEL_PRESENTATION = 0x00280004, 0x00089205
_BITS_STORED, _BITS_ALLOCATED = 0x00280101, 0x00280100
YELLOW = (255, 220, 0)


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """A frame as its codec gave it: rows, columns and, of colours, samples.

    `photometric_interpretation`: of these samples, which is not that of the instance if the codec changed it.
    `unmasked`: the same with the bits beyond Bits Stored.
    """

    pixels: Pixels
    photometric_interpretation: str = ""
    unmasked: Pixels | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, and the ICC profile that belongs to it, b"" for none."""

    image: Image.Image
    profile: bytes = b""


def frame_image(
    data_set: DataSet,
    frame_number: int,
    decoded: DecodedFrame,
    options: RenderingOptions,
    grayscale: Grayscale | None = None,
) -> Picture:
    """The picture of a frame. `grayscale`: instead of what the image itself says."""
    attributes = frame_attributes(data_set, frame_number)
    shown = samples_of(attributes, decoded, options, grayscale)
    if options.overlays and shown.dtype == np.uint8:
        unmasked = decoded.pixels if decoded.unmasked is None else decoded.unmasked
        shown = with_overlays(shown.astype(np.uint8), overlays_of(data_set, frame_number, unmasked), YELLOW)
    return with_picture(shown, attributes, options)


def with_picture(shown: Shown, attributes: FrameAttributes, options: RenderingOptions) -> Picture:
    """Shown samples as a picture: profile, size and annotations."""
    picture = Image.fromarray(np.ascontiguousarray(shown))
    ratio = aspect_ratio(attributes) if options.square_pixels else 1.0
    picture = placed(picture, options.viewport, ratio)
    picture, profile = in_colour_space(picture, profile_of(attributes.data_set), options.colour_space)
    return Picture(annotated(picture, attributes.data_set, options.annotations), profile)


def samples_of(
    attributes: FrameAttributes, decoded: DecodedFrame, options: RenderingOptions, grayscale: Grayscale | None = None
) -> Shown:
    """What is shown of a frame in its own size, gray or RGB."""
    data_set, pixels = attributes.data_set, decoded.pixels
    photometric = decoded.photometric_interpretation or data_set.text(_PHOTOMETRIC_INTERPRETATION)
    if pixels.ndim == 3:
        if pixels.shape[2] != 3:
            raise unusable(f"it has {pixels.shape[2]} samples per pixel")
        return rgb_of(pixels, photometric, data_set.integer(_BITS_STORED, 8))
    if photometric == "PALETTE COLOR":
        palette = palette_of(data_set)
        if palette is None:
            raise unusable("its palette is missing")
        return palette.look_up(pixels)
    chosen = grayscale or grayscale_of(attributes)
    if options.window is not None:
        chosen = replace(chosen, voi=options.window)
    gray = rendered_grayscale(pixels, chosen, options.bits)
    return _with_supplemental_palette(data_set, pixels, gray)


def _with_supplemental_palette(data_set: DataSet, pixels: Pixels, gray: Shown) -> Shown:
    """Values from the first entry of a supplemental palette on are colours, the ones below gray (PS3.3 §C.7.6.19)."""
    if data_set.text(_PIXEL_PRESENTATION) != "COLOR" or gray.dtype != np.uint8:
        return gray
    palette = palette_of(data_set)
    if palette is None or palette.first <= 0:
        return gray
    coloured = pixels >= palette.first
    image = np.repeat(gray[..., np.newaxis], 3, axis=2)
    image[coloured] = palette.look_up(pixels[coloured])
    return image
