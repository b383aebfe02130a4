"""FrameAttributes: the macros of one frame, from its functional groups, the shared ones, or the data set itself."""

from dataclasses import dataclass

from dicomweb_server.dicom.data_set import DataSet

_SHARED, _PER_FRAME = 0x52009229, 0x52009230


@dataclass(frozen=True, slots=True)
class FrameAttributes:
    """One frame of an instance."""

    data_set: DataSet
    per_frame: DataSet | None = None
    shared: DataSet | None = None

    def macro(self, sequence: int) -> DataSet | None:
        """The item of a functional group (PS3.3 §C.7.6.16)."""
        for group in (self.per_frame, self.shared):
            item = group.item(sequence) if group is not None and sequence in group else None
            if item is not None:
                return item
        return None

    def either(self, sequence: int, tag: int) -> DataSet:
        """Where an attribute is: in the functional group, or, as in images of old, in the data set itself."""
        item = self.macro(sequence)
        return item if item is not None and tag in item else self.data_set


def frame_attributes(data_set: DataSet, frame_number: int) -> FrameAttributes:
    """What applies to a frame, counted from 1."""
    return FrameAttributes(data_set, data_set.item(_PER_FRAME, frame_number), data_set.item(_SHARED))
