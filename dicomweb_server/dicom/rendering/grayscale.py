"""Grayscale: from stored values of one sample per pixel to brightness (PS3.3 §C.7.6.3, §C.11; PS3.4 §N.2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dicomweb_server.dicom.arrays import NDArray, np
from dicomweb_server.dicom.rendering.lookup_table import LookupTable
from dicomweb_server.dicom.rendering.window import Floats, Window, full_range

# Of integers that span more than this, each pixel is computed, else each value once.
_LARGEST_TABLE = 1 << 17
# The ends of a table are multiples of this, so that the slices of a series share one.
_TABLE_STEP = 256
_SHOWN_BITS = 8

Pixels = NDArray[Any]  # of integers or floating point numbers
Shown = NDArray[Any]  # of 8 or 16 bits


@dataclass(frozen=True, slots=True)
class Rescale:
    """A linear modality transformation."""

    slope: float = 1.0
    intercept: float = 0.0


@dataclass(frozen=True, slots=True)
class Grayscale:
    """What is done with stored values, in this order. `voi` None: everything from the lowest to the highest is shown.

    `padding`: the range of stored values that mean nothing and are not looked at for that (PS3.3 §C.7.5.1.1.2).
    `nominal`: the range that is shown instead, of few bits, so that black stays black. `inverse`: the lowest is white.
    """

    modality: Rescale | LookupTable = Rescale()
    voi: Window | LookupTable | None = None
    presentation: LookupTable | None = None
    inverse: bool = False
    padding: tuple[float, float] | None = None
    nominal: tuple[float, float] | None = None


def modality_values(pixels: Pixels, modality: Rescale | LookupTable) -> Floats:
    """The values that windows speak of, such as Hounsfield units."""
    if isinstance(modality, LookupTable):
        return modality.look_up(pixels).astype(np.float64)
    shown: Floats = pixels * modality.slope + modality.intercept
    return shown


def rendered_grayscale(pixels: Pixels, grayscale: Grayscale, bits: int = _SHOWN_BITS) -> Shown:
    """The pixels as they are shown, in 8 or 16 bits."""
    kind = np.uint8 if bits == _SHOWN_BITS else np.uint16
    highest = (1 << bits) - 1
    voi = grayscale.voi or full_range(*shown_range(pixels, grayscale))
    if pixels.dtype.kind == "f":
        finite = np.nan_to_num(pixels.astype(np.float64), nan=0.0)
        return _shown(finite, grayscale, voi, highest).astype(kind)
    low, high = int(pixels.min()), int(pixels.max())
    if high - low >= _LARGEST_TABLE:
        return _shown(pixels, grayscale, voi, highest).astype(kind)
    if pixels.dtype.itemsize == 2:
        low, high = low - low % _TABLE_STEP, high + _TABLE_STEP - 1 - high % _TABLE_STEP
    table = _table(low, high, grayscale, voi, bits)
    return _on_line(pixels, *table.line) if table.line else _through_table(pixels, low, table.values)


@dataclass(frozen=True, slots=True)
class _Table:
    """What is shown of each value of a range, and the line that gives just that, if there is one."""

    values: Shown
    line: tuple[float, float] | None


@lru_cache(maxsize=16)
def _table(low: int, high: int, grayscale: Grayscale, voi: Window | LookupTable, bits: int) -> _Table:
    inputs = np.arange(low, high + 1)
    shown = _shown(inputs, grayscale, voi, (1 << bits) - 1)
    values = shown.astype(np.uint8 if bits == _SHOWN_BITS else np.uint16)
    line = _line(grayscale, voi) if bits == _SHOWN_BITS else None
    return _Table(values, line if line and np.array_equal(_on_line(inputs, *line), values) else None)


def _line(grayscale: Grayscale, voi: Window | LookupTable) -> tuple[float, float] | None:
    """Slope and offset of what is shown in 8 bits, before it is cut off."""
    modality = grayscale.modality
    line = voi.line if isinstance(voi, Window) else None
    if line is None or isinstance(modality, LookupTable) or grayscale.presentation is not None:
        return None
    slope, offset = line[0] * modality.slope, line[0] * modality.intercept + line[1]
    if grayscale.inverse:
        slope, offset = -slope, 1 - offset
    return 255 * slope, 255 * offset + 0.5


def _on_line(pixels: Pixels, slope: float, offset: float) -> Shown:
    """In single precision, which is twice as fast as a table, and not always right."""
    shown = pixels.astype(np.float32)
    shown *= np.float32(slope)
    shown += np.float32(offset)
    np.clip(shown, 0, 255, out=shown)
    return shown.astype(np.uint8)


def shown_range(pixels: Pixels, grayscale: Grayscale) -> tuple[float, float]:
    """The lowest and the highest value of what is to be seen, after the modality transformation."""
    low_high = grayscale.nominal or _extremes(pixels, grayscale.padding)
    if isinstance(grayscale.modality, LookupTable):  # need not be monotonic
        low_high = tuple(np.arange(int(low_high[0]), int(low_high[1]) + 1)[:_LARGEST_TABLE])
    ends = modality_values(np.array(low_high), grayscale.modality)
    return float(ends.min()), float(ends.max())


def _extremes(pixels: Pixels, padding: tuple[float, float] | None) -> tuple[float, float]:
    if padding is not None:
        kept = pixels[(pixels < padding[0]) | (pixels > padding[1])]
        pixels = kept if kept.size else pixels
    if pixels.dtype.kind == "f":
        pixels = pixels[np.isfinite(pixels)]
        if not pixels.size:
            return 0.0, 0.0
    return float(pixels.min()), float(pixels.max())


def _through_table(pixels: Pixels, low: int, table: Shown) -> Shown:
    if pixels.dtype.itemsize > 2:
        return table[pixels.astype(np.int64) - low]
    # Unsigned arithmetic wraps around, so that the difference is right for signed pixels too.
    native = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    unsigned = native.view(f"u{native.dtype.itemsize}")
    index = unsigned - np.array(low).astype(native.dtype).view(unsigned.dtype) if low else unsigned
    found: Shown = np.take(table, index, mode="clip")
    return found


def _shown(values: Pixels, grayscale: Grayscale, voi: Window | LookupTable, highest: int) -> Floats:
    """The numbers that are shown, rounded."""
    shown = modality_values(values, grayscale.modality)
    brightness = _brightness(shown, voi)
    if grayscale.presentation is not None:
        table = grayscale.presentation
        brightness = table.look_up(brightness * (len(table.values) - 1) + table.first) / table.highest
    if grayscale.inverse:
        brightness = 1 - brightness
    return np.floor(brightness * highest + 0.5)


def _brightness(values: Floats, voi: Window | LookupTable) -> Floats:
    return voi.look_up(values) / voi.highest if isinstance(voi, LookupTable) else voi.brightness(values)
