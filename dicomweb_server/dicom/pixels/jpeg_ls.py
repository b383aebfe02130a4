"""JPEG-LS (PS3.5 §A.4.3): encodes with the precision of the samples, which says what near-lossless may change."""

from typing import Any

import jpeg_ls
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[Any]
_BY_LINE = 1


def encode_jpeg_ls(samples: Samples, bits: int, error: int = 0) -> bytes:
    """A stream of unsigned samples of at most 16 bits. `error`: by how much a sample may differ; 0 is lossless."""
    rows, columns = samples.shape[:2]
    if samples.ndim == 2:
        return bytes(jpeg_ls.encode_buffer(samples.tobytes(), rows, columns, 1, bits, error))
    by_line = np.ascontiguousarray(samples.transpose(0, 2, 1))
    return bytes(jpeg_ls.encode_buffer(by_line.tobytes(), rows, columns, samples.shape[2], bits, error, _BY_LINE))
