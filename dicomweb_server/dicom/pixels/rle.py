"""RLE (PS3.5 Annex G): encodes. A segment for each byte of a sample, the highest first; runs end with their row."""

from __future__ import annotations

import struct
from typing import Any

from dicomweb_server.dicom.arrays import NDArray, imagecodecs, np
from dicomweb_server.errors import Reason, ServerError

_MOST_SEGMENTS = 15
_HEADER = struct.Struct("<16I")


def encode_rle(samples: NDArray[Any]) -> bytes:
    """A frame of samples of whole bytes, color by pixel."""
    rows, columns = samples.shape[:2]
    size = samples.dtype.itemsize
    planes = samples.reshape(rows, columns, -1)
    if planes.shape[2] * size > _MOST_SEGMENTS:
        problem = f"RLE has at most {_MOST_SEGMENTS} segments, {planes.shape[2]} samples of {size} bytes need more"
        raise ServerError(Reason.NOT_ACCEPTABLE, problem)
    segments = []
    for sample in range(planes.shape[2]):
        octets = np.ascontiguousarray(planes[..., sample]).view(np.uint8).reshape(rows, columns, size)
        segments += [_segment(octets[..., byte]) for byte in reversed(range(size))]
    offsets = [_HEADER.size]
    for segment in segments[:-1]:
        offsets.append(offsets[-1] + len(segment))
    offsets += [0] * (_MOST_SEGMENTS - len(offsets))
    return b"".join([_HEADER.pack(len(segments), *offsets), *segments])


def _segment(octets: NDArray[np.uint8]) -> bytes:
    contiguous = np.frombuffer(octets.tobytes(), np.uint8).reshape(octets.shape)  # also in the strides of a side of 1
    data = bytes(imagecodecs.packbits_encode(contiguous, axis=-1))
    return data + b"\0" if len(data) % 2 else data
