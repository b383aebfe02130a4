"""Instances of some frames of others (PS3.4 §Y.3.3, PS3.3 §C.12.3), read by pydicom."""

from io import BytesIO
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from dicomweb_server.dicom import frame_extraction
from dicomweb_server.dicom.frame_choice import (
    CALCULATED_LIST,
    SIMPLE_LIST,
    TIME_RANGE,
    FrameChoice,
    FrameProblem,
    FrameProblemError,
)
from dicomweb_server.dicom.frame_extraction import extraction
from dicomweb_server.dicom.header import read_header
from dicomweb_server.errors import Reason, ServerError
from tests.builders import fake_jpeg, make_encapsulated, make_instance

NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)


def made(file: bytes, *values: float, tag: int = SIMPLE_LIST) -> Any:
    new = extraction(read_header(file), FrameChoice(tag, values))
    data = b"".join(new.file)
    assert len(data) == new.file.size
    bare = b"".join(new.made)
    assert data.endswith(bare)
    assert len(bare) == new.made.size
    dataset = dcmread(BytesIO(data))
    assert dataset.file_meta.TransferSyntaxUID == new.transfer_syntax_uid
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID == new.instance_uid
    return dataset


def item(**attributes: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize(("bits", "rows"), [(8, 8), (8, 3), (16, 5), (1, 8), (1, 3)])
def test_native_frames(syntax: str, bits: int, rows: int) -> None:
    file = make_instance(transfer_syntax_uid=syntax, frames=5, bits_allocated=bits, rows=rows, columns=5)
    new, source = made(file, 2, 5), dcmread(BytesIO(file))
    assert new.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert new.NumberOfFrames == 2
    assert (pixel_array(new) == pixel_array(source)[[1, 4]]).all()
    assert len(new.PixelData) % 2 == 0
    told = {"SOPInstanceUID", "NumberOfFrames", "PixelData", "FrameExtractionSequence", "ContributingEquipmentSequence"}
    others = [each.keyword for each in source if each.keyword not in told]
    assert [new[keyword] for keyword in others] == [source[keyword] for keyword in others]
    assert {each.keyword for each in new} == told | set(others)


@pytest.mark.parametrize("more", [{}, {"fragments_per_frame": 2}, {"extended_offset_table": True}])
def test_compressed_frames_stay_as_they_are(more: dict[str, Any]) -> None:
    frames = [fake_jpeg(bytes([number]) * (10 + number)) for number in range(5)]
    new = made(make_encapsulated(frames, **more), 1, 4)
    assert list(generate_frames(new.PixelData, number_of_frames=2)) == [frames[0], frames[3]]
    assert "ExtendedOffsetTable" not in new


@pytest.mark.parametrize(
    ("tag", "values"), [(SIMPLE_LIST, (1, 3)), (CALCULATED_LIST, (1, 3, 2)), (TIME_RANGE, (0.0, 0.05))]
)
def test_what_it_says_of_its_source(tag: int, values: tuple[float, ...]) -> None:
    file = make_instance(frames=3, FrameTime="40")
    (told,) = made(file, *values, tag=tag).FrameExtractionSequence
    assert told.MultiFrameSourceSOPInstanceUID == dcmread(BytesIO(file)).SOPInstanceUID
    assert tuple(told[tag].value) == values
    assert len(told) == 2


@pytest.mark.parametrize("syntax", NATIVE)
def test_what_was_told_before_stays(syntax: str) -> None:
    earlier, scanner = item(MultiFrameSourceSOPInstanceUID="1.2.3", SimpleFrameList=[1, 2]), item(Manufacturer="X")
    file = make_instance(
        frames=2,
        transfer_syntax_uid=syntax,
        FrameExtractionSequence=[earlier],
        ContributingEquipmentSequence=[scanner],
    )
    new = made(file, 1)
    assert [each.MultiFrameSourceSOPInstanceUID for each in new.FrameExtractionSequence] == [
        "1.2.3",
        dcmread(BytesIO(file)).SOPInstanceUID,
    ]
    assert new.ContributingEquipmentSequence[0] == scanner
    purpose = new.ContributingEquipmentSequence[1].PurposeOfReferenceCodeSequence[0]
    assert (purpose.CodeValue, purpose.CodingSchemeDesignator) == ("109105", "DCM")


def test_the_same_frames_are_the_same_instance() -> None:
    file = make_instance(frames=3)
    assert made(file, 1, 2).SOPInstanceUID == made(file, 1, 2).SOPInstanceUID
    assert len({made(file, *values).SOPInstanceUID for values in ((1,), (2,), (1, 2))}) == 3


@pytest.mark.parametrize("syntax", NATIVE)
def test_functional_groups_of_the_frames_that_are_left(syntax: str) -> None:
    groups = [item(FrameVOILUTSequence=[item(WindowCenter=number, WindowWidth=1)]) for number in range(4)]
    new = made(make_instance(frames=4, transfer_syntax_uid=syntax, PerFrameFunctionalGroupsSequence=groups), 2, 4)
    assert list(new.PerFrameFunctionalGroupsSequence) == [groups[1], groups[3]]


def test_times_of_frames() -> None:
    begin: dict[str, Any] = {"ContentDate": "20290101", "ContentTime": "235959.98"}
    even = made(make_instance(frames=6, FrameTime="40", FrameIncrementPointer=0x00181063, **begin), 2, 4, 6)
    assert (even.FrameTime, even.ContentDate, even.ContentTime) == (80, "20290102", "000000.020000")
    first = made(make_instance(frames=6, FrameTime="40", **begin), 1)
    assert (first.FrameTime, first.ContentTime) == (40, "235959.98")
    uneven = made(make_instance(frames=6, FrameTime="40", FrameIncrementPointer=0x00181063), 1, 2, 5)
    assert "FrameTime" not in uneven
    assert (uneven.FrameTimeVector, uneven.FrameIncrementPointer) == ([0, 40, 120], 0x00181065)
    assert made(make_instance(frames=4, FrameTime="40"), 1, 2, 4).FrameTimeVector == [0, 40, 80]
    vector = made(make_instance(frames=4, FrameTimeVector=["0", "10", "20", "30"]), 2, 4)
    assert vector.FrameTimeVector == [0, 50]
    late = made(make_instance(frames=2, FrameTime="9e15", ContentDate="99991231", ContentTime="000000"), 2)
    assert late.ContentDate == "99991231"


def test_what_refers_to_frames() -> None:
    attributes: dict[str, Any] = {
        "RepresentativeFrameNumber": 3,
        "RecommendedViewingMode": "SUB",
        "StartTrim": "1",
        "MaskSubtractionSequence": [item(MaskOperation="NONE")],
        "FrameIncrementPointer": [0x00182002, 0x00181063],
        "FrameLabelVector": ["A", "B", "C"],
        "FrameTime": "40",
    }
    file = make_instance(frames=3, **attributes)
    new = made(file, 1, 3)
    assert (new.RepresentativeFrameNumber, new.RecommendedViewingMode, new.FrameLabelVector) == (2, "NAT", ["A", "C"])
    assert "StartTrim" not in new
    assert "MaskSubtractionSequence" not in new
    assert "RepresentativeFrameNumber" not in made(file, 1, 2)


def test_private_attributes_are_left_out() -> None:
    dataset = dcmread(BytesIO(make_instance(frames=2)))
    dataset.private_block(0x0009, "OURS", create=True).add_new(1, "LO", "of all frames")
    buffer = BytesIO()
    dataset.save_as(buffer)
    assert not any(each.tag.is_private for each in made(buffer.getvalue(), 1))


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"Rows": None}, FrameProblem.NOT_EXTRACTED),
        ({"NumberOfFrames": 4}, FrameProblem.NOT_EXTRACTED),
        ({"DimensionOrganizationType": "TILED_FULL"}, FrameProblem.NO_NEW_OBJECT),
        ({"PerFrameFunctionalGroupsSequence": [Dataset()]}, FrameProblem.NO_NEW_OBJECT),
        ({"GridFrameOffsetVector": ["0", "1", "2"]}, FrameProblem.NO_NEW_OBJECT),
        ({"FrameIncrementPointer": 0x00540080, "SliceVector": [1, 2, 3]}, FrameProblem.NO_NEW_OBJECT),
        ({"FrameIncrementPointer": 0x00182002, "FrameLabelVector": ["A"]}, FrameProblem.NO_NEW_OBJECT),
    ],
)
def test_what_cannot_be_extracted(attributes: dict[str, Any], problem: FrameProblem) -> None:
    with pytest.raises(FrameProblemError) as raised:
        made(make_instance(**({"frames": 3} | attributes)), 1)
    assert raised.value.problem is problem


