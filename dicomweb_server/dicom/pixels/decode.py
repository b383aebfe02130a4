"""decode_frame: one frame of any transfer syntax to an array of its samples. The bytes are hostile, the result is not.

Runs in a process of its own: the libraries below it are C, and were written for files of friends.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from typing import Any

from dicomweb_server.dicom.arrays import NDArray, imagecodecs, np
from dicomweb_server.dicom.codestream import Codestream, read_codestream
from dicomweb_server.dicom.pixels.description import PixelDescription, SampleKind, undecodable
from dicomweb_server.dicom.pixels.native import read_native
from dicomweb_server.dicom.uids import TRANSFER_SYNTAXES
from dicomweb_server.errors import ServerError

__all__ = ["Samples", "decode_frame"]

Samples = NDArray[Any]
Data = bytes | memoryview

_PREFIX = "1.2.840.10008.1.2."
_JPEG_XL = frozenset(_PREFIX + last for last in ("4.110", "4.111", "4.112"))
_RECOMPRESSED = _PREFIX + "4.111"
_RLE, _FRAME_DEFLATE, _ENCAPSULATED_NATIVE = _PREFIX + "5", _PREFIX + "8.1", _PREFIX + "1.98"
_THREADS = 2  # of one JPEG 2000 frame, the slowest of all: somebody waits for it
_END = b"\xff\xd9"  # of a JPEG image and of a JPEG 2000 codestream
_TRAILER, _FILLING = 4096, 32  # bytes behind it: zeros, and what writers leave there


def decode_frame(data: Data, description: PixelDescription) -> Samples:
    """The samples of a frame: (rows, columns), or (rows, columns, samples), as `description.decoded()` describes them.

    `data`: as `FrameIndex` gives it, so little endian if native. ServerError(NOT_ACCEPTABLE) if it cannot be decoded.
    """
    syntax = TRANSFER_SYNTAXES.get(description.transfer_syntax_uid)
    if syntax is None or not syntax.encapsulated or syntax.uid == _ENCAPSULATED_NATIVE:
        return read_native(data, description)
    if description.kind is not SampleKind.INTEGER and syntax.uid != _FRAME_DEFLATE:
        raise undecodable("compressed pixels cannot be of floating point")
    try:
        return _conformed(_decompressed(data, description), description)
    except ServerError:
        raise
    except Exception as error:  # an edge: each library has errors of its own
        raise undecodable(f"the {syntax.name} stream is damaged ({type(error).__name__})") from error


def _decompressed(data: Data, description: PixelDescription) -> Samples:
    uid = description.transfer_syntax_uid
    if uid == _RLE:
        return _rle(data, description)
    if uid == _FRAME_DEFLATE:
        return read_native(_inflated(data, description), description)
    if uid == _RECOMPRESSED:
        data = bytes(imagecodecs.jpegxl_decode_jpeg(bytes(data), numthreads=1))  # the very stream that it was made of
    elif uid in _JPEG_XL:
        return imagecodecs.jpegxl_decode(bytes(data), numthreads=1)
    stream = read_codestream(data)
    if stream is None:
        raise undecodable("the frame does not begin with the header of an image")
    return _codestream(data, stream, description)


def _codestream(data: Data, stream: Codestream, description: PixelDescription) -> Samples:
    if (stream.rows, stream.columns, stream.samples) != (description.rows, description.columns, description.samples):
        expected = f"{description.columns} x {description.rows} pixels of {description.samples} samples"
        found = f"{stream.columns} x {stream.rows} of {stream.samples}"
        raise undecodable(f"the stream has {found}, the data set speaks of {expected}")
    decode = _DECODERS.get(stream.transfer_syntax_uid, _jpeg)
    if decode in (_jpeg, _jpeg_ls, _high_throughput) and not _is_whole(data):
        raise undecodable("the stream ends too early")
    return decode(bytes(data), stream, description)


def _is_whole(data: Data) -> bool:
    """Whether there is an end marker; some libraries make up what is missing, which nobody would notice in an image."""
    return _END in bytes(data[-_TRAILER:]).rstrip(b"\0")[-_FILLING:]


def _jpeg(data: bytes, stream: Codestream, description: PixelDescription) -> Samples:
    if stream.samples != 3:
        values = imagecodecs.jpeg8_decode(data)
        if stream.lossy and stream.bits > description.bits_stored and not description.is_signed:
            # The DCT goes beyond the ends of the range; what reads the stored bits only would see white as black.
            values = np.minimum(values, (1 << description.bits_stored) - 1, dtype=values.dtype)
        return values
    if not stream.lossy or _is_rgb(stream, description):
        return imagecodecs.jpeg8_decode(data, colorspace="RGB", outcolorspace="RGB")
    return imagecodecs.jpeg8_decode(data, colorspace="YCBCR", outcolorspace="RGB")


def _is_rgb(stream: Codestream, description: PixelDescription) -> bool:
    """The stream's own word counts more than that of the data set, which is often not adapted."""
    return stream.photometric_interpretation == "RGB" or description.photometric_interpretation == "RGB"


