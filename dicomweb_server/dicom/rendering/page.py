"""Page: the first page of an encapsulated PDF, or of a structured report, as a picture (PS3.18 §8.7.4)."""

from __future__ import annotations

from itertools import islice
from textwrap import wrap

from dicomweb_server.dicom.arrays import Image, ImageDraw
from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.lettering import LINE_HEIGHT, draw_text
from dicomweb_server.dicom.rendering.options import Region, Viewport
from dicomweb_server.dicom.rendering.report import is_report, report_text
from dicomweb_server.errors import Reason, ServerError

_DOCUMENT = 0x00420011
_POINTS = 72  # per inch
_RESOLUTION = 150  # pixels per inch, where no viewport wants another
_LARGEST_SIDE = 8192.0
_PAGE, _MARGIN, _TEXT_SIZE = (1240, 1754), 100, 24  # A4 in that resolution
_MOST_CHARACTERS = 84  # of a line
_MOST_LINES = int((_PAGE[1] - 2 * _MARGIN) / (_TEXT_SIZE * LINE_HEIGHT))


def page_image(data_set: DataSet, viewport: Viewport) -> Image.Image:
    """The page, large enough for what the viewport shows of it; ServerError(NOT_ACCEPTABLE) if there is none."""
    if is_report(data_set):
        return text_page(report_text(data_set))
    return pdf_page(data_set.raw(_DOCUMENT), viewport)


def pdf_page(document: bytes, viewport: Viewport) -> Image.Image:
    """The first page of a PDF. Nothing in it is run or fetched."""
    import pypdfium2  # takes a while, and few documents are shown as pictures

    try:
        with pypdfium2.PdfDocument(document) as opened:
            page = opened[0]
            shown: Image.Image = page.render(scale=_scale(page.get_size(), viewport)).to_pil()
            return shown.convert("RGB")
    except (pypdfium2.PdfiumError, IndexError):
        problem = "the document cannot be shown as a picture: it is no PDF that can be read"
        raise ServerError(Reason.NOT_ACCEPTABLE, problem) from None


def _scale(size: tuple[float, float], viewport: Viewport) -> float:
    """Pixels per point."""
    width, height = (max(side, 1.0) for side in size)
    wanted = [limit / side for limit, side in ((viewport.width, width), (viewport.height, height)) if limit]
    scale = min(wanted) if wanted and viewport.region == Region() else _RESOLUTION / _POINTS
    return min(scale, _LARGEST_SIDE / max(width, height))


def text_page(text: str) -> Image.Image:
    """As much of a text as a page holds."""
    lines = [line for said in text.split("\n") for line in _wrapped(said)]
    if len(lines) > _MOST_LINES:
        lines = [*islice(lines, _MOST_LINES - 1), "..."]
    page = Image.new("RGB", _PAGE, "white")
    draw_text(ImageDraw.Draw(page), (_MARGIN, _MARGIN), "\n".join(lines), _TEXT_SIZE, (0, 0, 0))
    return page


def _wrapped(line: str) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()))
    return wrap(line, _MOST_CHARACTERS, subsequent_indent=indent + "  ") or [""]