def test_no_frames_of_documents_videos_and_what_has_overlays_or_unknown_sequences() -> None:
    overlaid = dcmread(BytesIO(make_instance(frames=2)))
    overlaid.add_new(0x60000015, "IS", "2")
    buffer = BytesIO()
    overlaid.save_as(buffer)
    told = make_instance(frames=2, FrameExtractionSequence=[item(SimpleFrameList=[1])])
    head = b"\x08\x00\x64\x11SQ"
    assert told.count(head) == 1
    unknown = told.replace(head, b"\x08\x00\x64\x11UN")
    video = make_encapsulated([b"\0" * 100], transfer_syntax_uid=MPEG2MPML)
    problems = []
    for file in (buffer.getvalue(), unknown, video, make_instance(PixelData=None)):
        with pytest.raises(FrameProblemError) as raised:
            made(file, 1)
        problems.append(raised.value.problem)
    assert problems == [FrameProblem.NO_NEW_OBJECT] * 2 + [FrameProblem.NOT_EXTRACTED] * 2


@pytest.mark.parametrize("limit", ["MOST_BYTES", "MOST_COPIED"])
def test_limits(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(frame_extraction, limit, 200)
    file = make_instance(frames=3, transfer_syntax_uid=ExplicitVRBigEndian)
    assert made(file, 1).NumberOfFrames == 1
    with pytest.raises(ServerError) as raised:
        made(file, 1, 2)
    assert raised.value.reason is Reason.TOO_LARGE
