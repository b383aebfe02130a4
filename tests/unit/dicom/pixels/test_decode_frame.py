"""Frames as they really are: every native depth and layout, and everything that can be wrong with any."""

from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np
import pytest

from dicomweb_server.dicom.header import read_header
from dicomweb_server.dicom.pixels.decode import decode_frame
from dicomweb_server.dicom.pixels.description import PixelDescription, describe_pixels
from dicomweb_server.dicom.pixels.encode import Target, encode_frame, encoded_description
from dicomweb_server.dicom.pixels.native import native_bytes
from dicomweb_server.errors import Reason, ServerError
from tests.builders import make_dataset, make_instance, write_part10
from tests.images import described, image

P = "1.2.840.10008.1.2."
COMPRESSED = [
    P + last
    for last in ("4.50", "4.51", "4.57", "4.70", "4.80", "4.81", "4.90", "4.91", "4.110", "4.112", "4.201", "5", "8.1")
]


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [1, 5, 8, 9, 12, 16, 20, 32])
def test_native_of_any_depth(bits: int, signed: bool) -> None:
    description = described(bits, signed=signed and bits > 1)
    np.testing.assert_array_equal(decode_frame(image(description).tobytes(), description), image(description))


def test_what_other_bits_of_a_cell_hold_is_no_pixel() -> None:
    """PS3.5 §8.1.1: overlays above, or the stored bits not at the bottom."""
    above = described(12)
    cells = image(above) | np.uint16(0xA000)
    np.testing.assert_array_equal(decode_frame(cells.tobytes(), above), image(above))
    high = described(12, high_bit=15, signed=True)
    cells = (image(high).astype("<u2") << 4 | 5).astype("<u2")
    np.testing.assert_array_equal(decode_frame(cells.tobytes(), high), image(high))
    assert high.decoded().high_bit == 11


def test_cells_of_twelve_bits() -> None:
    description = described(12, allocated=12, rows=1, columns=2)
    np.testing.assert_array_equal(decode_frame(b"\x23\x61\x45", description), [[0x123, 0x456]])


def test_color_by_plane() -> None:
    description = described(8, samples=3)
    planes = np.ascontiguousarray(image(description).transpose(2, 0, 1)).tobytes()
    np.testing.assert_array_equal(decode_frame(planes, replace(description, planar=True)), image(description))


def test_shared_chrominance() -> None:
    """PS3.3 §C.7.6.3.1.2: Y1 Y2 CB CR; some write the name but all samples."""
    description = described(8, samples=3, rows=1, columns=2, color="YBR_FULL_422")
    np.testing.assert_array_equal(decode_frame(bytes([1, 2, 3, 4]), description), [[[1, 3, 4], [2, 3, 4]]])
    np.testing.assert_array_equal(decode_frame(bytes(range(6)), description), [[[0, 1, 2], [3, 4, 5]]])
    assert description.decoded().photometric_interpretation == "YBR_FULL"
    partial = replace(description, photometric_interpretation="YBR_PARTIAL_422")
    np.testing.assert_array_equal(decode_frame(bytes([16, 235, 128, 128]), partial), [[[0] * 3, [255] * 3]])
    assert partial.decoded().photometric_interpretation == "RGB"


@pytest.mark.parametrize("color", ["RGB", "YBR_FULL", "YBR_FULL_422"])
def test_color_of_jpeg(color: str) -> None:
    """RGB comes of YBR; a data set that says RGB is believed where the stream says nothing."""
    description = described(8, samples=3)
    frame = encode_frame(np.full(description.shape, [200, 30, 60], np.uint8), description, Target(P + "4.50", 95))
    stored = replace(encoded_description(description, frame, Target(P + "4.50")), photometric_interpretation=color)
    expected = [84, 114, 211] if color == "RGB" else [200, 30, 60]  # as luminance and chrominance, or what it was
    middle = decode_frame(frame.data, stored)[10, 10].astype(int)
    assert np.abs(middle - expected).max() <= 3
    assert stored.decoded().photometric_interpretation == "RGB"


@pytest.mark.parametrize("samples", [1, 3])
def test_a_recompressed_jpeg_is_the_jpeg_it_was(samples: int) -> None:
    description = described(8, samples=samples)
    frame = encode_frame(image(description), description, Target(P + "4.50"))
    jpeg = encoded_description(description, frame, Target(P + "4.50"))
    recompressed = replace(jpeg, transfer_syntax_uid=P + "4.111")
    data = bytes(imagecodecs.jpegxl_encode_jpeg(frame.data))
    np.testing.assert_array_equal(decode_frame(data, recompressed), decode_frame(frame.data, jpeg))
    assert recompressed.decoded().photometric_interpretation == jpeg.decoded().photometric_interpretation
    refuses(data[:100], recompressed)


