"""Every transfer syntax that can be written: what comes back is what went in, or as close as it may be."""

from dataclasses import replace

import numpy as np
import pytest

from dicomweb_server.dicom.codestream import read_codestream
from dicomweb_server.dicom.pixels.decode import decode_frame
from dicomweb_server.dicom.pixels.description import PixelDescription, SampleKind
from dicomweb_server.dicom.pixels.encode import Target, can_encode, encode_frame, encoded_description
from dicomweb_server.errors import Reason, ServerError
from tests.images import described, image

P = "1.2.840.10008.1.2."
ANY_DEPTH = [P + last for last in ("1.98", "4.201", "4.202", "4.203", "5", "8.1")]
AT_MOST_16 = [P + last for last in ("4.57", "4.70", "4.80", "4.90")]
UNSIGNED = [P + "4.110"]
LOSSY = [P + last for last in ("4.50", "4.51", "4.81", "4.91", "4.112")]

GRAY = [described(8), described(5), described(12), described(16), described(10, allocated=16)]
NARROW = [described(8, allocated=16), described(16, rows=1, columns=1), described(1, allocated=16)]
SIGNED = [described(8, signed=True), described(12, signed=True), described(16, signed=True)]
COLOR = [described(8, samples=3), described(16, samples=3), described(8, samples=3, color="YBR_FULL")]
WIDE = [described(32), described(20), described(32, signed=True), described(32, samples=3, rows=9)]
SMALL = [*GRAY, *NARROW, *COLOR]


def again(samples: np.ndarray, description: PixelDescription, uid: str, quality: int = 90) -> tuple[np.ndarray, str]:
    target = Target(uid, quality)
    frame = encode_frame(samples, description, target)
    return decode_frame(frame.data, encoded_description(description, frame, target)), frame.method


@pytest.mark.parametrize(
    ("uid", "description"),
    [(uid, one) for uid in ANY_DEPTH for one in (*SMALL, *SIGNED, *WIDE)]
    + [(uid, one) for uid in AT_MOST_16 for one in (*SMALL, *SIGNED)]
    + [(uid, one) for uid in UNSIGNED for one in SMALL],
    ids=lambda one: one if isinstance(one, str) else f"{one.bits_stored}-{one.dtype}-{one.samples}",
)
def test_lossless(uid: str, description: PixelDescription) -> None:
    samples = image(description)
    decoded, method = again(samples, description, uid)
    assert method == ""
    assert decoded.dtype == samples.dtype
    np.testing.assert_array_equal(decoded, samples)


@pytest.mark.parametrize("uid", LOSSY)
@pytest.mark.parametrize("description", [described(8), described(8, samples=3)], ids=["gray", "color"])
def test_lossy(uid: str, description: PixelDescription) -> None:
    """Smooth images stay what they are, in color too: a wrong color space would be far off."""
    y, x = np.mgrid[: description.rows, : description.columns]
    ramps = [x * 4, y * 5, x * 3 + y * 2][: description.samples]
    samples = np.stack(ramps, axis=-1).reshape(description.shape).astype(np.uint8)
    decoded, method = again(samples, description, uid)
    assert method in {"ISO_10918_1", "ISO_14495_1", "ISO_15444_1", "ISO_18181_1"}
    assert np.abs(decoded.astype(int) - samples).max() <= 32
    assert np.abs(decoded.astype(int) - samples).mean() < 2.5


def test_quality_counts() -> None:
    description = described(8, rows=64, columns=64)
    for uid in LOSSY:
        sizes = [len(encode_frame(image(description), description, Target(uid, quality)).data) for quality in (20, 90)]
        assert sizes[0] < sizes[1], uid


def test_the_best_quality_loses_nothing_where_it_can() -> None:
    description = described(12)
    for last in ("4.81", "4.91", "4.112"):
        decoded, method = again(image(description), description, P + last, quality=100)
        assert method == ""
        np.testing.assert_array_equal(decoded, image(description))


def test_near_lossless_keeps_to_its_error() -> None:
    description = described(12)
    decoded, _ = again(image(description), description, P + "4.81", quality=90)
    assert 0 < np.abs(decoded.astype(int) - image(description)).max() <= 32


@pytest.mark.parametrize("bits", [9, 10, 12, 16])
@pytest.mark.parametrize("last", ["4.70", "4.80", "4.90", "4.202"])
def test_streams_have_the_precision_of_the_samples(bits: int, last: str) -> None:
    """PS3.5 §8.2: what the stream says agrees with Bits Stored."""
    description = described(bits)
    stream = read_codestream(encode_frame(image(description), description, Target(P + last)).data)
    assert stream is not None
    assert (stream.bits, stream.is_signed) == (bits, False)


