"""Overlays: planes of single bits on an image (PS3.3 §C.9.2), in groups of their own or in bits of the pixels."""

from __future__ import annotations

from dataclasses import dataclass

from dicomweb_server.dicom.arrays import NDArray, np
from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.grayscale import Pixels

_FIRST, _LAST = 0x6000, 0x601E
_ROWS, _COLUMNS, _FRAMES, _ORIGIN, _FRAME_ORIGIN = 0x0010, 0x0011, 0x0015, 0x0050, 0x0051
_BITS_ALLOCATED, _BIT_POSITION, _DATA = 0x0100, 0x0102, 0x3000
_LARGEST = 1 << 28

Mask = NDArray["np.bool_"]


@dataclass(frozen=True, slots=True)
class Overlay:
    """A plane, its first pixel at (top, left) of the image, which need not be inside."""

    plane: Mask
    top: int
    left: int

    def drawn_on(self, shape: tuple[int, int]) -> Mask:
        """Where it is seen on an image of so many rows and columns."""
        mask = np.zeros(shape, dtype=bool)
        top, left = max(self.top, 0), max(self.left, 0)
        bottom = min(self.top + self.plane.shape[0], shape[0])
        right = min(self.left + self.plane.shape[1], shape[1])
        if top < bottom and left < right:
            mask[top:bottom, left:right] = self.plane[
                top - self.top : bottom - self.top, left - self.left : right - self.left
            ]
        return mask


def overlays_of(data_set: DataSet, frame_number: int, unmasked: Pixels | None = None) -> list[Overlay]:
    """The overlays of one frame. `unmasked`: the pixels with all bits they were stored with, for those within."""
    found = (_overlay(data_set, group << 16, frame_number, unmasked) for group in range(_FIRST, _LAST + 1, 2))
    return [overlay for overlay in found if overlay is not None]


def has_embedded_overlays(data_set: DataSet) -> bool:
    """Whether an overlay is in bits of the pixels that hold no value (retired, but stored all over the world)."""
    groups = (group << 16 for group in range(_FIRST, _LAST + 1, 2))
    return any(data_set.integer(group | _BITS_ALLOCATED) > 1 and group | _DATA not in data_set for group in groups)


def _overlay(data_set: DataSet, group: int, frame_number: int, unmasked: Pixels | None) -> Overlay | None:
    rows, columns = data_set.integer(group | _ROWS), data_set.integer(group | _COLUMNS)
    if rows <= 0 or columns <= 0:
        return None
    origin = data_set.integers(group | _ORIGIN)
    top, left = (origin[0] - 1, origin[1] - 1) if len(origin) >= 2 else (0, 0)
    if group | _DATA in data_set:
        plane = _plane(data_set, group, frame_number, rows, columns)
    elif data_set.integer(group | _BITS_ALLOCATED) > 1 and unmasked is not None and unmasked.dtype.kind != "f":
        plane = (unmasked >> data_set.integer(group | _BIT_POSITION) & 1).astype(bool)
    else:
        plane = None
    return None if plane is None else Overlay(plane, top, left)


def _plane(data_set: DataSet, group: int, frame_number: int, rows: int, columns: int) -> Mask | None:
    frames = max(data_set.integer(group | _FRAMES, 1), 1)
    first = data_set.integer(group | _FRAME_ORIGIN, 1)
    # Of one plane for several frames nobody says what the others should show; it is meant for all of them.
    number = 0 if frames == 1 else frame_number - first
    if not 0 <= number < frames:
        return None
    raw = data_set.raw(group | _DATA)
    if not data_set.little_endian and data_set.vr(group | _DATA) == "OW":
        raw = np.frombuffer(raw[: len(raw) // 2 * 2], dtype=">u2").astype("<u2").tobytes()
    start, count = number * rows * columns, rows * columns
    if (start + count + 7) // 8 > len(raw) or count > _LARGEST:
        return None
    packed = np.frombuffer(raw, dtype=np.uint8)[start // 8 : (start + count + 7) // 8]
    bits = np.unpackbits(packed, bitorder="little")[start % 8 : start % 8 + count]
    return bits.reshape(rows, columns).astype(bool)


def with_overlays(image: NDArray[np.uint8], overlays: list[Overlay], colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The image, gray or RGB, with overlays drawn in; gray ones in the brightest component of the colour."""
    drawn = image.copy()
    for overlay in overlays:
        mask = overlay.drawn_on((image.shape[0], image.shape[1]))
        drawn[mask] = colour if image.ndim == 3 else max(colour)
    return drawn
