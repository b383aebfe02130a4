"""Waveform: channels over time, such as an ECG, as a drawing on graph paper (PS3.3 §C.10.9)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import islice

from dicomweb_server.dicom.arrays import NDArray, np
from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.annotation import patient_lines
from dicomweb_server.dicom.rendering.lookup_table import unusable

_WAVEFORMS, _DATA, _BITS, _INTERPRETATION = 0x54000100, 0x54001010, 0x54001004, 0x54001006
_CHANNELS, _SAMPLES, _FREQUENCY, _PADDING = 0x003A0005, 0x003A0010, 0x003A001A, 0x5400100A
_DEFINITIONS, _LABEL, _SOURCE, _MEANING = 0x003A0200, 0x003A0203, 0x003A0208, 0x00080104
_SENSITIVITY, _CORRECTION, _BASELINE = 0x003A0210, 0x003A0212, 0x003A0213
_UNITS, _CODE = 0x003A0211, 0x00080100
_KINDS = {"SB": "i1", "UB": "u1", "SS": "i2", "US": "u2", "SL": "i4", "UL": "u4"}
_MILLIVOLTS = {"uV": 1e-3, "mV": 1.0, "V": 1e3, "nV": 1e-6}

_MOST_CHANNELS, _MOST_POINTS = 64, 2500
_MM_PER_SECOND, _MM_PER_MILLIVOLT = 25.0, 10.0
_MARGIN, _LABEL_WIDTH, _STRIP = 10.0, 14.0, 30.0


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: `values` in millivolts if `is_voltage`, else in units of its own, not a number where padded."""

    label: str
    values: NDArray[np.float64]
    frequency: float
    is_voltage: bool


def waveform_channels(data_set: DataSet) -> list[Channel]:
    """The channels of the first multiplex group; ServerError(CANNOT_UNDERSTAND) if it holds none that can be drawn."""
    group = data_set.item(_WAVEFORMS)
    if group is None:
        raise unusable("it has no waveform")
    count, samples = group.integer(_CHANNELS), group.integer(_SAMPLES)
    kind = _KINDS.get(group.text(_INTERPRETATION))
    frequency = group.number(_FREQUENCY) or 0.0
    if kind is None or not 0 < count <= _MOST_CHANNELS or samples <= 0 or not frequency > 0:
        raise unusable("its waveform has no samples, no frequency, or samples of a kind that is no number")
    dtype = np.dtype(kind).newbyteorder("<" if group.little_endian else ">")
    raw = group.raw(_DATA)
    whole = min(samples, len(raw) // (count * dtype.itemsize))
    if not whole:
        raise unusable("its waveform has no data")
    values = np.frombuffer(raw, dtype, whole * count).reshape(whole, count).astype(np.float64)
    padding = np.frombuffer(group.raw(_PADDING)[: dtype.itemsize], dtype)
    if len(padding) and group.raw(_PADDING):
        values[values == float(padding[0])] = np.nan
    definitions = list(islice(group.items(_DEFINITIONS), count))
    return [_channel(values[:, number], definitions, number, frequency) for number in range(count)]


def _channel(values: NDArray[np.float64], definitions: list[DataSet], number: int, frequency: float) -> Channel:
    definition = definitions[number] if number < len(definitions) else None
    if definition is None:
        return Channel(str(number + 1), values, frequency, is_voltage=False)
    source = definition.item(_SOURCE)
    label = definition.text(_LABEL) or (source.text(_MEANING) if source else "") or str(number + 1)
    units = definition.item(_UNITS)
    factor = _MILLIVOLTS.get(units.text(_CODE) if units else "")
    sensitivity = (definition.number(_SENSITIVITY) or 1.0) * (definition.number(_CORRECTION) or 1.0)
    shown = values * sensitivity + (definition.number(_BASELINE) or 0.0)
    return Channel(
        label.removeprefix("Lead ").partition(" (")[0],
        shown * (factor or 1.0),
        frequency,
        is_voltage=factor is not None,
    )


def waveform_svg(data_set: DataSet, *, annotated: bool = False) -> str:
    """The channels below each other on millimetre paper: 25 mm a second and, of voltages, 10 mm a millivolt."""
    channels = waveform_channels(data_set)
    seconds = max(len(channel.values) / channel.frequency for channel in channels)
    speed = min(_MM_PER_SECOND, 4000 / seconds)
    width = 2 * _MARGIN + _LABEL_WIDTH + seconds * speed
    top = _MARGIN + 4
    parts: list[str] = []
    for channel in channels:
        above, below, drawn = _drawn(channel, speed)
        parts.append(
            f'<g transform="translate({_MARGIN + _LABEL_WIDTH:g} {top + above:g})">'
            f'<text x="-{_LABEL_WIDTH:g}" y="1">{escape(channel.label)}</text>{drawn}</g>'
        )
        top += above + below
    height = top + _MARGIN
    lines = patient_lines(data_set) if annotated else []
    said = " · ".join([*lines, f"{speed:g} mm/s", f"{_MM_PER_MILLIVOLT:g} mm/mV"])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}mm" height="{height:g}mm" '
        f'viewBox="0 0 {width:g} {height:g}" font-family="sans-serif" font-size="3.5">{_PAPER}'
        f'<text x="{_MARGIN:g}" y="{_MARGIN - 3:g}">{escape(said)}</text>{"".join(parts)}</svg>\n'
    )