def _jpeg_ls(data: bytes, _stream: Codestream, _description: PixelDescription) -> Samples:
    return imagecodecs.jpegls_decode(data)


def _jpeg_2000(data: bytes, _stream: Codestream, _description: PixelDescription) -> Samples:
    return imagecodecs.jpeg2k_decode(data, planar=False, numthreads=_THREADS)


def _high_throughput(data: bytes, _stream: Codestream, _description: PixelDescription) -> Samples:
    """The library tells of damage in the middle of a stream only by an error that nobody can catch."""
    problems: list[object] = []
    hook = sys.unraisablehook
    sys.unraisablehook = problems.append
    try:
        samples = imagecodecs.htj2k_decode(data, planar=False)
    finally:
        sys.unraisablehook = hook
    if problems:
        raise undecodable("the stream is damaged")
    return samples


_DECODERS: dict[str, Callable[[bytes, Codestream, PixelDescription], Samples]] = {
    _PREFIX + "4.80": _jpeg_ls,
    _PREFIX + "4.81": _jpeg_ls,
    _PREFIX + "4.90": _jpeg_2000,
    _PREFIX + "4.91": _jpeg_2000,
    _PREFIX + "4.201": _high_throughput,
    _PREFIX + "4.203": _high_throughput,
}


def _rle(data: Data, description: PixelDescription) -> Samples:
    """PS3.5 Annex G: a segment for each byte of a sample, all pixels of one sample after those of the other."""
    unsigned = np.dtype(description.dtype.str.replace("i", "u"))
    values = np.frombuffer(imagecodecs.dicomrle_decode(bytes(data), unsigned), unsigned)
    if values.size != description.rows * description.columns * description.samples:
        raise undecodable(f"the stream has {values.size} samples")
    return values.reshape(description.samples, description.rows, description.columns).transpose(1, 2, 0)


def _inflated(data: Data, description: PixelDescription) -> bytes:
    """PS3.5 §A.4.13: raw deflate, and no more of it than a frame."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    return stream.decompress(bytes(data), (description.frame_bits + 7) // 8)


def _conformed(values: Samples, description: PixelDescription) -> Samples:
    """What a codec gave, in the shape and type that the description speaks of."""
    if values.size != description.rows * description.columns * description.samples:
        raise undecodable(f"the stream has {values.size} samples of shape {values.shape}")
    values = values.reshape(description.shape)
    if description.kind is not SampleKind.INTEGER or values.dtype == description.dtype:
        return values
    if not description.is_signed or values.dtype.kind == "i":
        return _clipped(values, description)
    # Codecs without signed samples: the sign is the highest of the bits that are stored.
    width = 8 * description.dtype.itemsize
    left = width - description.bits_stored
    return (values.astype(description.dtype.str.replace("i", "u")) << left).view(description.dtype) >> left


def _clipped(values: Samples, description: PixelDescription) -> Samples:
    limits = np.iinfo(description.dtype)
    if np.can_cast(values.dtype, description.dtype):
        return values.astype(description.dtype)
    return np.clip(values, limits.min, limits.max).astype(description.dtype)
