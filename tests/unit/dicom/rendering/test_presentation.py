"""Presentation states and segmentations, made here to say what must come of them."""

from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from dicomweb_server.dicom.data_set import DataSet, data_set_of
from dicomweb_server.dicom.header import open_part10
from dicomweb_server.dicom.rendering.graphics import with_graphics, with_shutter
from dicomweb_server.dicom.rendering.grayscale import Rescale
from dicomweb_server.dicom.rendering.presentation_state import (
    Orientation,
    ReferencedImage,
    displayed_area,
    orientation_of,
    presented_grayscale,
    referenced_images,
)
from dicomweb_server.dicom.rendering.segmentation import (
    SegmentFrame,
    frames_beside,
    segment_colours,
    segment_frames,
    source_image,
    with_segments,
)
from dicomweb_server.dicom.rendering.window import Window
from tests.builders import make_dataset, write_part10

IMAGE = "1.2.3.4"


def item(**attributes: Any) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def opened(**attributes: Any) -> DataSet:
    return data_set_of(open_part10(write_part10(make_dataset(**attributes))))


def image_reference(uid: str = IMAGE, **attributes: Any) -> Dataset:
    return item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=uid, **attributes)


def test_the_images_of_a_state() -> None:
    series = item(SeriesInstanceUID="1.2", ReferencedImageSequence=[image_reference(ReferencedFrameNumber=[2, 3])])
    assert list(referenced_images(opened(ReferencedSeriesSequence=[series]))) == [ReferencedImage("1.2", IMAGE, (2, 3))]


def test_the_window_of_each_image() -> None:
    state = opened(
        RescaleSlope=2,
        RescaleIntercept=1,
        PresentationLUTShape="INVERSE",
        SoftcopyVOILUTSequence=[
            item(ReferencedImageSequence=[image_reference("1.2.9")], WindowCenter=1, WindowWidth=2),
            item(ReferencedImageSequence=[image_reference(ReferencedFrameNumber=2)], WindowCenter=30, WindowWidth=40),
        ],
    )
    second = presented_grayscale(state, IMAGE, 2)
    assert (second.modality, second.voi, second.inverse) == (Rescale(2, 1), Window(30, 40), True)
    assert presented_grayscale(state, IMAGE, 1).voi is None


def test_orientation_and_area() -> None:
    state = opened(
        ImageHorizontalFlip="Y",
        ImageRotation=270,
        DisplayedAreaSelectionSequence=[
            item(DisplayedAreaTopLeftHandCorner=[3, 2], DisplayedAreaBottomRightHandCorner=[6, 4])
        ],
    )
    assert orientation_of(state) == Orientation(270, flip=True)
    assert displayed_area(state, IMAGE, 1) == (2, 1, 6, 4)
    assert displayed_area(opened(), IMAGE, 1) is None


def test_graphics_are_drawn_where_they_are_said_to_be() -> None:
    line = item(
        GraphicAnnotationUnits="PIXEL", GraphicDimensions=2, NumberOfGraphicPoints=2, GraphicData=[1, 10, 60, 10],
        GraphicType="POLYLINE", GraphicFilled="N",
    )  # fmt: skip
    text = item(
        AnchorPointAnnotationUnits="DISPLAY",
        AnchorPoint=[0.5, 0.5],
        UnformattedTextValue="x",
        BoundingBoxTopLeftHandCorner=None,
    )
    state = opened(
        GraphicAnnotationSequence=[
            item(ReferencedImageSequence=[image_reference()], GraphicObjectSequence=[line], TextObjectSequence=[text]),
            item(ReferencedImageSequence=[image_reference("9.9")], GraphicObjectSequence=[line]),
        ]
    )
    drawn = np.asarray(with_graphics(Image.new("L", (64, 64)), state, IMAGE, 1))
    assert drawn[9, 5].tolist() == [255, 220, 0]
    assert not drawn[20].any()
    assert drawn[32:].any()
    assert with_graphics(Image.new("L", (64, 64)), state, "8.8", 1).mode == "L"


@pytest.mark.parametrize(
    ("attributes", "covered", "open_point"),
    [
        (
            {
                "ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": 5, "ShutterRightVerticalEdge": 10,
                "ShutterUpperHorizontalEdge": 5, "ShutterLowerHorizontalEdge": 10,
            },
            (0, 0),
            (6, 6),
        ),
        ({"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [8, 8], "RadiusOfCircularShutter": 3}, (0, 0), (7, 7)),
        ({"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [1, 1, 1, 9, 9, 1]}, (15, 15), (2, 2)),
    ],
)  # fmt: skip
def test_shutters(attributes: dict[str, Any], covered: tuple[int, int], open_point: tuple[int, int]) -> None:
    shut = with_shutter(Image.new("L", (16, 16), 200), opened(**attributes))
    assert (shut.getpixel(covered), shut.getpixel(open_point)) == (0, 200)


def frame_groups(segment: int, source: str) -> Dataset:
    return item(
        SegmentIdentificationSequence=[item(ReferencedSegmentNumber=segment)],
        DerivationImageSequence=[item(SourceImageSequence=[image_reference(source)])],
    )


def segmentation(**changed: Any) -> DataSet:
    segments = [item(SegmentNumber=1, RecommendedDisplayCIELabValue=[34885, 53485, 50171]), item(SegmentNumber=2)]
    attributes: dict[str, Any] = {
        "SegmentationType": "BINARY",
        "SegmentSequence": segments,
        "ReferencedSeriesSequence": [item(SeriesInstanceUID="1.5", ReferencedInstanceSequence=[image_reference()])],
        "PerFrameFunctionalGroupsSequence": [frame_groups(1, IMAGE), frame_groups(1, "9.9"), frame_groups(2, IMAGE)],
    }
    return opened(**attributes | changed)


def test_segments_on_the_same_image_belong_together() -> None:
    frames = segment_frames(segmentation())
    assert [frame.number for frame in frames_beside(frames, 1)] == [1, 3]
    assert [frame.number for frame in frames_beside(frames, 2)] == [2]
    assert frames_beside(frames, 9) == [SegmentFrame(9, 1)]
    assert source_image(segmentation(), frames[0]) == ReferencedImage("1.5", IMAGE, (1,))


def test_recommended_colours() -> None:
    red, green, blue = segment_colours(segmentation())[1]
    assert red > 245  # the Lab value of pure red
    assert max(green, blue) < 30


def test_segments_are_laid_over_the_image() -> None:
    mask = np.array([[1, 0]], dtype=np.uint8)
    shown = with_segments(np.full((1, 2), 100, np.uint8), segmentation(), [(SegmentFrame(1, 1), mask)])
    assert shown[0, 1].tolist() == [100, 100, 100]
    assert shown[0, 0, 0] > 150
    assert shown[0, 0, 2] < 100


def test_fractions_and_label_maps() -> None:
    black = np.zeros((1, 3), np.uint8)
    half = np.array([[0, 50, 100]], dtype=np.uint8)
    fractional = segmentation(SegmentationType="FRACTIONAL", MaximumFractionalValue=100)
    shown = with_segments(black, fractional, [(SegmentFrame(1, 1), half)])[0, :, 0].astype(int)
    assert shown[0] == 0
    assert shown[1] * 2 == pytest.approx(shown[2], abs=2)
    labels = np.array([[0, 1, 2]], dtype=np.uint8)
    shown = with_segments(black, segmentation(SegmentationType="LABELMAP"), [(SegmentFrame(1, 0), labels)])
    assert not shown[0, 0].any()
    assert (shown[0, 1] != shown[0, 2]).any()
