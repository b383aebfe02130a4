"""Recompress: JPEG to JPEG XL and back without a look at the pixels, bit for bit the same stream (PS3.5 §A.4.12).

Runs in a process of its own, like decoding.
"""

from __future__ import annotations

from dicomweb_server.dicom.arrays import imagecodecs
from dicomweb_server.dicom.codestream import read_codestream
from dicomweb_server.dicom.pixels.description import PixelDescription, undecodable
from dicomweb_server.dicom.pixels.encode import EncodedFrame
from dicomweb_server.dicom.uids import JPEG_BASELINE, JPEG_XL_RECOMPRESSION
from dicomweb_server.errors import ServerError


def recompresses(source_uid: str, target_uid: str) -> bool:
    """Whether the way from one transfer syntax to another leads past the pixels."""
    return {source_uid, target_uid} == {JPEG_BASELINE, JPEG_XL_RECOMPRESSION}


def recompressed(stored: bytes, description: PixelDescription) -> EncodedFrame:
    """A frame of one of the two in the other one; ServerError(NOT_ACCEPTABLE) if it is damaged, or no such JPEG."""
    try:
        if description.transfer_syntax_uid == JPEG_BASELINE:
            _check(stored, description)
            made = bytes(imagecodecs.jpegxl_encode_jpeg(bytes(stored), numthreads=1))
            if bytes(imagecodecs.jpegxl_decode_jpeg(made, numthreads=1)) != bytes(stored):
                raise undecodable("the JPEG stream cannot be had back from JPEG XL")
        else:
            made = bytes(imagecodecs.jpegxl_decode_jpeg(bytes(stored), numthreads=1))
            _check(made, description)
    except ServerError:
        raise
    except Exception as error:  # an edge: the library has errors of its own
        raise undecodable(f"the stream cannot be recompressed ({type(error).__name__})") from error
    return EncodedFrame(made, description.photometric_interpretation)


def _check(jpeg: bytes, description: PixelDescription) -> None:
    stream = read_codestream(jpeg)
    if stream is None or stream.transfer_syntax_uid != JPEG_BASELINE:
        raise undecodable("the frame is no baseline JPEG")
    if (stream.rows, stream.columns, stream.samples) != (description.rows, description.columns, description.samples):
        raise undecodable("the JPEG stream has another size than the data set")
