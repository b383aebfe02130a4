"""What an instance says of itself when its pixels lost something, in its functional groups too."""

from typing import Any

import pytest
from pydicom.dataset import Dataset

from dicomweb_server.dicom.pixels.encode import Target
from dicomweb_server.dicom.pixels.lossy import derived_type
from dicomweb_server.dicom.pixels.transcode import transcode
from tests.builders import NATIVE, make_instance
from tests.encoded_images import read

JPEG_2000, JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.90"
ORIGINAL = ["ORIGINAL", "PRIMARY", "M", "NONE"]


def group(frame_type: list[str]) -> Dataset:
    described, functional_group = Dataset(), Dataset()
    described.FrameType = frame_type
    functional_group.MRImageFrameTypeSequence = [described]
    return functional_group


def frame_types(dataset: Dataset) -> list[list[str]]:
    return [list(element.value) for element in dataset.iterall() if element.keyword == "FrameType"]


@pytest.mark.parametrize("syntax", NATIVE)
def test_all_frames_are_derived_when_something_is_lost(syntax: str) -> None:
    """PS3.3 §C.8.16.1.1: what Image Type says in value 1, the Frame Types of all frames say."""
    attributes: dict[str, Any] = {
        "ImageType": ["MIXED", *ORIGINAL[1:]],
        "PerFrameFunctionalGroupsSequence": [group(ORIGINAL), group(["DERIVED", "SECONDARY", "ANGIO", "MIP"])],
    }
    file = make_instance(transfer_syntax_uid=syntax, frames=2, rows=32, columns=32, **attributes)
    made = read(transcode(file, Target(JPEG_2000, 50)))
    assert list(made.ImageType) == ["DERIVED", *ORIGINAL[1:]]
    assert frame_types(made) == [["DERIVED", *ORIGINAL[1:]], ["DERIVED", "SECONDARY", "ANGIO", "MIP"]]
    kept = read(transcode(file, Target(JPEG_2000_LOSSLESS)))
    assert list(kept.ImageType) == attributes["ImageType"]
    assert frame_types(kept) == [ORIGINAL, ["DERIVED", "SECONDARY", "ANGIO", "MIP"]]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"ORIGINAL\\PRIMARY\\AXIAL ", b"DERIVED\\PRIMARY\\AXIAL"),
        (b"DERIVED\\SECONDARY", b"DERIVED\\SECONDARY "),
        (b"", b"DERIVED\\PRIMARY "),
        (b"ORIGINAL", b"DERIVED\\PRIMARY "),
    ],
)
def test_derived_types(before: bytes, after: bytes) -> None:
    assert derived_type(before).strip() == after.strip()
    assert len(derived_type(before)) % 2 == 0
