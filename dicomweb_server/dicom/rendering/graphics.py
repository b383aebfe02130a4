"""Graphics: the lines, texts and shutters of presentation states and images (PS3.3 §C.7.6.11, §C.10.5)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from dicomweb_server.dicom.arrays import Image, ImageDraw
from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.lettering import Ink, draw_text
from dicomweb_server.dicom.rendering.presentation_state import applies

_ANNOTATIONS, _TEXTS, _GRAPHICS = 0x00700001, 0x00700008, 0x00700009
_TEXT, _BOX_UNITS, _ANCHOR_UNITS, _UNITS = 0x00700006, 0x00700003, 0x00700004, 0x00700005
_BOX_TOP_LEFT, _ANCHOR = 0x00700010, 0x00700014
_DATA, _TYPE, _FILLED = 0x00700022, 0x00700023, 0x00700024
_SHUTTER, _LEFT, _RIGHT, _UPPER, _LOWER = 0x00181600, 0x00181602, 0x00181604, 0x00181606, 0x00181608
_CENTER, _RADIUS, _VERTICES, _SHUTTER_VALUE = 0x00181610, 0x00181612, 0x00181620, 0x00181622
_MOST_OBJECTS = 2000
_MOST_POINTS = 10_000
_FARTHEST = 32768.0  # from the image; what is drawn farther away is not seen, but takes its time
_COLOUR = (255, 220, 0)

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What is drawn on, and the size that relative coordinates refer to."""

    draw: ImageDraw.ImageDraw
    size: tuple[int, int]
    ink: Ink
    width: int

    def points(self, values: list[float], units: str) -> list[Point]:
        """Pixels are counted from 1, their centre being a whole number; DISPLAY is from 0 to 1."""
        limited = [min(max(value, -_FARTHEST), _FARTHEST) for value in values]
        pairs = list(zip(limited[::2], limited[1::2], strict=False))
        if units == "DISPLAY":
            return [(x * self.size[0], y * self.size[1]) for x, y in pairs]
        return [(x - 0.5, y - 0.5) for x, y in pairs]


def with_graphics(image: Image.Image, state: DataSet, instance_uid: str, frame_number: int) -> Image.Image:
    """The image, gray or RGB, with the annotations of a state that are meant for it."""
    layers = [item for item in state.items(_ANNOTATIONS) if applies(item, instance_uid, frame_number)]
    if not layers:
        return image
    image = image.convert("RGB")
    sheet = _Sheet(ImageDraw.Draw(image), image.size, _COLOUR, max(1, min(image.size) // 400))
    for layer in layers:
        for graphic in islice(layer.items(_GRAPHICS), _MOST_OBJECTS):
            _draw_graphic(sheet, graphic)
        for text in islice(layer.items(_TEXTS), _MOST_OBJECTS):
            _draw_text(sheet, text)
    return image


def _draw_graphic(sheet: _Sheet, graphic: DataSet) -> None:
    points = sheet.points(graphic.numbers(_DATA), graphic.text(_UNITS))[:_MOST_POINTS]
    kind = graphic.text(_TYPE)
    fill = sheet.ink if graphic.text(_FILLED) == "Y" else None
    if kind == "POINT" and points:
        (x, y), size = points[0], 2 * sheet.width
        sheet.draw.ellipse((x - size, y - size, x + size, y + size), fill=sheet.ink)
    elif kind in ("POLYLINE", "INTERPOLATED") and len(points) > 1:
        if fill and points[0] == points[-1]:
            sheet.draw.polygon(points, fill=fill)
        sheet.draw.line(points, fill=sheet.ink, width=sheet.width)
    elif kind == "CIRCLE" and len(points) > 1:
        (x, y), (edge_x, edge_y) = points[:2]
        radius = ((edge_x - x) ** 2 + (edge_y - y) ** 2) ** 0.5
        sheet.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill, sheet.ink, sheet.width)
    elif kind == "ELLIPSE" and len(points) > 3:
        across = [point[0] for point in points[:4]]
        down = [point[1] for point in points[:4]]
        sheet.draw.ellipse((min(across), min(down), max(across), max(down)), fill, sheet.ink, sheet.width)


def _draw_text(sheet: _Sheet, text: DataSet) -> None:
    box = sheet.points(text.numbers(_BOX_TOP_LEFT), text.text(_BOX_UNITS))
    anchor = sheet.points(text.numbers(_ANCHOR), text.text(_ANCHOR_UNITS))
    place = next(iter(box or anchor), None)
    if place is not None:
        said = text.text(_TEXT).replace("\r\n", "\n")[:1024]
        draw_text(sheet.draw, place, said, max(10, min(sheet.size) // 32), sheet.ink, (0, 0, 0))


def with_shutter(image: Image.Image, source: DataSet) -> Image.Image:
    """The image with what lies outside of the display shutter covered."""
    shapes = set(source.texts(_SHUTTER)) & {"RECTANGULAR", "CIRCULAR", "POLYGONAL"}
    if not shapes:
        return image
    open_part = Image.new("1", image.size, 1)
    for shape in sorted(shapes):
        open_part = _both(open_part, _opening(shape, source, image.size))
    value = min(max(source.integer(_SHUTTER_VALUE) >> 8, 0), 255)
    covered = Image.new(image.mode, image.size, value if image.mode != "RGB" else (value, value, value))
    covered.paste(image, mask=open_part)
    return covered


def _both(first: Image.Image, second: Image.Image) -> Image.Image:
    empty = Image.new("1", first.size, 0)
    empty.paste(second, mask=first)
    return empty


def _opening(shape: str, source: DataSet, size: tuple[int, int]) -> Image.Image:
    mask = Image.new("1", size, 0)
    draw = ImageDraw.Draw(mask)
    if shape == "RECTANGULAR":
        left, right = source.integer(_LEFT, 1), source.integer(_RIGHT, size[0])
        top, bottom = source.integer(_UPPER, 1), source.integer(_LOWER, size[1])
        if left <= right and top <= bottom:
            draw.rectangle((left - 1, top - 1, right - 1, bottom - 1), fill=1)
    elif shape == "CIRCULAR":
        center, radius = source.integers(_CENTER), source.integer(_RADIUS)
        if len(center) == 2 and 0 < radius <= 1 << 17:
            row, column = center[0] - 1, center[1] - 1
            draw.ellipse((column - radius, row - radius, column + radius, row + radius), fill=1)
    else:
        values = source.integers(_VERTICES)
        vertices = [(float(column - 1), float(row - 1)) for row, column in zip(values[::2], values[1::2], strict=False)]
        if len(vertices) > 2:
            draw.polygon(vertices, fill=1)
    return mask
