"""Rendering parameters of WADO-RS (PS3.18 §8.3.5): query to options. Everything odd is refused with a reason."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from dicomweb_server.dicom.rendering.geometry import LARGEST_SIDE
from dicomweb_server.dicom.rendering.icc_profile import ColourSpace
from dicomweb_server.dicom.rendering.options import Annotation, Region, RenderingOptions, Viewport
from dicomweb_server.dicom.rendering.window import Function, Window
from dicomweb_server.errors import Reason, ServerError

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,12}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})(?:[eE][+-]?[0-9]{1,2})?\Z", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,9}\Z", re.ASCII)
_FUNCTIONS = {"linear": Function.LINEAR, "linear-exact": Function.LINEAR_EXACT, "sigmoid": Function.SIGMOID}
_LARGEST_AREA = 1 << 26  # pixels
_T = TypeVar("_T")


def bad(name: str, expected: str) -> ServerError:
    """A parameter has a value that it cannot have."""
    return ServerError(Reason.BAD_REQUEST, f"{name}: {expected} expected")


def number(name: str, text: str) -> float:
    """A decimal number of reasonable size."""
    if not _NUMBER.match(text):
        raise bad(name, "a decimal number")
    value = float(text)
    if not math.isfinite(value):
        raise bad(name, "a decimal number that is not so large")
    return value


def whole(name: str, text: str, lowest: int, highest: int) -> int:
    """A whole number between limits."""
    if not _WHOLE.match(text) or not lowest <= int(text) <= highest:
        raise bad(name, f"a whole number from {lowest} to {highest}")
    return int(text)


def named(name: str, text: str, known: Mapping[str, _T]) -> _T:
    """What a word stands for."""
    if text.lower() not in known:
        raise bad(name, " or ".join(known))
    return known[text.lower()]


def quality(text: str) -> int:
    """`quality`."""
    return whole("quality", text, 1, 100)


def window(text: str) -> Window:
    """`window`: centre, width and function."""
    parts = text.split(",")
    if len(parts) not in (2, 3):
        raise bad("window", "centre,width,function")
    function = named("window function", parts[2], _FUNCTIONS) if len(parts) == 3 else Function.LINEAR
    return valid_window(Window(number("window centre", parts[0]), number("window width", parts[1]), function))


def valid_window(asked: Window) -> Window:
    """The window, if it shows something."""
    if not asked.is_valid:
        raise bad("window width", "1 or more" if asked.function is Function.LINEAR else "a number above 0")
    return asked


def viewport(text: str) -> Viewport:
    """`viewport`: width, height, and the region as left, top, width, height, of which a negative one flips."""
    parts = text.split(",")
    if not 2 <= len(parts) <= 6:
        raise bad("viewport", "width,height or width,height,left,top,width,height of the region")
    size = viewport_size(parts[0], parts[1])
    left, top, width, height = (
        number("viewport region", part) if part else None for part in (*parts[2:], *[""] * (6 - len(parts)))
    )
    if width == 0 or height == 0:
        raise bad("viewport region", "a width and height other than 0")
    region = Region(left or 0.0, top or 0.0, abs(width) if width else None, abs(height) if height else None)
    return replace(size, region=region, flip_x=(width or 1) < 0, flip_y=(height or 1) < 0)


def viewport_size(width: str | None, height: str | None) -> Viewport:
    """A viewport of a size; None leaves a side to the other one."""
    across = None if width is None else whole("width of the viewport", width, 1, LARGEST_SIDE)
    down = None if height is None else whole("height of the viewport", height, 1, LARGEST_SIDE)
    if (across or 1) * (down or 1) > _LARGEST_AREA:
        raise bad("viewport", f"at most {_LARGEST_AREA} pixels")
    return Viewport(across, down)


def annotations(text: str) -> tuple[Annotation, ...]:
    """`annotation`: one or two words."""
    known = {annotation.value: annotation for annotation in Annotation}
    return tuple(named("annotation", word, known) for word in text.split(",") if word)


def colour_space(text: str) -> ColourSpace:
    """`iccprofile`."""
    return named("iccprofile", text, {space.value: space for space in ColourSpace})


_YES_OR_NO = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}

_PARSERS: Mapping[str, Callable[[RenderingOptions, str], RenderingOptions]] = {
    "quality": lambda options, text: replace(options, quality=quality(text)),
    "window": lambda options, text: replace(options, window=window(text)),
    "viewport": lambda options, text: replace(options, viewport=viewport(text)),
    "annotation": lambda options, text: replace(options, annotations=annotations(text)),
    "iccprofile": lambda options, text: replace(options, colour_space=colour_space(text)),
    "overlays": lambda options, text: replace(options, overlays=named("overlays", text, _YES_OR_NO)),
}


def rendering_options(parameters: Iterable[tuple[str, str]]) -> RenderingOptions:
    """The options of a query; ServerError(BAD_REQUEST) that names what is wrong. Unknown parameters are ignored."""
    options = RenderingOptions()
    seen = set()
    for name, value in parameters:
        parse = _PARSERS.get(name)
        if parse is None:
            continue
        if name in seen:
            raise ServerError(Reason.BAD_REQUEST, f"{name}: given more than once")
        seen.add(name)
        options = parse(options, value.strip())
    return options
