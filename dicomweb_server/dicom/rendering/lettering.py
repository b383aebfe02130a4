"""Lettering: text drawn in fonts that have its letters. Pillow brings a font of ASCII; the others are the system's."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from dicomweb_server.dicom.arrays import ImageDraw, ImageFont

if TYPE_CHECKING:
    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

Ink = int | tuple[int, int, int]

LINE_HEIGHT = 1.35  # of the size of its letters
# By their files, wherever the system keeps fonts: the letters of Europe and the Near East first, then of the Far East.
_FILES = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "FreeSans.ttf", "arial.ttf", "Arial.ttf",
    "Arial Unicode.ttf", "NotoSansArabic-Regular.ttf", "NotoSansHebrew-Regular.ttf", "NotoSansThai-Regular.ttf",
    "NotoSansCJK-Regular.ttc", "NotoSansCJKjp-Regular.otf", "DroidSansFallbackFull.ttf", "wqy-zenhei.ttc", "ipag.ttf",
    "NanumGothic.ttf", "UnBatang.ttf", "YuGothM.ttc", "malgun.ttf", "msyh.ttc", "Hiragino Sans GB.ttc",
    "AppleSDGothicNeo.ttc", "leelawui.ttf",
)  # fmt: skip
_BUNDLED = ""
_TRIED_SIZE = 16
_NO_LETTER = "\U0010ffff"
_UNKNOWN = "?"


def draw_text(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size: int, ink: Ink, edge: Ink | None = None
) -> None:
    """Lines of text, each in a font that has its letters; `edge`: the colour around them."""
    left, top = place
    for row, line in enumerate(text.split("\n")):
        said, file = legible(line)
        at, font = (left, top + row * size * LINE_HEIGHT), _font(file, size)
        if edge is None:
            draw.text(at, said, fill=ink, font=font)
        else:
            draw.text(at, said, fill=ink, font=font, stroke_width=1, stroke_fill=edge)


def legible(line: str) -> tuple[str, str]:
    """A line, and the file of the font that has its letters, or most of them.

    What that lacks is written without its accents, or as a question mark; never as a box that means nothing.
    """
    letters = set(line)
    best, fewest = _BUNDLED, len(letters) + 1
    for file in (_BUNDLED, *_FILES):
        lacking = sum(not has_letter(file, letter) for letter in letters)
        if lacking < fewest:
            best, fewest = file, lacking
        if not lacking:
            break
    return "".join(letter if has_letter(best, letter) else _spelt(best, letter) for letter in line), best


@lru_cache(maxsize=8192)
def has_letter(file: str, letter: str) -> bool:
    """Whether a font is there and draws a letter otherwise than what it lacks."""
    font = _font(file, _TRIED_SIZE)
    if font is None:
        return False
    return letter.isspace() or _drawn(font, letter) != _drawn(font, _NO_LETTER)


def _spelt(file: str, letter: str) -> str:
    plain = [part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part)]
    return "".join(plain) if all(has_letter(file, part) for part in plain) else _UNKNOWN


def _drawn(font: Font, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)


@lru_cache(maxsize=256)
def _font(file: str, size: int) -> Font | None:
    if file == _BUNDLED:
        return ImageFont.load_default(size)
    try:
        return ImageFont.truetype(file, size)
    except OSError:
        return None
