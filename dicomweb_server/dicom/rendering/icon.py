"""Icon: what stands for an instance that has no picture of its own, such as a report."""

from __future__ import annotations

from dataclasses import replace

from dicomweb_server.dicom.arrays import Image, ImageDraw, ImageFont
from dicomweb_server.dicom.rendering.geometry import placed
from dicomweb_server.dicom.rendering.image_format import Encoded, encoded
from dicomweb_server.dicom.rendering.options import Region, Viewport

_SIDE = 256
_BACKGROUND, _PAPER, _INK = (38, 44, 52), (232, 235, 239), (60, 70, 82)


def icon(label: str) -> Image.Image:
    """A sheet of paper with a word on it."""
    image = Image.new("RGB", (_SIDE, _SIDE), _BACKGROUND)
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((56, 28, 200, 228), 8, fill=_PAPER)
    for row in range(5):
        draw.line((76, 140 + 16 * row, 180 - 24 * (row == 4), 140 + 16 * row), fill=_INK, width=3)
    draw.text((128, 86), label[:6], fill=_INK, font=ImageFont.load_default(40), anchor="mm")
    return image


def labelled_icon(label: str, media_type: str, viewport: Viewport) -> Encoded:
    """The icon as a file, as large as the viewport wants it."""
    return encoded(placed(icon(label), replace(viewport, region=Region())), media_type)
