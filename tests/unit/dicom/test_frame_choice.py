"""Which frames a request wants (PS3.4 §Y.3.2), and when they were (§Y.3.2.1.3)."""

from typing import Any

import pytest
from pydicom.dataset import Dataset

from dicomweb_server.dicom.data_set import data_set_of
from dicomweb_server.dicom.frame_choice import (
    CALCULATED_LIST,
    SIMPLE_LIST,
    TIME_RANGE,
    FrameChoice,
    FrameProblem,
    FrameProblemError,
)
from dicomweb_server.dicom.frame_times import frame_times
from dicomweb_server.dicom.header import read_header
from tests.builders import make_instance

ALL, TIMES = 0xFFFFFFFF, [0.0, 0.5, 1.0, 1.5]


@pytest.mark.parametrize(
    ("tag", "values", "expected"),
    [
        (SIMPLE_LIST, (2,), [2]),
        (SIMPLE_LIST, (1, 3, 10), [1, 3, 10]),
        (SIMPLE_LIST, (9, 11, 4000000000), [9]),
        (CALCULATED_LIST, (1, 10, 3), [1, 4, 7, 10]),
        (CALCULATED_LIST, (2, ALL, 4), [2, 6, 10]),
        (CALCULATED_LIST, (1, 2, 1, 5, 6, 1), [1, 2, 5, 6]),
        (CALCULATED_LIST, (1, 2, 1, 50, 60, 1), [1, 2]),
        (CALCULATED_LIST, (3, 3, 1), [3]),
        (TIME_RANGE, (0.5, 1.0), [2, 3]),
        (TIME_RANGE, (-1.0, 0.2), [1]),
    ],
)
def test_frames(tag: int, values: tuple[float, ...], expected: list[int]) -> None:
    assert FrameChoice(tag, values).frames(10, TIMES) == expected


@pytest.mark.parametrize(
    ("tag", "values", "times", "problem"),
    [
        (SIMPLE_LIST, (11,), TIMES, FrameProblem.NONE_FOUND),
        (CALCULATED_LIST, (11, ALL, 1), TIMES, FrameProblem.NONE_FOUND),
        (TIME_RANGE, (1.6, 9.0), TIMES, FrameProblem.NONE_FOUND),
        (SIMPLE_LIST, (), TIMES, FrameProblem.INVALID),
        (SIMPLE_LIST, (0,), TIMES, FrameProblem.INVALID),
        (SIMPLE_LIST, (1, 1), TIMES, FrameProblem.INVALID),
        (SIMPLE_LIST, (2, 1), TIMES, FrameProblem.INVALID),
        (CALCULATED_LIST, (1, 2), TIMES, FrameProblem.INVALID),
        (CALCULATED_LIST, (1, 2, 0), TIMES, FrameProblem.INVALID),
        (CALCULATED_LIST, (3, 2, 1), TIMES, FrameProblem.INVALID),
        (CALCULATED_LIST, (1, 5, 1, 5, 6, 1), TIMES, FrameProblem.INVALID),
        (TIME_RANGE, (1.0, 0.5), TIMES, FrameProblem.INVALID),
        (TIME_RANGE, (1.0,), TIMES, FrameProblem.INVALID),
        (TIME_RANGE, (float("nan"), 1.0), TIMES, FrameProblem.INVALID),
        (TIME_RANGE, (0.0, 1.0), [], FrameProblem.NOT_TIMED),
    ],
)
def test_what_cannot_be_wanted(tag: int, values: tuple[float, ...], times: list[float], problem: FrameProblem) -> None:
    with pytest.raises(FrameProblemError) as raised:
        FrameChoice(tag, values).frames(10, times)
    assert raised.value.problem is problem


def timed(moment: str | None, keyword: str = "FrameReferenceDateTime") -> Dataset:
    """The functional groups of a frame."""
    item, content = Dataset(), Dataset()
    if moment is not None:
        setattr(content, keyword, moment)
        item.FrameContentSequence = [content]
    return item


BEGIN = {"ContentDate": "20290101", "ContentTime": "235959.5"}


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, []),
        ({"FrameTime": "40"}, [0, 0.04, 0.08]),
        ({"FrameTimeVector": ["0", "40", "60"], "FrameTime": "1"}, [0, 0.04, 0.1]),
        ({"FrameTimeVector": ["0", "40"]}, []),
        (
            BEGIN
            | {
                "PerFrameFunctionalGroupsSequence": [
                    timed("20290101235959.500000"),
                    timed("20290102000000.25+0100"),
                    timed("20290102000001", "FrameAcquisitionDateTime"),
                ]
            },
            [0, 0.75, 1.5],
        ),
        (BEGIN | {"PerFrameFunctionalGroupsSequence": [timed("20290102")] * 3}, []),
        (BEGIN | {"PerFrameFunctionalGroupsSequence": [timed(None)] * 3}, []),
        (BEGIN | {"PerFrameFunctionalGroupsSequence": [timed("20290102000001")] * 2}, []),
        ({"PerFrameFunctionalGroupsSequence": [timed("20290102000001")] * 3, "ContentDate": None}, []),
    ],
)
def test_times(attributes: dict[str, Any], expected: list[float]) -> None:
    file = make_instance(frames=3, **attributes)
    assert frame_times(data_set_of(read_header(file)), 3) == pytest.approx(expected)
