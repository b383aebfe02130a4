"""Geometry: the region, flip, aspect ratio and size of what is shown (PS3.18 §8.3.5.1.3)."""

from __future__ import annotations

from dicomweb_server.dicom.arrays import Image
from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.frame_attributes import FrameAttributes
from dicomweb_server.dicom.rendering.options import Region, Viewport
from dicomweb_server.errors import Reason, ServerError

_PIXEL_ASPECT_RATIO, _PIXEL_MEASURES = 0x00280034, 0x00289110
_SPACINGS = (0x00280030, 0x00181164, 0x00182010)  # pixel spacing, of the detector, nominal
_SQUARE = 0.01  # what differs by less is taken for square
_MOST_STRETCH = 32.0
LARGEST_SIDE = 16384
Box = tuple[int, int, int, int]


def aspect_ratio(frame: FrameAttributes) -> float:
    """The height of a pixel, its width being 1 (PS3.3 §C.7.6.3.1.7)."""
    source = frame.either(_PIXEL_MEASURES, _SPACINGS[0])
    ratio = _ratio(frame.data_set, _PIXEL_ASPECT_RATIO) or _ratio(source, _SPACINGS[0])
    for tag in _SPACINGS[1:]:
        ratio = ratio or _ratio(frame.data_set, tag)
    return 1.0 if abs(ratio - 1) < _SQUARE or not 1 / _MOST_STRETCH <= ratio <= _MOST_STRETCH else ratio


def _ratio(data_set: DataSet, tag: int) -> float:
    values = data_set.numbers(tag)
    return values[0] / values[1] if len(values) >= 2 and min(values[:2]) > 0 else 0.0


def source_box(region: Region, columns: int, rows: int) -> Box:
    """The pixels of a region: left, top, right, bottom; ServerError(BAD_REQUEST) if it is not inside of the image."""
    across, down = (columns, rows) if region.relative else (1, 1)
    left, top = region.left * across, region.top * down
    right = columns if region.width is None else left + region.width * across
    bottom = rows if region.height is None else top + region.height * down
    # A region that was computed may miss the edge by a rounding.
    if not (0 <= left < right <= columns + 0.01 and 0 <= top < bottom <= rows + 0.01):
        raise ServerError(
            Reason.BAD_REQUEST, f"the region of the image is not inside of it: it has {columns} columns and {rows} rows"
        )
    box = round(left), round(top), min(round(right), columns), min(round(bottom), rows)
    return min(box[0], columns - 1), min(box[1], rows - 1), max(box[2], box[0] + 1), max(box[3], box[1] + 1)


def shown_size(box: Box, viewport: Viewport, ratio: float) -> tuple[int, int]:
    """Width and height of the result."""
    width, height = float(box[2] - box[0]), float(box[3] - box[1])
    # Pixels that are not square are made so by more of them, never by fewer.
    width, height = (width, height * ratio) if ratio >= 1 else (width / ratio, height)
    limits = viewport.width, viewport.height
    scale = min((limit / side for limit, side in zip(limits, (width, height), strict=True) if limit), default=1.0)
    scale = min(scale, LARGEST_SIDE / width, LARGEST_SIDE / height) if limits != (None, None) or ratio != 1 else 1.0
    return max(1, round(width * scale)), max(1, round(height * scale))


def placed(image: Image.Image, viewport: Viewport, ratio: float = 1.0) -> Image.Image:
    """The image as the viewport shows it."""
    columns, rows = image.size
    box = source_box(viewport.region, columns, rows)
    size = shown_size(box, viewport, ratio)
    if box != (0, 0, columns, rows) or size != image.size:
        image = _resized(image, box, size, smooth=viewport.smooth)
    if viewport.flip_x:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if viewport.flip_y:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return image


def _resized(image: Image.Image, box: Box, size: tuple[int, int], *, smooth: bool) -> Image.Image:
    if size == (box[2] - box[0], box[3] - box[1]):
        return image.crop(box)
    if not smooth:
        return image.resize(size, Image.Resampling.NEAREST, box)
    if image.mode == "I;16":
        # Resampling wants a mode of 32 bits; nothing overshoots with these filters.
        return _smoothed(image.convert("I"), box, size).convert("I;16")
    return _smoothed(image, box, size)


def _smoothed(image: Image.Image, box: Box, size: tuple[int, int]) -> Image.Image:
    across, rest_across = divmod(box[2] - box[0], size[0])
    down, rest_down = divmod(box[3] - box[1], size[1])
    if not rest_across and not rest_down:  # each pixel is the mean of some whole ones, which is found much faster
        return image.reduce((across, down), box)
    return image.resize(size, Image.Resampling.BILINEAR, box, reducing_gap=3.0)
