"""PresentedImage: a frame as a presentation state wants it to be seen (PS3.4 §N.2)."""

from __future__ import annotations

from dataclasses import replace

from dicomweb_server.dicom.arrays import Image, np
from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.annotation import annotated
from dicomweb_server.dicom.rendering.frame_attributes import frame_attributes
from dicomweb_server.dicom.rendering.frame_image import YELLOW, DecodedFrame, Picture, samples_of
from dicomweb_server.dicom.rendering.geometry import aspect_ratio, placed
from dicomweb_server.dicom.rendering.graphics import with_graphics, with_shutter
from dicomweb_server.dicom.rendering.grayscale import rendered_grayscale
from dicomweb_server.dicom.rendering.icc_profile import in_colour_space, profile_of
from dicomweb_server.dicom.rendering.options import Region, RenderingOptions
from dicomweb_server.dicom.rendering.overlay import overlays_of, with_overlays
from dicomweb_server.dicom.rendering.palette import palette_of
from dicomweb_server.dicom.rendering.presentation_state import (
    Orientation,
    applies,
    displayed_area,
    orientation_of,
    presented_grayscale,
)

# Pillow turns counterclockwise.
_FRAME_SHUTTERS = 0x00189472  # of X-ray images (PS3.3 §C.11.20)
_TURNS = {90: "ROTATE_270", 180: "ROTATE_180", 270: "ROTATE_90"}


def presented_image(
    data_set: DataSet,
    instance_uid: str,
    frame_number: int,
    decoded: DecodedFrame,
    state: DataSet,
    options: RenderingOptions,
) -> Picture:
    """The picture: grayscale, palette, overlays, shutter, graphics, orientation, displayed area, size."""
    attributes = frame_attributes(data_set, frame_number)
    if decoded.pixels.ndim == 2 and decoded.photometric_interpretation.startswith("MONOCHROME"):
        grayscale = presented_grayscale(state, instance_uid, frame_number)
        if options.window is not None:
            grayscale = replace(grayscale, voi=options.window)
        palette = palette_of(state)
        if palette is None:
            shown = rendered_grayscale(decoded.pixels, grayscale)
        else:  # PS3.4 §N.2.4.1: the palette takes the place of the presentation LUT
            steps = len(palette.colours()) - 1
            gray = rendered_grayscale(decoded.pixels, grayscale, bits=16)
            shown = palette.look_up(np.rint(gray / 65535 * steps).astype(np.int64) + palette.first)
    else:
        shown = samples_of(attributes, decoded, options)
    shown = with_overlays(shown, overlays_of(state, frame_number), YELLOW)
    picture = with_shutter(Image.fromarray(np.ascontiguousarray(shown)), state)
    for shutter in state.items(_FRAME_SHUTTERS):
        if applies(shutter, instance_uid, frame_number):
            picture = with_shutter(picture, shutter)
    picture = with_graphics(picture, state, instance_uid, frame_number)
    return finished(picture, data_set, instance_uid, frame_number, state, options)


def finished(
    picture: Image.Image,
    data_set: DataSet,
    instance_uid: str,
    frame_number: int,
    state: DataSet,
    options: RenderingOptions,
) -> Picture:
    """The picture turned, cut and sized as the state and whoever asks want it."""
    area = displayed_area(state, instance_uid, frame_number)
    if area is not None and options.viewport.region == Region():
        box = max(area[0], 0), max(area[1], 0), min(area[2], picture.width), min(area[3], picture.height)
        if box[0] < box[2] and box[1] < box[3]:
            picture = picture.crop(box)
    ratio = aspect_ratio(frame_attributes(data_set, frame_number))
    orientation = orientation_of(state)
    picture = _turned(picture, orientation)
    picture = placed(picture, options.viewport, 1 / ratio if orientation.degrees in (90, 270) else ratio)
    picture, profile = in_colour_space(picture, profile_of(state) or profile_of(data_set), options.colour_space)
    return Picture(annotated(picture, data_set, options.annotations), profile)


def _turned(picture: Image.Image, orientation: Orientation) -> Image.Image:
    if orientation.degrees:
        picture = picture.transpose(Image.Transpose[_TURNS[orientation.degrees]])
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if orientation.flip else picture