def frame_in(uid: str) -> tuple[bytes, PixelDescription]:
    description = described(8)
    frame = encode_frame(image(description), description, Target(uid))
    return frame.data, encoded_description(description, frame, Target(uid))


def refuses(data: bytes, description: PixelDescription) -> str:
    with pytest.raises(ServerError, match="cannot be decoded") as failure:
        decode_frame(data, description)
    assert failure.value.reason is Reason.NOT_ACCEPTABLE
    return failure.value.detail


@pytest.mark.parametrize("uid", COMPRESSED)
@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9])
def test_a_truncated_stream_is_no_image(uid: str, part: float) -> None:
    data, description = frame_in(uid)
    refuses(data[: int(len(data) * part)], description)


@pytest.mark.parametrize("uid", COMPRESSED)
def test_dimensions_that_are_not_those_of_the_data_set(uid: str) -> None:
    data, description = frame_in(uid)
    for other in (replace(description, rows=38), replace(description, columns=10_000), replace(description, samples=3)):
        refuses(data, other)


@pytest.mark.parametrize("uid", COMPRESSED)
def test_a_stream_of_something_else(uid: str) -> None:
    description = replace(described(8), transfer_syntax_uid=uid)
    for data in (b"", b"\0" * 100, b"GIF89a" + bytes(100), b"\xff\xd8\xff\xd9", b"\xff\x4f\xff\x51\xff\xff"):
        refuses(data, description)


def test_a_stream_under_the_wrong_transfer_syntax_is_read_as_what_it_is() -> None:
    """Files that were relabelled exist; what the stream itself says is certain."""
    data, description = frame_in(P + "4.90")
    relabelled = replace(description, transfer_syntax_uid=P + "4.70")
    np.testing.assert_array_equal(decode_frame(data, relabelled), image(described(8)))


def test_a_bomb_is_not_inflated() -> None:
    data, _ = frame_in(P + "8.1")
    small = replace(described(8, rows=2, columns=2), transfer_syntax_uid=P + "8.1")
    assert decode_frame(data, small).shape == (2, 2)


def test_a_stream_that_claims_to_be_huge_is_not_begun() -> None:
    data, description = frame_in(P + "4.90")
    place = data.index(b"\xff\x51") + 6
    huge = data[:place] + b"\x7f\xff\xff\xff" * 2 + data[place + 8 :]
    assert "2147483647" in refuses(huge, description)


def test_video_has_no_frames_that_could_be_decoded() -> None:
    refuses(b"\0\0\1\xb3" + bytes(100), replace(described(8), transfer_syntax_uid=P + "4.100"))


@pytest.mark.parametrize("size", [0, 1, 100, 37 * 42 - 1])
def test_native_frames_that_are_too_short(size: int) -> None:
    assert f"{size} are there" in refuses(bytes(size), described(8))


def described_by(**attributes: Any) -> PixelDescription:
    return describe_pixels(read_header(make_instance(**attributes)))


def test_descriptions_come_of_the_data_set() -> None:
    description = described_by(
        rows=3, columns=5, frames=2, samples_per_pixel=3, bits_allocated=8, PlanarConfiguration=1
    )
    assert (description.shape, description.planar, description.frames) == ((3, 5, 3), True, 2)
    assert description.dtype == np.uint8


@pytest.mark.parametrize(
    ("attributes", "reason", "words"),
    [
        ({"Rows": 0}, Reason.NOT_ACCEPTABLE, "0 rows"),
        ({"Rows": 65535, "Columns": 65535}, Reason.TOO_LARGE, "the limit is"),
        ({"BitsAllocated": 0}, Reason.NOT_ACCEPTABLE, "0 bits"),
        ({"BitsAllocated": 1000}, Reason.NOT_ACCEPTABLE, "1000 bits"),
        ({"HighBit": 40}, Reason.NOT_ACCEPTABLE, "highest being bit 40"),
        ({"SamplesPerPixel": 9}, Reason.NOT_ACCEPTABLE, "9 samples"),
    ],
)
def test_descriptions_that_cannot_be(attributes: dict[str, Any], reason: Reason, words: str) -> None:
    with pytest.raises(ServerError, match=words) as failure:
        described_by(**attributes)
    assert failure.value.reason is reason


def test_no_pixels_at_all() -> None:
    with pytest.raises(ServerError, match="no pixel data") as failure:
        describe_pixels(read_header(write_part10(make_dataset(), P + "1")))
    assert failure.value.reason is Reason.NOT_FOUND


def test_bits_are_packed_again() -> None:
    description = described(1, allocated=1, rows=3, columns=5)
    samples = np.arange(15).reshape(3, 5) % 2
    np.testing.assert_array_equal(decode_frame(native_bytes(samples, description), description), samples)
