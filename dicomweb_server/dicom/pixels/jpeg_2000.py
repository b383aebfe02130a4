"""JPEG 2000 and High-Throughput JPEG 2000 (PS3.5 §A.4.4, §A.4.12): encodes with the precision of the samples."""

from __future__ import annotations

import struct
from math import ceil, log2
from typing import Any

from dicomweb_server.dicom.arrays import NDArray, imagecodecs, np

Samples = NDArray[Any]

_BY_RESOLUTION = 1  # tile-parts, so that a client can tell where each resolution ends
_SMALLEST = 64  # the side of the lowest resolution, PS3.5 §A.4.12
_MAX_LEVELS = 32
_SIGNED = 0x80
_FIRST_PRECISION = 42  # of the components, in a codestream that begins with SOC and SIZ
_PRECISION_STEP = 3
_DECIBELS_PER_BIT = 2.5


def encode_jpeg_2000(samples: Samples, bits: int, *, mix_components: bool, quality: int | None = None) -> bytes:
    """A codestream without the boxes of a file. `quality` None: reversible; `mix_components`: RCT or ICT."""
    level = 0
    if quality is not None:  # a ratio of peak to noise in dB; deeper images are looked at in parts of their range
        level = round(27 + quality / 5 + _DECIBELS_PER_BIT * max(bits - 8, 0))
    return bytes(
        imagecodecs.jpeg2k_encode(
            np.ascontiguousarray(samples),
            level=level,
            codecformat="J2K",
            bitspersample=bits,
            reversible=quality is None,
            mct=mix_components,
            numthreads=1,
        )
    )


def encode_high_throughput(samples: Samples, bits: int, *, mix_components: bool) -> bytes:
    """A reversible codestream, the resolutions one after the other (RPCL), the lowest of at most 64 x 64, with TLM."""
    # None would be the encoder's default of five, whose empty resolutions of a small image viewers fail on.
    levels = min(max(ceil(log2(max(samples.shape[:2]) / _SMALLEST)), 1), _MAX_LEVELS)
    width = 8 * samples.dtype.itemsize
    if bits < width and samples.dtype.kind == "u":
        # The encoder takes the type's width for the precision, and half of its range from each sample. With the
        # precision set right afterwards, a decoder adds half of the true range.
        samples = samples + samples.dtype.type((1 << width - 1) - (1 << bits - 1))
    data = bytearray(
        imagecodecs.htj2k_encode(
            np.ascontiguousarray(samples),
            rgb=mix_components,
            planar=False,
            resolutions=levels,
            reversible=True,
            tlm=True,
            tilepart=_BY_RESOLUTION,
        )
    )
    _set_precision(data, bits)
    return bytes(data)


def _set_precision(data: bytearray, bits: int) -> None:
    (components,) = struct.unpack_from(">H", data, 40)
    for component in range(components):
        place = _FIRST_PRECISION + _PRECISION_STEP * component
        data[place] = data[place] & _SIGNED | bits - 1