def _drawn(channel: Channel, speed: float) -> tuple[float, float, str]:
    """How much room a channel needs above and below its baseline, and its curve."""
    values = channel.values
    known = values[np.isfinite(values)]
    if not known.size:
        return _STRIP / 2, _STRIP / 2, ""
    middle = float(np.median(known))
    scale = _MM_PER_MILLIVOLT
    if not channel.is_voltage:
        scale = 20 / max(float(known.max() - known.min()), 1e-9)
    heights = np.clip((values - middle) * scale, -200, 200)
    above = max(8.0, float(np.nanmax(heights)) + 3)
    below = max(8.0, -float(np.nanmin(heights)) + 3)
    paths = "".join(
        f'<polyline points="{points}" fill="none" stroke="#111" stroke-width=".3"/>'
        for points in _runs(heights, speed / channel.frequency)
    )
    return above, below, paths


def _runs(heights: NDArray[np.float64], step: float) -> Iterator[str]:
    """The curve in pieces between gaps; of many samples, the lowest and highest of each short stretch."""
    index = np.arange(len(heights))
    if len(heights) > 2 * _MOST_POINTS:
        stretch = -(-len(heights) // _MOST_POINTS)
        whole = len(heights) // stretch * stretch
        block = heights[:whole].reshape(-1, stretch)
        filled = np.nan_to_num(block, nan=0.0)
        base = np.arange(0, whole, stretch)
        index = np.sort(np.concatenate([base + filled.argmin(axis=1), base + filled.argmax(axis=1)]))
    chosen = heights[index]
    points = [f"{x * step:.4g},{-y:.3g}" if y == y else "" for x, y in zip(index, chosen, strict=True)]
    run: list[str] = []
    for point in [*points, ""]:
        if point:
            run.append(point)
        elif run:
            yield " ".join(run)
            run = []


_PAPER = (
    '<defs><pattern id="small" width="1" height="1" patternUnits="userSpaceOnUse">'
    '<path d="M1 0H0V1" fill="none" stroke="#f3c6c6" stroke-width=".08"/></pattern>'
    '<pattern id="large" width="5" height="5" patternUnits="userSpaceOnUse"><rect width="5" height="5" '
    'fill="url(#small)"/><path d="M5 0H0V5" fill="none" stroke="#e79b9b" stroke-width=".16"/></pattern></defs>'
    '<rect width="100%" height="100%" fill="#fffdfb"/><rect width="100%" height="100%" fill="url(#large)"/>'
)
