"""PresentationState: how somebody wanted an image to be shown (PS3.3 §A.33, §C.10, §C.11; PS3.4 §N)."""

from collections.abc import Iterator
from dataclasses import dataclass

from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.grayscale import Grayscale
from dicomweb_server.dicom.rendering.lookup_table import LookupTable, lookup_table
from dicomweb_server.dicom.rendering.transforms import modality_transform, voi_transform
from dicomweb_server.dicom.rendering.window import Window

# Volume rendering, planar MPR and others are left out.
GRAYSCALE_PRESENTATION_STATE = "1.2.840.10008.5.1.4.1.1.11.1"
COLOUR_PRESENTATION_STATE = "1.2.840.10008.5.1.4.1.1.11.2"
PSEUDO_COLOUR_PRESENTATION_STATE = "1.2.840.10008.5.1.4.1.1.11.3"
BLENDING_PRESENTATION_STATE = "1.2.840.10008.5.1.4.1.1.11.4"
XA_XRF_PRESENTATION_STATE = "1.2.840.10008.5.1.4.1.1.11.5"
ADVANCED_BLENDING_PRESENTATION_STATE = "1.2.840.10008.5.1.4.1.1.11.8"
PRESENTATION_STATES = frozenset(
    {
        GRAYSCALE_PRESENTATION_STATE,
        COLOUR_PRESENTATION_STATE,
        PSEUDO_COLOUR_PRESENTATION_STATE,
        BLENDING_PRESENTATION_STATE,
        XA_XRF_PRESENTATION_STATE,
        ADVANCED_BLENDING_PRESENTATION_STATE,
    }
)

_SERIES, _SERIES_UID, _IMAGES = 0x00081115, 0x0020000E, 0x00081140
_INSTANCE_UID, _FRAME_NUMBER = 0x00081155, 0x00081160
_SOFTCOPY_VOI, _LUT_SEQUENCE, _LUT_SHAPE = 0x00283110, 0x20500010, 0x20500020
_FLIP, _ROTATION = 0x00700041, 0x00700042
_DISPLAYED_AREAS, _TOP_LEFT, _BOTTOM_RIGHT = 0x0070005A, 0x00700052, 0x00700053


@dataclass(frozen=True, slots=True)
class ReferencedImage:
    """An image that a presentation state or segmentation speaks of; no frames: all of them."""

    series_uid: str
    instance_uid: str
    frames: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Orientation:
    """A turn clockwise by so many degrees, after which left and right change places if `flip`."""

    degrees: int = 0
    flip: bool = False


def referenced_images(data_set: DataSet) -> Iterator[ReferencedImage]:
    """The images, in their order."""
    for series in data_set.items(_SERIES):
        for image in series.items(_IMAGES):
            yield ReferencedImage(
                series.text(_SERIES_UID), image.text(_INSTANCE_UID), tuple(image.integers(_FRAME_NUMBER))
            )


def applies(item: DataSet, instance_uid: str, frame_number: int) -> bool:
    """Whether an item of a presentation state, which may name images and frames, is meant for a frame."""
    named = list(item.items(_IMAGES))
    if not named:
        return True
    return any(
        image.text(_INSTANCE_UID) == instance_uid
        and (not image.integers(_FRAME_NUMBER) or frame_number in image.integers(_FRAME_NUMBER))
        for image in named
    )


def presented_grayscale(state: DataSet, instance_uid: str, frame_number: int) -> Grayscale:
    """The transformations of a state; those of the image do not count at all (PS3.4 §N.2)."""
    voi: Window | LookupTable | None = None
    for item in state.items(_SOFTCOPY_VOI):
        if voi is None and applies(item, instance_uid, frame_number):
            voi = voi_transform(item)
    table = state.item(_LUT_SEQUENCE)
    return Grayscale(
        modality=modality_transform(state),
        voi=voi,
        presentation=lookup_table(table) if table is not None else None,
        inverse=state.text(_LUT_SHAPE) == "INVERSE",
    )


def orientation_of(state: DataSet) -> Orientation:
    """PS3.3 §C.10.6: rotated first, flipped then."""
    degrees = state.integer(_ROTATION)
    return Orientation(degrees if degrees in (90, 180, 270) else 0, state.text(_FLIP) == "Y")


def displayed_area(state: DataSet, instance_uid: str, frame_number: int) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of what is shown, as pixels counted from 0, right and bottom being behind the last."""
    for item in state.items(_DISPLAYED_AREAS):
        first, last = item.integers(_TOP_LEFT), item.integers(_BOTTOM_RIGHT)
        if applies(item, instance_uid, frame_number) and len(first) == len(last) == 2:
            left, right = sorted((first[0], last[0]))
            top, bottom = sorted((first[1], last[1]))
            return left - 1, top - 1, right, bottom
    return None