def test_values_beyond_the_bits_that_are_stored_survive() -> None:
    description = described(12)
    samples = image(described(16))
    for uid in (P + "5", P + "4.201", *AT_MOST_16):
        np.testing.assert_array_equal(again(samples, description, uid)[0], samples)


def test_high_throughput_comes_by_resolution() -> None:
    """PS3.5 §A.4.12: RPCL, TLM, a lowest resolution of at most 64 x 64; a part of the stream is a smaller image."""
    description = described(12, rows=300, columns=500)
    data = encode_frame(image(description), description, Target(P + "4.202")).data
    progression, levels = data[data.index(b"\xff\x52") + 5], data[data.index(b"\xff\x52") + 9]
    assert (progression, levels) == (2, 3)
    assert b"\xff\x55" in data[:200]
    assert data.count(b"\xff\x90") == levels + 1


@pytest.mark.parametrize("side", [1, 3, 64])
def test_a_small_image_has_no_empty_resolutions(side: int) -> None:
    description = described(8, rows=side, columns=side)
    data = encode_frame(image(description), description, Target(P + "4.202")).data
    assert data[data.index(b"\xff\x52") + 9] == 1


def test_jpeg_of_twelve_bits_says_so() -> None:
    """PS3.5 §8.2.1. The codec goes beyond the ends of fewer bits; a data set that says fewer is not overrun."""
    description, target = described(10, rows=64, columns=64), Target(P + "4.51", 60)
    samples = np.where(np.random.default_rng(0).random((64, 64)) < 0.5, 1023, 0).astype(np.uint16)
    frame = encode_frame(samples, description, target)
    encoded = encoded_description(description, frame, target)
    assert encoded.bits_stored == 12
    assert decode_frame(frame.data, encoded).max() > 1023
    assert decode_frame(frame.data, replace(encoded, bits_stored=10)).max() == 1023


@pytest.mark.parametrize("kind", [SampleKind.FLOAT, SampleKind.DOUBLE])
@pytest.mark.parametrize("uid", [P + "1", P + "1.98", P + "8.1"])
def test_floating_point(kind: SampleKind, uid: str) -> None:
    description = described(
        32 if kind is SampleKind.FLOAT else 64, allocated=32 if kind is SampleKind.FLOAT else 64, kind=kind
    )
    samples = image(described(16)).astype(description.dtype) / 7
    np.testing.assert_array_equal(again(samples, description, uid)[0], samples)


def test_single_bits() -> None:
    description = described(1, allocated=1, rows=5, columns=7)
    samples = np.random.default_rng(0).integers(0, 2, (5, 7)).astype(np.uint8)
    for uid in (P + "1", P + "1.98", P + "8.1"):
        np.testing.assert_array_equal(again(samples, description, uid)[0], samples)


@pytest.mark.parametrize(
    ("last", "description", "problem"),
    [
        ("4.50", described(12), "8 bits without sign"),
        ("4.50", described(8, signed=True), "8 bits without sign"),
        ("4.51", described(16), "at most 12 bits"),
        ("4.70", described(32), "at most 16 bits"),
        ("4.80", described(20), "at most 16 bits"),
        ("4.81", described(16, signed=True), "change their sign"),
        ("4.90", described(32), "at most 24 bits"),
        ("4.110", described(16, signed=True), "without sign"),
        ("4.112", described(16, signed=True), "without sign"),
        ("4.91", described(8, color="PALETTE COLOR"), "palette"),
        ("4.50", described(8, color="PALETTE COLOR"), "palette"),
        ("4.50", described(8, samples=3, color="HSV"), "HSV"),
        ("4.80", described(1, allocated=1), "single bits"),
        ("4.90", described(32, allocated=32, kind=SampleKind.FLOAT), "floating point"),
        ("5", described(32, samples=4, color="ARGB"), "at most 15 segments"),
        ("4.102", described(8), "no encoder"),
        ("4.999", described(8), "unknown"),
    ],
)
def test_what_cannot_be(last: str, description: PixelDescription, problem: str) -> None:
    samples = image(described(description.bits_stored, signed=description.is_signed, samples=description.samples))
    with pytest.raises(ServerError, match=problem) as failure:
        encode_frame(samples.astype(description.dtype), description, Target(P + last))
    assert failure.value.reason is Reason.NOT_ACCEPTABLE


def test_what_an_encoder_refuses_is_told() -> None:
    with pytest.raises(ServerError, match="the encoder refuses"):
        encode_frame(np.zeros((0, 0), np.uint8), described(8), Target(P + "4.50"))


def test_can_encode() -> None:
    assert all(can_encode(uid) for uid in (*ANY_DEPTH, *AT_MOST_16, *UNSIGNED, *LOSSY, P + "1", P + "2"))
    assert not can_encode(P + "4.102")
    assert not can_encode("1.2.3")
