"""Compressed pixel data that came in parts: their transfer syntax, their frames, what they say of the image."""

import struct
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomweb_server.dicom.compose import BulkPart
from dicomweb_server.dicom.pixel_parts import encapsulate_parts
from dicomweb_server.errors import Reason, ServerError
from tests.encoded import encoded
from tests.metadata_parts import OCTETS, PIXELS, Json, composed, dataset_of, frames_of, identified
from tests.streams import jpeg, jpeg_2000


def image(*parts: BulkPart, **attributes: Any) -> Dataset:
    return dataset_of(identified(x7FE00010={"vr": "OW", "BulkDataURI": PIXELS}, **attributes), pixels=list(parts))


def image_refusal(*parts: BulkPart, **attributes: Any) -> ServerError:
    with pytest.raises(ServerError) as caught:
        image(*parts, **attributes)
    return caught.value


@pytest.mark.parametrize(
    ("media_type", "stream", "syntax", "lossy"),
    [
        ("image/jpeg", jpeg(0xC0), "4.50", "01"),
        ("image/jpeg", jpeg(0xC3, selection=1), "4.70", None),
        ("image/jls", jpeg(0xF7), "4.80", None),
        ("image/jp2", jpeg_2000(), "4.90", None),
        ("image/jp2", jpeg_2000(wavelet=0), "4.91", "01"),
    ],
)
def test_compressed_pixel_data_describe_themselves(
    media_type: str, stream: bytes, syntax: str, lossy: str | None
) -> None:
    document = identified(x7FE00010={"vr": "OB", "BulkDataURI": PIXELS})
    file = composed(document, pixels=[BulkPart(media_type, stream)])
    dataset = dcmread(BytesIO(file))
    assert dataset.file_meta.TransferSyntaxUID == f"1.2.840.10008.1.2.{syntax}"
    assert (dataset.Rows, dataset.Columns, dataset.SamplesPerPixel) == (10, 20, 1)
    assert (dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation) == (8, 8, 7, 0)
    assert dataset.PhotometricInterpretation == "MONOCHROME2"
    assert dataset.get("LossyImageCompression") == lossy
    assert "NumberOfFrames" not in dataset
    assert frames_of(file) == [stream + b"\0" * (len(stream) % 2)]


def test_what_the_metadata_say_of_the_image_counts() -> None:
    photometric = {"vr": "CS", "Value": ["PALETTE COLOR"]}
    dataset = image(BulkPart("image/jpeg", jpeg(0xC0)), x00280004=photometric, x00280101={"vr": "US", "Value": [7]})
    assert (dataset.PhotometricInterpretation, dataset.BitsStored, dataset.Rows) == ("PALETTE COLOR", 7, 10)


def test_colour_image() -> None:
    dataset = image(BulkPart("image/jp2", jpeg_2000(samples=3, mixed=1, depth=11)))
    assert (dataset.PhotometricInterpretation, dataset.PlanarConfiguration, dataset.BitsAllocated) == ("YBR_RCT", 0, 16)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_part_is_a_frame(count: int) -> None:
    streams = [jpeg(0xC0, extra=b"\xff" * (2 * number)) for number in range(count)]
    document = identified(x7FE00010={"vr": "OB", "BulkDataURI": PIXELS})
    file = composed(document, pixels=[BulkPart("image/jpeg", stream) for stream in streams])
    assert frames_of(file) == [stream + b"\0" * (len(stream) % 2) for stream in streams]
    dataset = dcmread(BytesIO(file))
    assert dataset.get("NumberOfFrames", 1) == count
    table = struct.unpack_from(f"<{count}I", dataset.PixelData, 8)
    assert [dataset.PixelData[8 + 4 * count + offset :][8:10] for offset in table] == [b"\xff\xd8"] * count


@pytest.mark.parametrize(
    ("media_type", "named_by_part", "named_by_json", "syntax"),
    [
        ("image/dicom-rle", "", "", "5"),
        ("image/jxl", "", "", "4.112"),
        ("image/jxl", "4.110", "", "4.110"),
        ("image/jxl", "", "4.111", "4.111"),
        ("image/jxl", "", "4.50", "4.112"),
        ("image/jpx", "", "", "4.93"),
        ("video/mpeg", "", "", "4.101"),
        ("video/mp4", "", "4.103", "4.103"),
        ("video/h265", "", "", "4.107"),
    ],
)
def test_transfer_syntax_that_the_bytes_do_not_tell(
    media_type: str, named_by_part: str, named_by_json: str, syntax: str
) -> None:
    prefix = "1.2.840.10008.1.2."
    attributes: Json = {"x00280008": {"vr": "IS", "Value": ["100" if "video" in media_type else 1]}}
    if named_by_json:
        attributes["x00020010"] = {"vr": "UI", "Value": [prefix + named_by_json]}
    part = BulkPart(media_type, b"1234", prefix + named_by_part if named_by_part else "")
    assert image(part, **attributes).file_meta.TransferSyntaxUID == prefix + syntax


