"""PURE: which frames of an instance a request wants: by a list, by ranges, or by time (PS3.4 §Y.3.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from dicomweb_server.errors import Reason, ServerError

SIMPLE_LIST, CALCULATED_LIST, TIME_RANGE = 0x00081161, 0x00081162, 0x00081163


class FrameProblem(Enum):
    """Why no instance is made of frames of another one; in the words of PS3.4 §Y.4."""

    NONE_FOUND = "none of the frames that are wanted are there"
    NO_NEW_OBJECT = "no instance can be made of frames of this one"
    NOT_EXTRACTED = "its frames cannot be extracted"
    NOT_TIMED = "its frames have no times"
    INVALID = "expected frame numbers from 1 on, ranges or times, in ascending order"


_REASONS: Mapping[FrameProblem, Reason] = {
    FrameProblem.NONE_FOUND: Reason.NOT_FOUND,
    FrameProblem.NO_NEW_OBJECT: Reason.NOT_ACCEPTABLE,
    FrameProblem.NOT_EXTRACTED: Reason.NOT_ACCEPTABLE,
    FrameProblem.NOT_TIMED: Reason.NOT_ACCEPTABLE,
    FrameProblem.INVALID: Reason.BAD_REQUEST,
}


class FrameProblemError(ServerError):
    """Frames that cannot be had."""

    def __init__(self, problem: FrameProblem, detail: str = "") -> None:
        self.problem = problem
        super().__init__(_REASONS[problem], detail or problem.value)


@dataclass(frozen=True, slots=True)
class FrameChoice:
    """`tag`: of the key that names frames; `values`: as many as it has."""

    tag: int
    values: tuple[float, ...]

    def frames(self, count: int, times: Sequence[float]) -> list[int]:
        """The numbers of the frames, from 1 on, of `count`; FrameProblemError.

        `times`: of each frame, in seconds since the Content Time; none if they are not known.
        """
        found = self._timed(times) if self.tag == TIME_RANGE else self._numbered(count)
        if not found:
            raise FrameProblemError(FrameProblem.NONE_FOUND)
        return found

    def _numbered(self, count: int) -> list[int]:
        numbers = [int(value) for value in self.values]
        if self.tag == SIMPLE_LIST:
            ranges = [range(number, number + 1) for number in numbers]
        elif len(numbers) % 3:
            raise FrameProblemError(FrameProblem.INVALID)
        else:
            triples = list(zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True))
            if any(last < first or step < 1 for first, last, step in triples):
                raise FrameProblemError(FrameProblem.INVALID)
            # The upper limit may be beyond the last frame, and FFFFFFFF is.
            ranges = [range(first, min(last, max(count, first)) + 1, step) for first, last, step in triples]
        if not ranges or ranges[0].start < 1 or any(one[-1] >= other.start for one, other in pairwise(ranges)):
            raise FrameProblemError(FrameProblem.INVALID)
        return [number for each in ranges for number in each if number <= count]

    def _timed(self, times: Sequence[float]) -> list[int]:
        if len(self.values) != 2 or not self.values[0] <= self.values[1]:
            raise FrameProblemError(FrameProblem.INVALID)
        if not times:
            raise FrameProblemError(FrameProblem.NOT_TIMED)
        start, end = self.values
        return [number for number, time in enumerate(times, 1) if start <= time <= end]
