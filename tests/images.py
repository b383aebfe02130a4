"""Images to encode: every edge of their range in them, some noise, some structure."""

from typing import Any

import numpy as np
import numpy.typing as npt

from dicomweb_server.dicom.pixels.description import PixelDescription

Samples = npt.NDArray[Any]


def described(
    bits_stored: int = 8,
    *,
    allocated: int | None = None,
    signed: bool = False,
    samples: int = 1,
    rows: int = 37,
    columns: int = 42,
    color: str | None = None,
    **more: Any,
) -> PixelDescription:
    """A description; by default of as many bytes as the bits need."""
    allocated = allocated or (8 if bits_stored <= 8 else 16 if bits_stored <= 16 else 32)
    return PixelDescription(
        rows=rows,
        columns=columns,
        samples=samples,
        bits_allocated=allocated,
        bits_stored=bits_stored,
        high_bit=more.pop("high_bit", bits_stored - 1),
        is_signed=signed,
        photometric_interpretation=color or ("RGB" if samples == 3 else "MONOCHROME2"),
        **more,
    )


def image(description: PixelDescription, seed: int = 0) -> Samples:
    """Samples that the description allows: waves, noise in the middle, the ends of the range beside each other."""
    generator = np.random.default_rng(seed)
    bits = description.bits_stored
    low = -(1 << bits - 1) if description.is_signed else 0
    high = low + (1 << bits) - 1
    y, x = np.mgrid[: description.rows, : description.columns]
    waves = (np.sin(x / 7 + seed) * np.cos(y / 5) + 1) / 2 * (high - low) + low
    values = np.clip(waves.astype(np.int64), low, high)
    middle = slice(description.rows // 3, description.rows // 2)
    values[middle] = generator.integers(low, high + 1, values[middle].shape)
    values[-1, ::2], values[-1, 1::2] = low, high
    if description.samples > 1:
        values = np.stack([np.roll(values, 3 * index, axis=1) for index in range(description.samples)], axis=-1)
    made: Samples = values.astype(description.dtype)
    return made
