"""C-MOVE and C-GET of frames: which are named, as the one new instance that is sent (PS3.4 annex Y)."""

from collections.abc import Sequence
from dataclasses import replace

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.frame_choice import (
    CALCULATED_LIST,
    SIMPLE_LIST,
    TIME_RANGE,
    FrameChoice,
    FrameProblem,
    FrameProblemError,
)
from dicomweb_server.dimse.identifiers import UNIQUE_KEYS, Identifier
from dicomweb_server.dimse.retrieval import instances_of, named_scopes
from dicomweb_server.dimse.session import Operation
from dicomweb_server.services.sendable import ExtractedInstance

FRAME_LEVEL = "FRAME"
_KEYS = (SIMPLE_LIST, CALCULATED_LIST, TIME_RANGE)
_LARGEST = 0xFFFFFFFF  # of VR UL


async def extracted_frames(operation: Operation, identifier: Identifier) -> Sequence[ExtractedInstance]:
    """The instance of the frames; ServerError says why there is none."""
    terms, choice = operation.terms, frame_choice(identifier)
    if len(identifier.values(UNIQUE_KEYS[Level.INSTANCE])) != 1:
        raise FrameProblemError(FrameProblem.INVALID, "expected one SOP Instance UID")
    of_instance = replace(identifier, level="IMAGE")
    scopes = await named_scopes(
        of_instance, (Level.INSTANCE,), terms.services, relational=False, view=terms.options.view
    )
    instances = await instances_of(scopes, terms.services)
    if not instances:
        raise FrameProblemError(FrameProblem.NONE_FOUND)
    return [await terms.services.extraction.extracted(instances[0], choice)]


def frame_choice(identifier: Identifier) -> FrameChoice:
    """By the one key that there must be (PS3.4 table Y.6-2); FrameProblemError."""
    keys = [key.tag for key in identifier.keys if key.tag in _KEYS]
    if len(keys) != 1:
        raise FrameProblemError(FrameProblem.INVALID, "expected one of Simple and Calculated Frame List and Time Range")
    tag, values = keys[0], identifier.values(keys[0])
    try:
        numbers = tuple(map(float if tag == TIME_RANGE else int, values))
    except ValueError:
        raise FrameProblemError(FrameProblem.INVALID) from None
    if tag != TIME_RANGE and not all(0 < number <= _LARGEST for number in numbers):
        raise FrameProblemError(FrameProblem.INVALID)
    return FrameChoice(tag, numbers)
