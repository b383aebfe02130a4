"""What an instance says of itself when its pixels lost something, in its functional groups too."""

from typing import Any

import pytest
from pydicom.dataset import Dataset

from dicomweb_server.dicom.pixels.encode import Target
from dicomweb_server.dicom.pixels.lossy import derived_type, with_instance_uid
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


def source_of(dataset: Dataset) -> tuple[str, str, str]:
    (source,) = dataset.SourceImageSequence
    (purpose,) = source.PurposeOfReferenceCodeSequence
    return source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID, purpose.CodeValue


@pytest.mark.parametrize("syntax", NATIVE)
def test_a_copy_names_what_it_was_made_of(syntax: str) -> None:
    """PS3.3 §C.12.4; what is lost in a second step is lost of what was compressed already."""
    original = make_instance(transfer_syntax_uid=syntax, rows=32, columns=32)
    first = transcode(original, Target(JPEG_2000, 50))
    made = read(first)
    assert source_of(made) == (made.SOPClassUID, read(original).SOPInstanceUID, "121320")
    assert [code.CodeValue for code in made.DerivationCodeSequence] == ["113040"]
    again = read(transcode(first, Target("1.2.840.10008.1.2.4.81", 50)))
    assert source_of(again) == source_of(made)
    lossy = make_instance(rows=32, columns=32, LossyImageCompressionMethod="ISO_10918_1", LossyImageCompression="01")
    assert source_of(read(transcode(lossy, Target(JPEG_2000, 50))))[2] == "121322"
    assert "SourceImageSequence" not in read(transcode(original, Target(JPEG_2000_LOSSLESS)))


def test_no_copy_is_its_own_source() -> None:
    """Where it gets the UID of the original, since it takes its place."""
    original = make_instance(rows=32, columns=32)
    uid = read(original).SOPInstanceUID
    made = transcode(original, Target(JPEG_2000, 50))
    replaced = read(with_instance_uid(made, uid))
    assert (replaced.SOPInstanceUID, "SourceImageSequence" in replaced) == (uid, False)
    other = read(with_instance_uid(made, "1.2.3"))
    assert (other.SOPInstanceUID, source_of(other)[1]) == ("1.2.3", uid)
    assert with_instance_uid(made, read(made).SOPInstanceUID) == made


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("undefined", [True, False])
def test_functional_groups_name_it_in_their_place(syntax: str, undefined: bool) -> None:
    """PS3.3 §C.7.6.16.2.6: in the shared ones, and where to find it beside them."""
    shared = group(ORIGINAL)
    shared.is_undefined_length_sequence_item = undefined
    attributes: dict[str, Any] = {"SharedFunctionalGroupsSequence": [shared], "StudyInstanceUID": "1.2.3"}
    original = make_instance(transfer_syntax_uid=syntax, rows=32, columns=32, **attributes)
    made = read(transcode(original, Target(JPEG_2000, 50)))
    assert "SourceImageSequence" not in made
    (groups,) = made.SharedFunctionalGroupsSequence
    assert [element.tag for element in groups] == sorted(element.tag for element in groups)
    assert frame_types(made) == [["DERIVED", *ORIGINAL[1:]]]
    (derivation,) = groups.DerivationImageSequence
    uid = read(original).SOPInstanceUID
    assert source_of(derivation) == (made.SOPClassUID, uid, "121320")
    assert derivation.DerivationCodeSequence[0].CodeValue == "113040"
    (evidence,) = made.SourceImageEvidenceSequence
    (series,) = evidence.ReferencedSeriesSequence
    assert (evidence.StudyInstanceUID, series.SeriesInstanceUID) == ("1.2.3", made.SeriesInstanceUID)
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == uid


def test_what_functional_groups_say_already_stays() -> None:
    told = group(ORIGINAL)
    told.DerivationImageSequence = []
    for attributes in (
        {"SharedFunctionalGroupsSequence": [told]},
        {"SharedFunctionalGroupsSequence": [group(ORIGINAL)], "PerFrameFunctionalGroupsSequence": [told]},
        {"PerFrameFunctionalGroupsSequence": [group(ORIGINAL)]},
    ):
        more: dict[str, Any] = dict(attributes)
        made = read(transcode(make_instance(rows=32, columns=32, **more), Target(JPEG_2000, 50)))
        assert "SourceImageEvidenceSequence" not in made
        assert all(not element.value for element in made.iterall() if element.keyword == "DerivationImageSequence")
        assert {value[0] for value in frame_types(made)} == {"DERIVED"}


def test_no_enhanced_copy_is_its_own_source() -> None:
    attributes: dict[str, Any] = {"SharedFunctionalGroupsSequence": [group(ORIGINAL)]}
    original = make_instance(rows=32, columns=32, **attributes)
    uid = read(original).SOPInstanceUID
    made = transcode(original, Target(JPEG_2000, 50))
    replaced = read(with_instance_uid(made, uid))
    assert "SourceImageEvidenceSequence" not in replaced
    assert "DerivationImageSequence" not in replaced.SharedFunctionalGroupsSequence[0]
    assert replaced.SOPInstanceUID == uid


def test_what_is_no_text_in_a_photometric_interpretation_is_left_out() -> None:
    """Found by fuzzing."""
    data = make_instance(rows=32, columns=32).replace(b"MONOCHROME2 ", b"MONO\0CHR\xff2  ")
    assert read(transcode(data, Target(JPEG_2000, 50))).PhotometricInterpretation == "MONOCHR2"
