"""Transforms: which grayscale transformations an image, or the VOI module of anything, asks for (PS3.3 §C.11)."""

from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.frame_attributes import FrameAttributes
from dicomweb_server.dicom.rendering.grayscale import Grayscale, Rescale
from dicomweb_server.dicom.rendering.lookup_table import LookupTable, lookup_table
from dicomweb_server.dicom.rendering.window import Function, Window

_PHOTOMETRIC_INTERPRETATION, _BITS_STORED, _PIXEL_REPRESENTATION = 0x00280004, 0x00280101, 0x00280103
_FLOATING = (0x7FE00008, 0x7FE00009)
_PADDING_VALUE, _PADDING_LIMIT = 0x00280120, 0x00280121
_CENTER, _WIDTH, _FUNCTION = 0x00281050, 0x00281051, 0x00281056
_INTERCEPT, _SLOPE = 0x00281052, 0x00281053
_MODALITY_LUT, _VOI_LUT = 0x00283000, 0x00283010
_FRAME_VOI, _PIXEL_VALUE_TRANSFORMATION = 0x00289132, 0x00289145
_LUT_SHAPE = 0x20500020
# Up to so many bits, an image without a window is shown by what its values may be, not by what they are.
_NOMINAL_BITS = 8


def modality_transform(data_set: DataSet) -> Rescale | LookupTable:
    """The Modality LUT module of an image, a functional group or a presentation state."""
    item = data_set.item(_MODALITY_LUT)
    if item is not None:
        return lookup_table(item)
    slope, intercept = data_set.number(_SLOPE), data_set.number(_INTERCEPT)
    # A slope of 0 would make everything equal; it is an error of the sender.
    return Rescale(slope or 1.0, intercept or 0.0)


def voi_transform(data_set: DataSet, number: int = 1) -> Window | LookupTable | None:
    """One of the views that a VOI LUT module offers; a table wins over a window, as the standard leaves it open."""
    table = data_set.item(_VOI_LUT, number)
    if table is not None:
        return lookup_table(table)
    windows = voi_windows(data_set)
    return windows[min(number, len(windows)) - 1] if windows else None


def voi_windows(data_set: DataSet) -> list[Window]:
    """All windows, without those that show nothing."""
    centers, widths = data_set.numbers(_CENTER), data_set.numbers(_WIDTH)
    function = function_named(data_set.text(_FUNCTION))
    found = [Window(center, width, function) for center, width in zip(centers, widths, strict=False)]
    return [window for window in found if window.is_valid]


def function_named(name: str) -> Function:
    """A VOI LUT Function; LINEAR where none or an unknown one is named (PS3.3 §C.11.2.1.2)."""
    return next((function for function in Function if function.value == name.upper()), Function.LINEAR)


def grayscale_of(frame: FrameAttributes) -> Grayscale:
    """How the image itself wants a frame to be shown."""
    data_set = frame.data_set
    voi_source = frame.either(_FRAME_VOI, _CENTER)
    shape = data_set.text(_LUT_SHAPE)
    return Grayscale(
        modality=modality_transform(frame.either(_PIXEL_VALUE_TRANSFORMATION, _SLOPE)),
        voi=voi_transform(voi_source) or (voi_transform(data_set) if voi_source is not data_set else None),
        inverse=data_set.text(_PHOTOMETRIC_INTERPRETATION) == "MONOCHROME1" or shape == "INVERSE",
        padding=padding_of(data_set),
        nominal=_nominal(data_set),
    )


def padding_of(data_set: DataSet) -> tuple[float, float] | None:
    """The lowest and the highest stored value that mean nothing (PS3.3 §C.7.5.1.1.2)."""
    value = data_set.number(_PADDING_VALUE)
    if value is None:
        return None
    limit = data_set.number(_PADDING_LIMIT)
    limit = value if limit is None else limit
    return min(value, limit), max(value, limit)


def _nominal(data_set: DataSet) -> tuple[float, float] | None:
    bits = data_set.integer(_BITS_STORED)
    if not 0 < bits <= _NOMINAL_BITS or any(tag in data_set for tag in _FLOATING):
        return None
    if data_set.integer(_PIXEL_REPRESENTATION):
        return float(-(1 << bits - 1)), float((1 << bits - 1) - 1)
    return 0.0, float((1 << bits) - 1)
