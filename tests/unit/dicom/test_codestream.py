"""What headers of codestreams say: made by hand, real ones, and broken ones."""

import struct
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.encaps import generate_frames

from dicomweb_server.dicom.codestream import Codestream, read_codestream
from tests.real_files import REAL_FILES, tolerant_pydicom

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


def segment(marker: int, content: bytes = b"") -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg(
    marker: int, *, samples: int = 1, bits: int = 8, selection: int = 0, sampling: int = 0x11, extra: bytes = b""
) -> bytes:
    components = b"".join(bytes((number, sampling if number == 1 else 0x11, 0)) for number in range(1, samples + 1))
    frame = segment(marker, struct.pack(">BHHB", bits, 10, 20, samples) + components)
    scan = segment(0xDA, bytes((samples,)) + b"\1\0" * samples + bytes((selection, 63, 0)))
    return b"\xff\xd8" + extra + segment(0xDB, b"\0" * 65) + frame + segment(0xC4, b"\0" * 20) + scan + b"data\xff\xd9"


def jpeg_2000(*, samples: int = 1, depth: int = 7, mixed: int = 0, wavelet: int = 1, extra: bytes = b"") -> bytes:
    size = struct.pack(">HIIIIIIIIH", 0, 25, 12, 5, 2, 20, 10, 0, 0, samples) + bytes((depth, 1, 1)) * samples
    coding = struct.pack(">BBHBBBBBB", 0, 0, 1, mixed, 5, 4, 4, 0, wavelet)
    return b"\xff\x4f" + segment(0x51, size) + extra + segment(0x52, coding) + segment(0x5C, b"\0") + b"\xff\x90data"


def jp2(codestream: bytes, *, long: bool = False) -> bytes:
    box = b"\0\0\0\1jp2c" + struct.pack(">Q", len(codestream) + 16) if long else b"\0\0\0\0jp2c"
    return b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x14ftypjp2 \0\0\0\0jp2 " + box + codestream


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
