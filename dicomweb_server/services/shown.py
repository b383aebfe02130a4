"""Shown: what can be shown of a stored instance, by its kind."""

from dataclasses import dataclass
from enum import Enum

from dicomweb_server.dicom.frames import FrameIndex
from dicomweb_server.dicom.rendering.presentation_state import PRESENTATION_STATES
from dicomweb_server.dicom.rendering.segmentation import SEGMENTATIONS
from dicomweb_server.ports.index import StoredInstance

_STORAGE = "1.2.840.10008.5.1.4.1.1."


class Kind(Enum):
    """What can be shown of an instance; the value is what its icon says."""

    IMAGE = "IMG"
    SEGMENTATION = "SEG"
    PRESENTATION_STATE = "PR"
    VIDEO = "VIDEO"
    DOCUMENT = "DOC"
    REPORT = "SR"
    WAVEFORM = "WAVE"
    OTHER = "DICOM"


def kind_of(instance: StoredInstance) -> Kind:
    """By its SOP class, and by whether it has frames."""
    below = instance.sop_class_uid.removeprefix(_STORAGE)
    if instance.sop_class_uid in PRESENTATION_STATES:
        return Kind.PRESENTATION_STATE
    for prefix, kind in (("104.", Kind.DOCUMENT), ("88.", Kind.REPORT), ("9.", Kind.WAVEFORM)):
        if below.startswith(prefix) and below != instance.sop_class_uid:
            return kind
    frames = FrameIndex.unpack(instance.frames)
    if frames.video:
        return Kind.VIDEO
    if not frames.tag:
        return Kind.OTHER
    return Kind.SEGMENTATION if instance.sop_class_uid in SEGMENTATIONS else Kind.IMAGE


@dataclass(frozen=True, slots=True)
class Shown:
    """An instance, and which of its frames are to be shown; none: what has no frames.

    `as_tiles`: the frames are tiles of one picture.
    """

    instance: StoredInstance
    frames: tuple[int, ...] = ()
    as_tiles: bool = False
