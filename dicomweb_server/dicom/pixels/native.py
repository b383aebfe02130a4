"""Native frames to arrays, and back: every depth, both planar configurations, shared chrominance (PS3.5 §8.1.1)."""

from __future__ import annotations

from typing import Any

from dicomweb_server.dicom.arrays import NDArray, np
from dicomweb_server.dicom.pixels.color import rgb_of_partial, with_full_chrominance
from dicomweb_server.dicom.pixels.description import PixelDescription, SampleKind, undecodable

Samples = NDArray[Any]
Data = bytes | memoryview


def read_native(data: Data, description: PixelDescription) -> Samples:
    """The samples of a little endian frame whose first bit is the first of `data`; right-aligned, overlays masked."""
    if description.is_subsampled and 8 * len(data) < description.frame_bits:
        return _read_subsampled(data, description)
    count = description.rows * description.columns * description.samples
    values = _words(data, count, description)
    if description.planar:
        values = values.reshape(description.samples, description.rows, description.columns).transpose(1, 2, 0)
    return aligned(values.reshape(description.shape), description)


def aligned(values: Samples, description: PixelDescription) -> Samples:
    """Stored cells to the values in them: shifted down, without what other bits hold, with their sign."""
    if description.kind is not SampleKind.INTEGER or description.bits_allocated == 1:
        return values
    width = 8 * values.dtype.itemsize
    down = description.high_bit + 1 - description.bits_stored
    if not description.is_signed and not down and description.bits_stored < width:
        return values & ((1 << description.bits_stored) - 1)  # the common case, in one step
    left = width - 1 - description.high_bit
    if left or description.bits_stored < width:
        # Up to the top and down again: the second shift of a signed number brings its sign along.
        values = values << left if left else values
        values = values.view(description.dtype) >> (width - description.bits_stored)
    return values.view(description.dtype)


def _words(data: Data, count: int, description: PixelDescription) -> Samples:
    bits = description.bits_allocated
    needed = (count * bits + 7) // 8
    if len(data) < needed:
        raise undecodable(f"a frame should have {needed} bytes, but {len(data)} are there")
    if description.kind is not SampleKind.INTEGER:
        return np.frombuffer(data, description.dtype, count)
    unsigned = description.dtype.str.replace("i", "u")
    if bits == 1:
        return np.unpackbits(np.frombuffer(data, "u1", needed), count=count, bitorder="little")
    if bits in (8, 16, 32, 64):
        return np.frombuffer(data, unsigned, count)
    return _packed(data, count, bits, needed).astype(unsigned)


def _packed(data: Data, count: int, bits: int, needed: int) -> Samples:
    """Cells of an odd size, one right after the other, the low bits first."""
    flat = np.unpackbits(np.frombuffer(data, "u1", needed), count=count * bits, bitorder="little")
    weights = np.uint64(1) << np.arange(bits, dtype=np.uint64)
    values: Samples = (flat.reshape(count, bits).astype(np.uint64) * weights).sum(axis=1, dtype=np.uint64)
    return values


def _read_subsampled(data: Data, description: PixelDescription) -> Samples:
    """Y1 Y2 CB CR for each two pixels."""
    if description.columns % 2 or description.bits_allocated != 8:
        raise undecodable("chrominance that pixels share needs an even number of columns and 8 bits allocated")
    needed = description.rows * description.columns * 2
    if len(data) < needed:
        raise undecodable(f"a frame should have {needed} bytes, but {len(data)} are there")
    groups = np.frombuffer(data, "u1", needed).reshape(description.rows, description.columns // 2, 4)
    full = with_full_chrominance(groups)
    return rgb_of_partial(full) if description.photometric_interpretation == "YBR_PARTIAL_422" else full


def native_bytes(samples: Samples, description: PixelDescription) -> bytes:
    """The native little endian frame of decoded samples, color by pixel; bits of 1 are packed."""
    if description.bits_allocated == 1:
        return np.packbits(samples.ravel().astype("u1"), bitorder="little").tobytes()
    return np.ascontiguousarray(samples, description.dtype).tobytes()