@pytest.mark.parametrize(
    ("stream", "media_type", "named", "syntax"),
    [
        (jpeg(0xC0), "image/jpeg", "4.51", "4.51"),
        (jpeg(0xC3, selection=1), "image/jpeg", "4.57", "4.57"),
        (jpeg(0xC3, selection=6), "image/jpeg", "4.70", "4.57"),
        (jpeg_2000(), "image/jp2", "4.91", "4.91"),
        (jpeg_2000(wavelet=0), "image/jp2", "4.90", "4.91"),
    ],
)
def test_name_of_the_transfer_syntax_counts_if_the_bytes_allow_it(
    stream: bytes, media_type: str, named: str, syntax: str
) -> None:
    part = BulkPart(media_type, stream, f"1.2.840.10008.1.2.{named}")
    assert image(part).file_meta.TransferSyntaxUID == f"1.2.840.10008.1.2.{syntax}"


@pytest.mark.parametrize(
    ("parts", "attributes", "reason"),
    [
        ([BulkPart("image/jpeg", b"no image")], {}, Reason.CANNOT_UNDERSTAND),
        ([BulkPart("image/jpeg", jpeg(0xF7))], {}, Reason.CANNOT_UNDERSTAND),
        ([BulkPart("image/jpeg", jpeg(0xC2))], {}, Reason.UNSUPPORTED_TRANSFER_SYNTAX),
        ([BulkPart("image/png", b"\x89PNG")], {}, Reason.UNSUPPORTED_MEDIA_TYPE),
        ([BulkPart("image/jpeg", jpeg(0xC0)), BulkPart("image/jls", jpeg(0xF7))], {}, Reason.CANNOT_UNDERSTAND),
        ([BulkPart("image/jpeg", jpeg(0xC0))], {"x00280008": {"vr": "IS", "Value": [3]}}, Reason.CANNOT_UNDERSTAND),
        ([BulkPart("video/mp4", b"a")] * 2, {}, Reason.CANNOT_UNDERSTAND),
        ([BulkPart(OCTETS, b"a"), BulkPart("image/jpeg", jpeg(0xC0))], {}, Reason.UNSUPPORTED_MEDIA_TYPE),
        ([], {}, Reason.MISSING_BULK_DATA),
    ],
)
def test_pixel_data_that_contradict_themselves(parts: list[BulkPart], attributes: Json, reason: Reason) -> None:
    assert image_refusal(*parts, **attributes).reason is reason


def jpeg_2000_up_to(right: int) -> BulkPart:
    """A codestream whose first component ends at this column."""
    size = struct.pack(">HIIIIIIIIH", 0, right, 10, 1, 0, 20, 10, 0, 0, 1) + b"\7\1\1"
    stream = b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size + jpeg_2000().split(size[-3:], 1)[1]
    return BulkPart("image/jp2", stream)


def test_stream_of_a_size_that_no_attribute_can_say_describes_nothing() -> None:
    assert "Columns" not in image(jpeg_2000_up_to(70000))


def test_stream_of_an_image_that_ends_before_it_begins_is_refused() -> None:
    assert image_refusal(jpeg_2000_up_to(0)).reason is Reason.CANNOT_UNDERSTAND


def test_four_component_image_has_no_photometric_interpretation() -> None:
    dataset = image(BulkPart("image/jpeg", jpeg(0xC0, samples=4)))
    assert dataset.SamplesPerPixel == 4
    assert "PhotometricInterpretation" not in dataset


def of_size(length: int) -> memoryview:
    """So many bytes, without the memory for them."""
    return np.broadcast_to(np.uint8(0), length).data


def test_part_of_four_gigabytes_is_no_fragment() -> None:
    assert image_refusal(BulkPart("video/mp4", of_size(1 << 32))).reason is Reason.TOO_LARGE


def test_offset_table_is_empty_where_32_bits_do_not_suffice() -> None:
    parts = [BulkPart("image/dicom-rle", of_size(1 << 31))] * 4
    pieces = encapsulate_parts(parts, "", 4).pieces
    assert pieces[0] == encoded(0xFFFEE000, "")
    assert encapsulate_parts(parts[:2], "", 2).pieces[0] == encoded(
        0xFFFEE000, "", struct.pack("<2I", 0, (1 << 31) + 8)
    )
