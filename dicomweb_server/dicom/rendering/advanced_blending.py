"""AdvancedBlending: images laid over one another, step by step (PS3.3 §C.11.33, §C.11.34, PS3.4 §N.2.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from dicomweb_server.dicom.arrays import NDArray, np
from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.blending import placed_upon, plane_of
from dicomweb_server.dicom.rendering.frame_attributes import FrameAttributes
from dicomweb_server.dicom.rendering.frame_image import DecodedFrame, samples_of
from dicomweb_server.dicom.rendering.grayscale import modality_values, rendered_grayscale
from dicomweb_server.dicom.rendering.lookup_table import unusable
from dicomweb_server.dicom.rendering.options import RenderingOptions
from dicomweb_server.dicom.rendering.palette import palette_of
from dicomweb_server.dicom.rendering.presentation_state import ReferencedImage, presented_grayscale
from dicomweb_server.dicom.rendering.transforms import padding_of
from dicomweb_server.dicom.rendering.window import Floats

_INPUTS, _INPUT_NUMBER, _GEOMETRY = 0x00701B01, 0x00701B02, 0x00701B08
_STEPS, _STEP_INPUTS, _MODE, _OPACITY = 0x00701B04, 0x00701B03, 0x00701B06, 0x00700403
_THRESHOLDS, _THRESHOLD_VALUES, _THRESHOLD_TYPE, _THRESHOLD_VALUE = 0x00701B11, 0x00701B12, 0x00701B13, 0x00701B14
_STUDY_UID, _SERIES_UID, _IMAGES, _INSTANCE_UID, _FRAMES = 0x0020000D, 0x0020000E, 0x00081140, 0x00081155, 0x00081160
_MOST_INPUTS = 16
_HIGHEST = 65535

# Each takes the pixels, and the one or two values of a threshold.
_KEPT: Mapping[str, Callable[[Floats, Sequence[float]], NDArray[np.bool_]]] = {
    "GREATER_OR_EQUAL": lambda pixels, limits: pixels >= limits[0],
    "LESS_OR_EQUAL": lambda pixels, limits: pixels <= limits[0],
    "GREATER_THAN": lambda pixels, limits: pixels > limits[0],
    "LESS_THAN": lambda pixels, limits: pixels < limits[0],
    "RANGE_INCL": lambda pixels, limits: (pixels >= min(limits)) & (pixels <= max(limits)),
    "RANGE_EXCL": lambda pixels, limits: (pixels < min(limits)) | (pixels > max(limits)),
}


@dataclass(frozen=True, slots=True)
class BlendingInput:
    """One set of images, and what `item` of the state does to them; no images: all of the series."""

    number: int
    study_uid: str
    series_uid: str
    images: tuple[ReferencedImage, ...]
    item: DataSet


@dataclass(frozen=True, slots=True)
class _Step:
    """What is blended; `number`: as which input the result goes on, None for what is shown."""

    inputs: tuple[int, ...]
    opacity: float | None
    number: int | None


@dataclass(frozen=True, slots=True)
class InputFrame:
    """A decoded frame of an input."""

    decoded: DecodedFrame
    attributes: FrameAttributes
    instance_uid: str
    number: int


@dataclass(frozen=True, slots=True)
class _Layer:
    """RGB from 0 to 1, and where it is not padding."""

    colours: Floats
    covered: NDArray[np.bool_]


def inputs_of(state: DataSet) -> tuple[BlendingInput, ...]:
    """What is blended, first that in whose geometry it is shown; ServerError(CANNOT_UNDERSTAND) if there is nothing."""
    items = list(state.items(_INPUTS))
    if not 0 < len(items) <= _MOST_INPUTS:
        raise unusable(f"an advanced blending state has {len(items)} inputs, expected 1 to {_MOST_INPUTS}")
    items.sort(key=lambda item: item.text(_GEOMETRY) != "YES")
    return tuple(_input(item) for item in items)


def _input(item: DataSet) -> BlendingInput:
    series = item.text(_SERIES_UID)
    images = tuple(
        ReferencedImage(series, image.text(_INSTANCE_UID), tuple(image.integers(_FRAMES)))
        for image in item.items(_IMAGES)
    )
    return BlendingInput(item.integer(_INPUT_NUMBER), item.text(_STUDY_UID), series, images, item)


def advanced_blended(state: DataSet, frames: Mapping[int, InputFrame], base: int) -> NDArray[np.uint8]:
    """What the state makes of a frame of each input, in RGB and the geometry of the input `base`; padding is black."""
    layers = {
        one.number: _upon(_layer(one, frames[one.number]), frames[one.number], frames[base])
        for one in inputs_of(state)
        if one.number in frames
    }
    for step in _steps(state):
        if not set(step.inputs) <= set(layers):
            raise unusable("an advanced blending state blends what is none of its inputs")
        chosen = [layers[number] for number in step.inputs]
        made = _equal(chosen) if step.opacity is None else _foreground(chosen, step.opacity)
        if step.number is None:
            return np.floor(made.colours * 255 + 0.5).astype(np.uint8)
        layers[step.number] = made
    raise unusable("an advanced blending state has no step whose result is shown")


def _steps(state: DataSet) -> list[_Step]:
    """In the order in which each has what it needs: what is shown comes last."""
    steps = []
    for item in state.items(_STEPS):
        mode = item.text(_MODE)
        inputs = tuple(one.integer(_INPUT_NUMBER) for one in item.items(_STEP_INPUTS))
        if mode not in ("EQUAL", "FOREGROUND") or not inputs or (mode == "FOREGROUND" and len(inputs) != 2):
            raise unusable(f"an advanced blending state blends {len(inputs)} inputs in mode {mode[:16]!r}")
        opacity = min(max(item.number(_OPACITY) or 0.0, 0.0), 1.0) if mode == "FOREGROUND" else None
        steps.append(_Step(inputs, opacity, item.integer(_INPUT_NUMBER) if _INPUT_NUMBER in item else None))
    made = {step.number for step in steps} - {None}
    ordered: list[_Step] = []
    while steps:
        ready = [step for step in steps if not set(step.inputs) & made]
        if not ready:
            raise unusable("the steps of an advanced blending state need each other")
        ordered += sorted(ready, key=lambda step: step.number is None)
        made -= {step.number for step in ready}
        steps = [step for step in steps if step not in ready]
    return ordered


def _layer(one: BlendingInput, frame: InputFrame) -> _Layer:
    pixels = frame.decoded.pixels
    if pixels.ndim != 2 or not frame.decoded.photometric_interpretation.startswith("MONOCHROME"):
        shown = samples_of(frame.attributes, frame.decoded, RenderingOptions()) / 255
        rgb = shown if shown.ndim == 3 else np.repeat(shown[..., np.newaxis], 3, axis=2)
        return _Layer(rgb, np.ones(rgb.shape[:2], np.bool_))
    padding = padding_of(frame.attributes.data_set)
    stated = presented_grayscale(one.item, frame.instance_uid, frame.number)
    grayscale = replace(stated, inverse=False, padding=padding)
    covered = np.ones(pixels.shape, np.bool_) if padding is None else (pixels < padding[0]) | (pixels > padding[1])
    values = modality_values(pixels, grayscale.modality)
    for threshold in one.item.items(_THRESHOLDS):
        covered &= _kept(threshold, values)
    gray = rendered_grayscale(pixels, grayscale, bits=16) / _HIGHEST
    palette = palette_of(one.item)
    if palette is None:
        return _Layer(np.repeat(gray[..., np.newaxis], 3, axis=2), covered)
    steps = len(palette.colours()) - 1
    return _Layer(palette.look_up(np.rint(gray * steps).astype(np.int64) + palette.first) / 255, covered)


def _kept(threshold: DataSet, values: Floats) -> NDArray[np.bool_]:
    """What a threshold lets through; the rest is treated as padding."""
    limits = [number for item in threshold.items(_THRESHOLD_VALUES) for number in item.numbers(_THRESHOLD_VALUE)]
    kind = threshold.text(_THRESHOLD_TYPE)
    if kind not in _KEPT or len(limits) < (2 if kind.startswith("RANGE") else 1):
        raise unusable(f"an advanced blending state has a threshold of type {kind[:16]!r} with {len(limits)} values")
    return _KEPT[kind](values, limits)


def _upon(layer: _Layer, frame: InputFrame, base: InputFrame) -> _Layer:
    """A layer at the pixels of another one; colours of padding do not run into their neighbours."""
    if frame is base:
        return layer
    weighed = np.dstack([layer.colours * layer.covered[..., np.newaxis], layer.covered])
    shape = base.decoded.pixels.shape[0], base.decoded.pixels.shape[1]
    placed, inside = placed_upon(weighed, plane_of(frame.attributes), plane_of(base.attributes), shape)
    weight = placed[..., 3]
    covered = (inside > 0) & (weight >= 0.5)
    return _Layer(placed[..., :3] / np.maximum(weight, 0.5)[..., np.newaxis] * covered[..., np.newaxis], covered)


def _equal(layers: Sequence[_Layer]) -> _Layer:
    count = np.sum([layer.covered for layer in layers], axis=0)
    total = np.sum([layer.colours * layer.covered[..., np.newaxis] for layer in layers], axis=0)
    return _Layer(total / np.maximum(count, 1)[..., np.newaxis], count > 0)


def _foreground(layers: Sequence[_Layer], opacity: float) -> _Layer:
    first, second = layers
    weight = np.where(first.covered & second.covered, opacity, first.covered)
    other = np.where(first.covered & second.covered, 1 - opacity, second.covered)
    colours = first.colours * weight[..., np.newaxis] + second.colours * other[..., np.newaxis]
    return _Layer(colours, first.covered | second.covered)
