"""Segmentation: segments in their colours on the image that they were made on (PS3.3 §A.51, §C.8.20)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dicomweb_server.dicom.arrays import NDArray, np
from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.frame_attributes import frame_attributes
from dicomweb_server.dicom.rendering.presentation_state import ReferencedImage, referenced_images

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABELMAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"
SEGMENTATIONS = frozenset({SEGMENTATION, LABELMAP_SEGMENTATION})

_TYPE, _FRACTION, _SEGMENTS, _NUMBER, _COLOUR = 0x00620001, 0x0062000E, 0x00620002, 0x00620004, 0x0062000D
_IDENTIFICATION, _REFERENCED_SEGMENT = 0x0062000A, 0x0062000B
_DERIVATION, _SOURCE, _INSTANCE_UID, _FRAME_NUMBER = 0x00089124, 0x00082112, 0x00081155, 0x00081160
_PER_FRAME = 0x52009230
_OPACITY = 0.5
_MOST_FRAMES = 256  # of segments on one image
# Where none is recommended: colours that are easily told apart.
_COLOURS = (
    (230, 60, 60),
    (60, 180, 75),
    (70, 120, 240),
    (250, 190, 40),
    (160, 80, 200),
    (70, 200, 220),
    (240, 120, 190),
)


@dataclass(frozen=True, slots=True)
class SegmentFrame:
    """One frame: which segment it shows, 0 if the pixels say so, and the image that it lies on, if that is told."""

    number: int
    segment: int
    instance_uid: str = ""
    frame_number: int = 1


def segment_frames(data_set: DataSet) -> list[SegmentFrame]:
    """All frames in their order."""
    found = []
    shared = frame_attributes(data_set, 1).shared
    for number, item in enumerate(data_set.items(_PER_FRAME), 1):
        identification = item.item(_IDENTIFICATION) or (shared.item(_IDENTIFICATION) if shared else None)
        derivation = item.item(_DERIVATION) or (shared.item(_DERIVATION) if shared else None)
        source = derivation.item(_SOURCE) if derivation else None
        segment = identification.integer(_REFERENCED_SEGMENT) if identification else 0
        uid = source.text(_INSTANCE_UID) if source else ""
        found.append(SegmentFrame(number, segment, uid, source.integer(_FRAME_NUMBER, 1) if source else 1))
    return found


def frames_beside(frames: list[SegmentFrame], number: int) -> list[SegmentFrame]:
    """The frames that lie on the same image as one of them, itself included."""
    chosen = next((frame for frame in frames if frame.number == number), None)
    if chosen is None:
        return [SegmentFrame(number, 1)]
    if not chosen.instance_uid:
        return [chosen]
    place = chosen.instance_uid, chosen.frame_number
    return [frame for frame in frames if (frame.instance_uid, frame.frame_number) == place][:_MOST_FRAMES]


def source_image(data_set: DataSet, frame: SegmentFrame) -> ReferencedImage | None:
    """The image below a frame, with its series where that is told."""
    if not frame.instance_uid:
        return None
    series = {image.instance_uid: image.series_uid for image in _references(data_set)}
    return ReferencedImage(series.get(frame.instance_uid, ""), frame.instance_uid, (frame.frame_number,))


def _references(data_set: DataSet) -> Iterable[ReferencedImage]:
    yield from referenced_images(data_set)
    for series in data_set.items(0x00081115):
        for image in series.items(0x0008114A):  # Referenced Instance Sequence, the name it has in this module
            yield ReferencedImage(series.text(0x0020000E), image.text(_INSTANCE_UID))


def segment_colours(data_set: DataSet) -> Mapping[int, tuple[int, int, int]]:
    """The colour of each segment in RGB."""
    colours = {}
    for position, segment in enumerate(data_set.items(_SEGMENTS)):
        number = segment.integer(_NUMBER, position + 1)
        lab = segment.integers(_COLOUR)
        colours[number] = _from_lab(lab) if len(lab) == 3 else _COLOURS[position % len(_COLOURS)]
    return colours


def with_segments(
    background: NDArray[np.uint8], data_set: DataSet, masks: Iterable[tuple[SegmentFrame, NDArray[np.integer]]]
) -> NDArray[np.uint8]:
    """An image, gray or RGB, with segments laid over it."""
    base = background if background.ndim == 3 else np.repeat(background[..., np.newaxis], 3, axis=2)
    shown = base.astype(np.float32)
    colours = segment_colours(data_set)
    full = float(data_set.integer(_FRACTION, 255) or 255) if data_set.text(_TYPE) == "FRACTIONAL" else 1.0
    for frame, pixels in masks:
        if data_set.text(_TYPE) == "LABELMAP":
            layers = [(int(value), pixels == value) for value in np.unique(pixels) if value and int(value) in colours]
        else:
            layers = [(frame.segment, np.clip(pixels / full, 0, 1))]
        for segment, layer in layers:
            colour = np.array(colours.get(segment, _COLOURS[segment % len(_COLOURS)]), dtype=np.float32)
            weight = layer.astype(np.float32)[..., np.newaxis] * _OPACITY
            shown += (colour - shown) * weight
    coloured: NDArray[np.uint8] = np.clip(shown + 0.5, 0, 255).astype(np.uint8)
    return coloured


def _from_lab(encoded: list[int]) -> tuple[int, int, int]:
    """PCS values of 16 bits (PS3.3 §C.10.7.1.1) to sRGB."""
    lightness = encoded[0] * 100 / 65535
    a, b = encoded[1] * 255 / 65535 - 128, encoded[2] * 255 / 65535 - 128
    middle = (lightness + 16) / 116
    x, y, z = (
        white * (part**3 if part > 6 / 29 else 3 * (6 / 29) ** 2 * (part - 4 / 29))
        for white, part in zip((0.9642, 1.0, 0.8249), (middle + a / 500, middle, middle - b / 200), strict=True)
    )
    linear = (
        3.1339 * x - 1.6169 * y - 0.4906 * z,
        -0.9788 * x + 1.9161 * y + 0.0335 * z,
        0.0719 * x - 0.2290 * y + 1.4052 * z,
    )
    red, green, blue = (_companded(value) for value in linear)
    return red, green, blue


def _companded(value: float) -> int:
    value = min(max(value, 0.0), 1.0)
    return round(255 * (12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055))
