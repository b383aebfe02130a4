"""What headers of codestreams say: made by hand, real ones, and broken ones."""

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.encaps import generate_frames

from dicomweb_server.dicom.codestream import Codestream, read_codestream
from tests.real_files import REAL_FILES, tolerant_pydicom
from tests.streams import jp2, jpeg, jpeg_2000, segment

PREFIX = "1.2.840.10008.1.2.4."
# The syntax and the description in the file are wrong (that is what these files are for), or the stream is damaged.
MISLABELLED = {
    "693_J2KI.dcm",
    "JPEG2000-embedded-sequence-delimiter.dcm",
    "J2K_pixelrep_mismatch.dcm",
    "JPEG-LL.dcm",
    "SC_jpeg_no_color_transform.dcm",
    "SC_rgb_gdcm_KY.dcm",
    "SC_rgb_jpeg.dcm",
}


@pytest.mark.parametrize(
    ("stream", "syntax", "lossy"),
    [
        (jpeg(0xC0), "50", True),
        (jpeg(0xC0, extra=b"\xff" * 9), "50", True),
        (jpeg(0xC1, bits=12), "51", True),
        (jpeg(0xC3, bits=16, selection=1), "70", False),
        (jpeg(0xC3, bits=16, selection=6), "57", False),
        (jpeg(0xF7), "80", False),
        (jpeg(0xF7, selection=2), "81", True),
        (jpeg_2000(), "90", False),
        (jpeg_2000(wavelet=0), "91", True),
        (jpeg_2000(extra=segment(0x50, b"\0" * 6)), "201", False),
        (jpeg_2000(extra=segment(0x50, b"\0" * 6), wavelet=0), "203", True),
        (jp2(jpeg_2000()), "90", False),
        (jp2(jpeg_2000(), long=True), "90", False),
    ],
)
def test_transfer_syntax_of_a_stream(stream: bytes, syntax: str, lossy: bool) -> None:
    found = read_codestream(stream)
    assert found is not None
    assert (found.transfer_syntax_uid, found.lossy) == (PREFIX + syntax, lossy)
    assert (found.rows, found.columns, found.samples) == (10, 20, 1)
    assert found.photometric_interpretation == "MONOCHROME2"


def test_process_without_transfer_syntax() -> None:
    found = read_codestream(jpeg(0xC2))
    assert found is not None
    assert found.transfer_syntax_uid == ""


@pytest.mark.parametrize(
    ("stream", "photometric"),
    [
        (jpeg(0xC0, samples=3), "YBR_FULL"),
        (jpeg(0xC0, samples=3, sampling=0x21), "YBR_FULL_422"),
        (jpeg(0xC0, samples=3, extra=segment(0xEE, b"Adobe" + bytes(7))), "RGB"),
        (jpeg(0xC0, samples=3, extra=segment(0xEE, b"Adobe" + bytes(6) + b"\1")), "YBR_FULL"),
        (jpeg(0xC0, samples=3, extra=segment(0xEE, b"Adobe\0")), "YBR_FULL"),
        (jpeg(0xC0, samples=4), ""),
        (jpeg(0xC3, samples=3, selection=1), "RGB"),
        (jpeg(0xF7, samples=3), "RGB"),
        (jpeg_2000(samples=3), "RGB"),
        (jpeg_2000(samples=3, mixed=1), "YBR_RCT"),
        (jpeg_2000(samples=3, mixed=1, wavelet=0), "YBR_ICT"),
    ],
)
def test_colors_of_a_stream(stream: bytes, photometric: str) -> None:
    found = read_codestream(stream)
    assert found is not None
    assert found.photometric_interpretation == photometric


def test_signed_samples() -> None:
    found = read_codestream(jpeg_2000(depth=0x8B))
    assert found is not None
    assert (found.bits, found.is_signed) == (12, True)


@pytest.mark.parametrize("stream", [jpeg(0xC0), jpeg(0xF7), jpeg_2000(), jp2(jpeg_2000())])
def test_no_description_without_a_whole_header(stream: bytes) -> None:
    needed = next(size for size in range(len(stream) + 1) if read_codestream(stream[:size]) is not None)
    assert all(read_codestream(stream[:size]) is None for size in range(needed))
    assert read_codestream(memoryview(stream)) == read_codestream(stream)


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"no image",
        b"\xff\xd8\xff" + b"\xff" * 100_000,
        b"\xff\xd8" + segment(0xE0) * 20_000,
        b"\xff\xd8\xff\xd9\0\0\0\0",
        b"\xff\xd8" + segment(0xDA, b"\0\0\0"),
        b"\xff\x4f" + segment(0x51) + b"\xff\xd9\0\0\0\0",
        jp2(b"")[:32] + b"\0\0\0\4none",
        b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x08free" * 20_000,
    ],
)
def test_what_is_no_image_is_not_described(stream: bytes) -> None:
    assert read_codestream(stream) is None


@given(st.binary(max_size=200), st.sampled_from([b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n"]))
def test_any_bytes_are_described_or_not(rest: bytes, start: bytes) -> None:
    assert isinstance(read_codestream(start + rest), Codestream | None)


@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.name)
def test_real_streams_are_what_their_files_say(path: Path) -> None:
    with tolerant_pydicom():
        dataset = dcmread(BytesIO(path.read_bytes()))
        if "PixelData" not in dataset or path.name in MISLABELLED:
            return
        syntax = dataset.file_meta.TransferSyntaxUID
        if not syntax.is_encapsulated or not syntax.startswith(PREFIX):
            return
        frame = next(generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1)))
    found = read_codestream(frame)
    assert found is not None
    assert found.transfer_syntax_uid == syntax
    assert (found.rows, found.columns, found.samples) == (dataset.Rows, dataset.Columns, dataset.SamplesPerPixel)
    assert found.bits <= dataset.BitsAllocated
    if found.samples == 1:
        assert dataset.PhotometricInterpretation in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
    elif dataset.PhotometricInterpretation == "YBR_FULL":
        assert found.photometric_interpretation.startswith("YBR_FULL")
    else:
        assert found.photometric_interpretation == dataset.PhotometricInterpretation
