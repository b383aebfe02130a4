"""Blending: one image in colour laid over another one in gray (PS3.3 §C.11.14, PS3.4 §N.2.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dicomweb_server.dicom.arrays import NDArray, np
from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.frame_attributes import FrameAttributes
from dicomweb_server.dicom.rendering.grayscale import Pixels, rendered_grayscale
from dicomweb_server.dicom.rendering.lookup_table import unusable
from dicomweb_server.dicom.rendering.palette import Palette, palette_of
from dicomweb_server.dicom.rendering.presentation_state import ReferencedImage, presented_grayscale, referenced_images

_BLENDING, _POSITION, _OPACITY, _STUDY_UID = 0x00700402, 0x00700405, 0x00700403, 0x0020000D
_PLANE_POSITION, _PLANE_ORIENTATION, _MEASURES = 0x00209113, 0x00209116, 0x00289110
_PATIENT_POSITION, _PATIENT_ORIENTATION, _SPACING = 0x00200032, 0x00200037, 0x00280030
_PARALLEL = 0.999  # cosine of the angle between planes from which on they are taken for parallel
_WHITE = 65535


@dataclass(frozen=True, slots=True)
class Layer:
    """What a state says of one of the two sets of images."""

    item: DataSet
    study_uid: str
    images: tuple[ReferencedImage, ...]


@dataclass(frozen=True, slots=True)
class Plane:
    """Where a frame lies in the patient: `to_patient` makes a point of (column, row, 1), in millimetres."""

    to_patient: NDArray[np.float64]
    normal: NDArray[np.float64]

    def distance(self, other: Plane) -> float:
        """How far another plane is away, along the normal; infinite unless it is parallel."""
        if abs(float(self.normal @ other.normal)) < _PARALLEL:
            return float("inf")
        return abs(float(self.normal @ (other.to_patient[:, 2] - self.to_patient[:, 2])))


def layers_of(state: DataSet) -> tuple[Layer, Layer]:
    """The underlying and the superimposed images; ServerError(CANNOT_UNDERSTAND) unless there are both."""
    found = {item.text(_POSITION): item for item in state.items(_BLENDING)}
    if not {"UNDERLYING", "SUPERIMPOSED"} <= set(found):
        raise unusable("a blending state needs underlying and superimposed images")
    below, above = (
        Layer(item, item.text(_STUDY_UID), tuple(referenced_images(item)))
        for item in (found["UNDERLYING"], found["SUPERIMPOSED"])
    )
    return below, above


def plane_of(frame: FrameAttributes) -> Plane | None:
    """The plane of a frame (PS3.3 §C.7.6.2.1.1); None if that is not told."""
    position = frame.either(_PLANE_POSITION, _PATIENT_POSITION).numbers(_PATIENT_POSITION)
    orientation = frame.either(_PLANE_ORIENTATION, _PATIENT_ORIENTATION).numbers(_PATIENT_ORIENTATION)
    spacing = frame.either(_MEASURES, _SPACING).numbers(_SPACING)
    if len(position) != 3 or len(orientation) != 6 or len(spacing) != 2 or min(spacing) <= 0:
        return None
    along_row, along_column = np.array(orientation[:3]), np.array(orientation[3:])
    normal = np.cross(along_row, along_column)
    if not np.isclose(np.linalg.norm(normal), 1, atol=1e-2):
        return None
    return Plane(np.stack([along_row * spacing[1], along_column * spacing[0], np.array(position)], axis=1), normal)


def nearest(below: Plane | None, planes: Sequence[Plane | None]) -> int | None:
    """Which of some planes lies nearest to one, if any is parallel to it."""
    if below is None:
        return None
    distances = [below.distance(plane) if plane is not None else float("inf") for plane in planes]
    closest = int(np.argmin(distances)) if distances else 0
    return closest if distances and np.isfinite(distances[closest]) else None


@dataclass(frozen=True, slots=True)
class BlendedFrame:
    """A decoded frame of one of the sets."""

    pixels: Pixels
    attributes: FrameAttributes
    instance_uid: str
    number: int


def blended(state: DataSet, below: BlendedFrame, above: BlendedFrame) -> NDArray[np.uint8]:
    """The two as the state wants them, in RGB and the size of the underlying one, which is seen around the other."""
    under, over = layers_of(state)
    palette = palette_of(state)
    if palette is None:
        raise unusable("a blending state needs a palette")
    if below.pixels.ndim != 2 or above.pixels.ndim != 2:
        raise unusable("only gray images are blended")
    gray = np.repeat(_gray(under, below)[..., np.newaxis], 3, axis=2)
    colours, covered = placed_upon(
        _coloured(palette, _gray(over, above)), plane_of(above.attributes), plane_of(below.attributes), gray.shape[:2]
    )
    opacity = min(max(state.number(_OPACITY) or 0.0, 0.0), 1.0)
    weight = (covered * opacity)[..., np.newaxis]
    mixed: NDArray[np.uint8] = np.floor((gray * (1 - weight) + colours * weight) * 255 + 0.5).astype(np.uint8)
    return mixed


def _gray(layer: Layer, frame: BlendedFrame) -> NDArray[np.float64]:
    """0 to 1, by the modality and VOI transformations of the layer."""
    grayscale = replace(presented_grayscale(layer.item, frame.instance_uid, frame.number), inverse=False)
    return rendered_grayscale(frame.pixels, grayscale, bits=16) / _WHITE


def _coloured(palette: Palette, gray: NDArray[np.float64]) -> NDArray[np.float64]:
    last = len(palette.colours()) - 1
    return palette.look_up(np.rint(gray * last).astype(np.int64) + palette.first) / 255


def placed_upon(
    colours: NDArray[np.float64], over: Plane | None, under: Plane | None, shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The colours of one plane at each pixel of another one, by linear interpolation, and where there are any."""
    if under is None or over is None or not np.isfinite(under.distance(over)):
        if colours.shape[:2] != shape:
            raise unusable("it is not told where its images lie, and they differ in size")
        return colours, np.ones(shape)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    points = under.to_patient @ np.stack([columns.ravel(), rows.ravel(), np.ones(rows.size)])
    across, down = np.linalg.pinv(over.to_patient[:, :2]) @ (points - over.to_patient[:, 2:])
    highest = np.array(colours.shape[:2]) - 1
    covered = (across > -0.5) & (across < highest[1] + 0.5) & (down > -0.5) & (down < highest[0] + 0.5)
    across, down = np.clip(across, 0, highest[1]), np.clip(down, 0, highest[0])
    left, top = np.floor(across).astype(np.int64), np.floor(down).astype(np.int64)
    right, bottom = np.minimum(left + 1, highest[1]), np.minimum(top + 1, highest[0])
    x, y = (across - left)[:, np.newaxis], (down - top)[:, np.newaxis]
    upper = colours[top, left] * (1 - x) + colours[top, right] * x
    lower = colours[bottom, left] * (1 - x) + colours[bottom, right] * x
    return (upper * (1 - y) + lower * y).reshape(*shape, -1), covered.reshape(shape).astype(np.float64)
