"""Color: between RGB and the luminance and chrominance of PS3.3 §C.7.6.3.1.2, on whole frames."""

from __future__ import annotations

from typing import Any

from dicomweb_server.dicom.arrays import NDArray, np

Samples = NDArray[Any]


def with_full_chrominance(groups: Samples) -> Samples:
    """(rows, pairs, Y1 Y2 CB CR) to (rows, columns, Y CB CR): both pixels of a pair get what they share."""
    rows, pairs = groups.shape[:2]
    full = np.empty((rows, pairs * 2, 3), groups.dtype)
    full[:, 0::2, 0], full[:, 1::2, 0] = groups[..., 0], groups[..., 1]
    for component in (1, 2):
        full[..., component] = np.repeat(groups[..., component + 1], 2, axis=1)
    return full


def rgb_of_full(samples: Samples) -> Samples:
    """YBR_FULL to RGB, 8 bits."""
    luminance, blue, red = (samples[..., index].astype(np.float32) for index in range(3))
    blue, red = blue - 128, red - 128
    return _rounded(luminance + 1.402 * red, luminance - 0.344136 * blue - 0.714136 * red, luminance + 1.772 * blue)


def rgb_of_partial(samples: Samples) -> Samples:
    """YBR_PARTIAL (black is 16, white 235) to RGB, 8 bits."""
    luminance, blue, red = (samples[..., index].astype(np.float32) for index in range(3))
    luminance, blue, red = 1.164384 * (luminance - 16), blue - 128, red - 128
    return _rounded(
        luminance + 1.596027 * red, luminance - 0.391762 * blue - 0.812968 * red, luminance + 2.017232 * blue
    )


def _rounded(*planes: Samples) -> Samples:
    rounded: Samples = np.clip(np.rint(np.stack(planes, axis=-1)), 0, 255).astype(np.uint8)
    return rounded
