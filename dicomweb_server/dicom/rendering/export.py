"""Export: decoded pixels without a window, as Orthanc's REST interface has them: stretched, clamped, or as arrays."""

from __future__ import annotations

import io
from dataclasses import dataclass
from enum import Enum
from typing import Any

from dicomweb_server.dicom.arrays import Image, NDArray, np
from dicomweb_server.dicom.rendering.frame_attributes import FrameAttributes, frame_attributes
from dicomweb_server.dicom.rendering.frame_image import DecodedFrame, samples_of
from dicomweb_server.dicom.rendering.grayscale import Grayscale, modality_values, rendered_grayscale
from dicomweb_server.dicom.rendering.image_format import Encoded, encoded
from dicomweb_server.dicom.rendering.options import DEFAULT_QUALITY, RenderingOptions
from dicomweb_server.dicom.rendering.source import Source, SourceFrame, decoded, described, opened_head
from dicomweb_server.dicom.rendering.transforms import grayscale_of
from dicomweb_server.errors import Reason, ServerError

_BITS_ALLOCATED = 0x00280100
LARGEST_ARRAY = 1 << 30  # bytes


class Export(Enum):
    """What becomes of stored values."""

    PREVIEW = "stretched to 8 bits"
    UINT8 = "clamped to 0 to 255"
    UINT16 = "clamped to 0 to 65535"
    INT16 = "clamped to -32768 to 32767"


_LIMITS = {Export.UINT8: (0, 255), Export.UINT16: (0, 65535), Export.INT16: (-32768, 32767)}


@dataclass(frozen=True, slots=True)
class ExportJob:
    """One frame as an image file."""

    source: Source
    export: Export
    media_type: str
    quality: int = DEFAULT_QUALITY


@dataclass(frozen=True, slots=True)
class PixelArray:
    """Frames, rows, columns and samples, in the order of the bytes; `kind`: the samples' type as NumPy writes it."""

    shape: tuple[int, ...]
    kind: str
    data: bytes


def exported(job: ExportJob) -> Encoded:
    """The image; ServerError(UNSUPPORTED_MEDIA_TYPE) if only grayscale could be exported so."""
    attributes, frame = _frame(job.source, job.source.frames[0])
    if _is_colour(frame):
        if job.export is not Export.PREVIEW:
            raise ServerError(Reason.UNSUPPORTED_MEDIA_TYPE, "images in colour have no values that could be clamped")
        shown = samples_of(attributes, frame, RenderingOptions())
    elif job.export is Export.PREVIEW:
        shown = rendered_grayscale(frame.pixels, Grayscale(inverse=grayscale_of(attributes).inverse))
    else:
        low, high = _LIMITS[job.export]
        clamped = np.clip(np.nan_to_num(_whole_bits(attributes, frame.pixels)), low, high)
        shown = clamped.astype(np.uint8 if high == 255 else np.int32).astype(np.uint8 if high == 255 else np.uint16)
    return encoded(Image.fromarray(np.ascontiguousarray(shown)), job.media_type, quality=job.quality)


def pixel_array(source: Source, rescale: int) -> PixelArray:
    """All frames of a source; `rescale` 1: grayscale as the modality's values in floating point."""
    arrays = []
    for one in source.frames:
        attributes, frame = _frame(source, one)
        array = _values(attributes, frame, rescaled=bool(rescale))
        arrays.append(array if array.ndim == 3 else array[..., np.newaxis])
        if sum(array.nbytes for array in arrays) > LARGEST_ARRAY:
            raise too_large()
    stacked = np.stack(arrays)
    return PixelArray(stacked.shape, stacked.dtype.newbyteorder("<").str, stacked.astype(stacked.dtype.str).tobytes())


def too_large() -> ServerError:
    """More than an array may have."""
    return ServerError(Reason.TOO_LARGE, f"the pixels have more than {LARGEST_ARRAY} bytes; ask for single frames")


def numpy_file(arrays: list[PixelArray], *, compress: bool, single: bool) -> bytes:
    """A .npy file, or .npz if compressed; `single`: of one frame, so without that dimension.

    ServerError(BAD_REQUEST) if the arrays differ in shape or type.
    """
    first = arrays[0]
    if any((one.shape[1:], one.kind) != (first.shape[1:], first.kind) for one in arrays):
        raise ServerError(Reason.BAD_REQUEST, "the images differ in size or in the kind of their pixels")
    shape = (sum(one.shape[0] for one in arrays), *first.shape[1:])
    data = b"".join(one.data for one in arrays)
    array = np.frombuffer(data, first.kind).reshape(shape[1:] if single else shape)
    buffer = io.BytesIO()
    if compress:
        np.savez_compressed(buffer, array)
    else:
        np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def matlab_text(array: PixelArray) -> str:
    """An expression that MATLAB and Octave read, of one frame."""
    values = np.frombuffer(array.data, array.kind).reshape(array.shape)[0]
    rows, columns, samples = values.shape
    if samples == 1:
        lines = (" ".join(map(str, row)) for row in values[..., 0].tolist())
        return f"double([ {' ; '.join(lines)} ])"
    flat = " ".join(map(str, values.reshape(-1).tolist()))
    return f"double(permute(reshape([ {flat} ], [ {samples} {columns} {rows} ]), [ 3 2 1 ]))"


def matlab_file(source: Source) -> bytes:
    """The same of the first frame of a source."""
    return matlab_text(pixel_array(source, 0)).encode("ascii")


def _frame(source: Source, frame: SourceFrame) -> tuple[FrameAttributes, DecodedFrame]:
    header, data_set = opened_head(source.head)
    description = described(header, data_set, source)
    return frame_attributes(data_set, frame.number), decoded(frame, description, data_set)


def _is_colour(frame: DecodedFrame) -> bool:
    return frame.pixels.ndim == 3 or frame.photometric_interpretation == "PALETTE COLOR"


def _whole_bits(attributes: FrameAttributes, pixels: NDArray[Any]) -> NDArray[Any]:
    """Single bits are black and white, not 0 and 1."""
    return pixels * np.uint8(255) if attributes.data_set.integer(_BITS_ALLOCATED) == 1 else pixels


def _values(attributes: FrameAttributes, frame: DecodedFrame, *, rescaled: bool) -> NDArray[Any]:
    if _is_colour(frame):
        return samples_of(attributes, frame, RenderingOptions())
    if not rescaled:
        return _whole_bits(attributes, frame.pixels)
    values: NDArray[Any] = modality_values(_whole_bits(attributes, frame.pixels), grayscale_of(attributes).modality)
    return values.astype(np.float32)
