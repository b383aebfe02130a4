"""Part 10 files whose pixels are in any transfer syntax, made by our own encoders from images that tests know."""

import io
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from dicomweb_server.dicom.frames import index_frames
from dicomweb_server.dicom.header import read_header
from dicomweb_server.dicom.pixels.decode import decode_frame
from dicomweb_server.dicom.pixels.description import PixelDescription, describe_pixels
from dicomweb_server.dicom.pixels.encode import Target
from dicomweb_server.dicom.pixels.native import native_bytes
from dicomweb_server.dicom.pixels.transcode import stored_frames, transcode
from dicomweb_server.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN
from tests.builders import make_instance
from tests.images import Samples, image


def image_file(
    description: PixelDescription, transfer_syntax_uid: str = EXPLICIT_VR_LITTLE_ENDIAN, frames: int = 1, **more: Any
) -> bytes:
    """An instance with `frames` images that the description describes, made native and brought to a transfer syntax."""
    pixels = b"".join(native_bytes(image(description, seed), description) for seed in range(frames))
    attributes: dict[str, Any] = {
        "BitsStored": description.bits_stored,
        "HighBit": description.high_bit,
        "PixelRepresentation": int(description.is_signed),
        "PhotometricInterpretation": description.photometric_interpretation,
        "PixelData": pixels + b"\0" * (len(pixels) % 2),
    }
    if description.samples > 1:
        attributes["PlanarConfiguration"] = 0
    native = make_instance(
        rows=description.rows,
        columns=description.columns,
        frames=frames,
        bits_allocated=description.bits_allocated,
        samples_per_pixel=description.samples,
        **attributes | more,
    )
    return (
        native if transfer_syntax_uid == EXPLICIT_VR_LITTLE_ENDIAN else transcode(native, Target(transfer_syntax_uid))
    )


def decoded(data: bytes) -> Samples:
    """All frames of a file, by our own decoders."""
    header = read_header(data)
    description = describe_pixels(header)
    return np.stack([decode_frame(stored, description) for stored in stored_frames(header, index_frames(header))])


def read(data: bytes) -> Dataset:
    """A file as pydicom sees it, every element of it."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    for _ in dataset.iterall():
        pass
    return dataset
