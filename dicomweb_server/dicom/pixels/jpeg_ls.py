"""JPEG-LS (PS3.5 §A.4.3): encodes with the precision of the samples, which says what near-lossless may change."""

from __future__ import annotations

from typing import Any

from dicomweb_server.dicom.arrays import NDArray, imagecodecs, jpeg_ls, np

Samples = NDArray[Any]
_BY_PIXEL = 2
_TINY = 1024  # samples; for these the library's estimate of the size is too small


def encode_jpeg_ls(samples: Samples, bits: int, error: int = 0) -> bytes:
    """A stream of unsigned samples of at most 16 bits. `error`: by how much a sample may differ; 0 is lossless."""
    samples = np.ascontiguousarray(samples)
    if samples.size <= _TINY:
        return bytes(imagecodecs.jpegls_encode(samples, level=error))
    rows, columns = samples.shape[:2]
    count = 1 if samples.ndim == 2 else samples.shape[2]
    return bytes(jpeg_ls.encode_buffer(samples.tobytes(), rows, columns, count, bits, error, _BY_PIXEL))
