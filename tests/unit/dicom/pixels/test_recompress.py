"""JPEG to JPEG XL and back, bit for bit; real files too."""

from dataclasses import replace

import pytest

from dicomweb_server.dicom.frames import index_frames
from dicomweb_server.dicom.header import read_header
from dicomweb_server.dicom.pixels.description import PixelDescription, describe_pixels
from dicomweb_server.dicom.pixels.encode import Target, encode_frame, encoded_description
from dicomweb_server.dicom.pixels.recompress import recompressed, recompresses
from dicomweb_server.dicom.pixels.transcode import stored_frames, transcode
from dicomweb_server.dicom.uids import JPEG_BASELINE, JPEG_XL_RECOMPRESSION
from dicomweb_server.errors import Reason, ServerError
from tests.encoded_images import image_file, read
from tests.images import described, image
from tests.real_files import REAL_FILES

LOSSLESS = "1.2.840.10008.1.2.4.70"


def jpeg(samples: int = 3, uid: str = JPEG_BASELINE) -> tuple[bytes, PixelDescription]:
    description, target = described(8, samples=samples), Target(uid)
    frame = encode_frame(image(description), description, target)
    return frame.data, encoded_description(description, frame, target)


def refusal(stored: bytes, description: PixelDescription) -> str:
    with pytest.raises(ServerError) as caught:
        recompressed(stored, description)
    assert caught.value.reason is Reason.NOT_ACCEPTABLE
    return caught.value.detail


def frames(data: bytes) -> list[bytes]:
    header = read_header(data)
    return stored_frames(header, index_frames(header))


def test_which_ways_lead_past_the_pixels() -> None:
    assert recompresses(JPEG_BASELINE, JPEG_XL_RECOMPRESSION)
    assert recompresses(JPEG_XL_RECOMPRESSION, JPEG_BASELINE)
    assert not recompresses(JPEG_BASELINE, JPEG_BASELINE)
    assert not recompresses(LOSSLESS, JPEG_XL_RECOMPRESSION)


@pytest.mark.parametrize("padding", [b"", b"\0"])
@pytest.mark.parametrize("samples", [1, 3])
def test_a_stream_comes_back_as_it_was(samples: int, padding: bytes) -> None:
    stream, description = jpeg(samples)
    made = recompressed(stream + padding, description)
    assert (made.photometric_interpretation, made.method) == (description.photometric_interpretation, "")
    back = recompressed(made.data, replace(description, transfer_syntax_uid=JPEG_XL_RECOMPRESSION))
    assert back.data == stream + padding


def test_an_instance_keeps_what_it_says_of_itself() -> None:
    original = image_file(described(8, samples=3), JPEG_BASELINE, frames=2)
    made = transcode(original, Target(JPEG_XL_RECOMPRESSION))
    dataset = read(made)
    assert dataset.file_meta.TransferSyntaxUID == JPEG_XL_RECOMPRESSION
    for keyword in ("SOPInstanceUID", "ImageType", "LossyImageCompressionRatio", "PhotometricInterpretation"):
        assert dataset.get(keyword) == read(original).get(keyword)
    back = transcode(made, Target(JPEG_BASELINE))
    assert frames(back) == frames(original)
    assert read(back).SOPInstanceUID == read(original).SOPInstanceUID


def test_real_files_come_back_as_they_were() -> None:
    sizes = []
    for path in REAL_FILES:
        data = path.read_bytes()
        header = read_header(data)
        if header.transfer_syntax_uid != JPEG_BASELINE or len(data) > 1_000_000 or not describe_pixels(header).rows:
            continue
        made = transcode(data, Target(JPEG_XL_RECOMPRESSION))
        assert frames(transcode(made, Target(JPEG_BASELINE))) == frames(data), path.name
        sizes.append((len(data), len(made)))
    assert len(sizes) >= 5
    assert sum(made for _, made in sizes) < 0.9 * sum(size for size, _ in sizes)


def test_refuses_what_is_damaged_or_no_such_jpeg() -> None:
    stream, description = jpeg()
    assert "another size" in refusal(stream, replace(description, rows=description.rows + 1))
    assert "no baseline JPEG" in refusal(b"\xff\xd8 nonsense", description)
    lossless, _ = jpeg(uid=LOSSLESS)
    assert "no baseline JPEG" in refusal(lossless, description)
    assert "cannot be recompressed" in refusal(stream[: len(stream) // 2], description)
    other = replace(description, transfer_syntax_uid=JPEG_XL_RECOMPRESSION)
    made = recompressed(stream, description).data
    assert "cannot be" in refusal(made[: len(made) // 2], other)
    assert "another size" in refusal(made, replace(other, columns=1))
    with pytest.raises(ServerError, match="JPEG Baseline only"):
        transcode(image_file(described(8)), Target(JPEG_XL_RECOMPRESSION))
