"""Edit path: which elements an edit means, as clients write it: a tag or keyword, a path into sequences, a wildcard.

`PatientID`, `0010,0020`, `0010-0020`, `00100020`; `ReferencedImageSequence[*].ReferencedSOPInstanceUID`, items from 0;
`0010,*`, `50xx,xxxx`, `00xx`. Knows no values.
"""

import re
from dataclasses import dataclass

from dicomweb_server.dicom.dictionary import public_vr, tags_by_keyword
from dicomweb_server.errors import Reason, ServerError

ANY_ITEM = -1
MAX_STEPS = 16
_MAX_NAME = 512
_TAG = re.compile(r"([0-9A-Fa-f]{1,4})[,-]([0-9A-Fa-f]{1,4})|([0-9A-Fa-f]{4})([0-9A-Fa-f]{4})", re.ASCII)
_WILDCARD = re.compile(r"([0-9A-Fa-fxX]{4})(?:[,-]?([0-9A-Fa-fxX]{4}|\*))?", re.ASCII)
_STEP = re.compile(r"([^\[\]]+)\[(\d{1,6}|\*)\]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Step:
    """A sequence on the way, and which of its items, from 0; `ANY_ITEM`: all of them."""

    tag: int
    item: int


@dataclass(frozen=True, slots=True)
class EditPath:
    """An element: the sequences that lead to it, from the top of the data set, and its own tag."""

    steps: tuple[Step, ...]
    tag: int

    def __str__(self) -> str:
        steps = [f"{tag_text(step.tag)}[{'*' if step.item == ANY_ITEM else step.item}]" for step in self.steps]
        return ".".join([*steps, tag_text(self.tag)])


@dataclass(frozen=True, slots=True)
class TagPattern:
    """All tags of the top level that agree with `value` in the bits of `mask`."""

    mask: int
    value: int

    def matches(self, tag: int) -> bool:
        """Whether a tag is one of them."""
        return tag & self.mask == self.value


def edit_path(name: str) -> EditPath:
    """The path that a name means; ServerError(BAD_REQUEST) if it has no meaning."""
    *steps, last = _bounded(name).split(".")
    if len(steps) > MAX_STEPS:
        raise _unknown(name, f"paths have at most {MAX_STEPS} sequences")
    return EditPath(tuple(_step(step, name) for step in steps), _tag(last, name))


def path_or_pattern(name: str) -> EditPath | TagPattern:
    """The same, but the name may be a wildcard too: what can be removed or kept."""
    match = _WILDCARD.fullmatch(_bounded(name))
    if match is None or (match[2] and _TAG.fullmatch(name)):
        return edit_path(name)
    digits = match[1] + ("xxxx" if match[2] in (None, "*") else match[2])
    mask = int("".join("0" if digit in "xX" else "F" for digit in digits), 16)
    return TagPattern(mask, int(digits.replace("x", "0").replace("X", "0"), 16))


def tag_text(tag: int) -> str:
    """A tag as people read it."""
    return f"{tag >> 16:04x},{tag & 0xFFFF:04x}"


def is_identifier(path: EditPath) -> bool:
    """Whether a path names what identifies patient, study, series or instance."""
    return not path.steps and path.tag in IDENTIFIERS


PATIENT_ID, STUDY_UID, SERIES_UID, INSTANCE_UID = 0x00100020, 0x0020000D, 0x0020000E, 0x00080018
IDENTIFIERS = {
    PATIENT_ID: "PatientID",
    STUDY_UID: "StudyInstanceUID",
    SERIES_UID: "SeriesInstanceUID",
    INSTANCE_UID: "SOPInstanceUID",
}


def _bounded(name: str) -> str:
    if len(name) > _MAX_NAME:
        raise ServerError(Reason.BAD_REQUEST, "the name of an attribute is too long")
    return name


def _step(text: str, name: str) -> Step:
    match = _STEP.fullmatch(text)
    if match is None:
        raise _unknown(name, "expected Sequence[n] or Sequence[*] before a dot")
    tag = _tag(match[1], name)
    if not tag >> 16 & 1 and public_vr(tag) not in ("SQ", "UN"):
        raise _unknown(name, f"{match[1]} is no sequence")
    return Step(tag, ANY_ITEM if match[2] == "*" else int(match[2]))


def _tag(text: str, name: str) -> int:
    match = _TAG.fullmatch(text)
    if match:
        return int(match[1] or match[3], 16) << 16 | int(match[2] or match[4], 16)
    known = tags_by_keyword().get(text)
    if known is None:
        raise _unknown(name, "expected a keyword, gggg,eeee or ggggeeee")
    return known


def _unknown(name: str, expected: str) -> ServerError:
    return ServerError(Reason.BAD_REQUEST, f"unknown DICOM tag {ascii(name)[:80]}: {expected}")
