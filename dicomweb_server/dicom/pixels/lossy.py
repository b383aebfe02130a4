"""What an instance says of itself when its pixels lost something (PS3.3 §C.7.6.1.1.5): ratio, method, new UID."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from dicomweb_server.dicom.data_set import data_set_of
from dicomweb_server.dicom.elements import walk
from dicomweb_server.dicom.header import Header, read_header
from dicomweb_server.dicom.part10 import MEDIA_STORAGE_SOP_INSTANCE_UID
from dicomweb_server.dicom.pixels.description import PixelDescription
from dicomweb_server.dicom.pixels.encode import Target
from dicomweb_server.dicom.pixels.source_image import (
    DERIVATION_CODES,
    DERIVATION_IMAGES,
    PER_FRAME_GROUPS,
    SHARED_GROUPS,
    SOURCE_EVIDENCE,
    SOURCE_IMAGES,
    derivation_codes,
    derivation_image,
    source_evidence,
    source_images,
)
from dicomweb_server.dicom.reencode import Changes, InnerChanges, NewElement, padded_element, reencode
from dicomweb_server.dicom.value_field import padded

_IMAGE_TYPE, _DERIVATION, _FRAME_TYPE = 0x00080008, 0x00082111, 0x00089007
_CLASS_UID, _INSTANCE_UID = 0x00080016, 0x00080018
_LOSSY, _RATIO, _METHOD, _PIXELS = 0x00282110, 0x00282112, 0x00282114, 0x7FE00000
_STUDY_UID, _SERIES_UID = 0x0020000D, 0x0020000E
_WANTED = frozenset({_IMAGE_TYPE, _CLASS_UID, _INSTANCE_UID, _STUDY_UID, _SERIES_UID, _RATIO, _METHOD})
_TOLD = frozenset({SOURCE_IMAGES, DERIVATION_CODES, SOURCE_EVIDENCE})
_GROUPS = frozenset({SHARED_GROUPS, PER_FRAME_GROUPS})


@dataclass(frozen=True, slots=True)
class Loss:
    """By which method frames lost something, how many bytes they have now, and how many they are."""

    method: str
    size: int
    frames: int


def lossy_changes(
    header: Header, description: PixelDescription, loss: Loss, target: Target
) -> tuple[dict[int, NewElement | None], InnerChanges]:
    """The elements that change because the frames lost something; those in functional groups, too."""
    values, before = _values(header)
    ratio = loss.frames * description.decoded_size / max(loss.size, 1)
    instance_uid = _text_of(values, _INSTANCE_UID)
    changes: dict[int, NewElement | None] = {
        _IMAGE_TYPE: padded_element("CS", derived_type(values.get(_IMAGE_TYPE, b""))),
        _INSTANCE_UID: padded_element("UI", derived_uid(instance_uid, target).encode("ascii")),
        _DERIVATION: padded_element(
            "ST", f"Lossy compression in transfer syntax {target.transfer_syntax_uid}".encode("ascii")
        ),
        _LOSSY: padded_element("CS", b"01"),
        _RATIO: padded_element("DS", _appended(values.get(_RATIO, b""), f"{ratio:.2f}".encode("ascii"))),
        _METHOD: padded_element("CS", _appended(values.get(_METHOD, b""), loss.method.encode("ascii"))),
    }
    new = _told_source(header, values, before)
    if not before & _GROUPS:
        return changes | new, InnerChanges()
    groups: dict[int, Changes] = {}
    if new and SHARED_GROUPS in before:
        groups[SHARED_GROUPS] = {DERIVATION_IMAGES: NewElement("SQ", [derivation_image(new)])}
        changes[SOURCE_EVIDENCE] = NewElement("SQ", [_evidence(values)])
    return changes, InnerChanges({_FRAME_TYPE: derived_type}, groups)


def _told_source(header: Header, values: Mapping[int, bytes], before: set[int]) -> dict[int, NewElement]:
    """The attributes that tell of the source; none where an earlier step did."""
    if before & _TOLD:
        return {}
    if before & _GROUPS:
        data_set = data_set_of(header)
        groups = [data_set.item(tag) for tag in _GROUPS]
        if any(group is not None and DERIVATION_IMAGES in group for group in groups):
            return {}
    sources = source_images(
        _text_of(values, _CLASS_UID), _text_of(values, _INSTANCE_UID), compressed=bool(values.get(_METHOD))
    )
    return {SOURCE_IMAGES: NewElement("SQ", [sources]), DERIVATION_CODES: NewElement("SQ", [derivation_codes()])}


def _evidence(values: Mapping[int, bytes]) -> bytes:
    return source_evidence(*(_text_of(values, tag) for tag in (_STUDY_UID, _SERIES_UID, _CLASS_UID, _INSTANCE_UID)))


def derived_type(value: bytes) -> bytes:
    """Image Type or Frame Type of what lost something: value 1 is DERIVED, as in all frames (PS3.3 §C.8.16.1.1)."""
    _, *others = value.strip(b" \0").split(b"\\")
    return padded(b"\\".join([b"DERIVED", *(others or [b"PRIMARY"])]), "CS")


def derived_uid(instance_uid: str, target: Target) -> str:
    """The UID of what is made of an instance with losses: the same one for the same, so that nothing is seen twice."""
    made = f"{instance_uid} in {target.transfer_syntax_uid} with quality {target.quality}"
    number = uuid.UUID(bytes=hashlib.sha256(made.encode("ascii", "replace")).digest()[:16], version=4).int
    return f"2.25.{number}"


def with_instance_uid(data: bytes, instance_uid: str) -> bytes:
    """A Part 10 file that has a SOP Instance UID, whichever it had."""
    header = read_header(data)
    uid = padded(instance_uid.encode("ascii", "replace"), "UI")
    if header.file_meta.get(MEDIA_STORAGE_SOP_INSTANCE_UID, b"").strip(b" \0") == uid.strip(b" \0"):
        return data
    changes: dict[int, NewElement | None] = {_INSTANCE_UID: NewElement("UI", [uid])}
    inner = InnerChanges()
    told = _told_of(header, instance_uid)
    if told:  # no image is its own source
        changes[told] = None
        inner = InnerChanges(items={SHARED_GROUPS: {DERIVATION_IMAGES: None}})
    return b"".join(reencode(header, header.transfer_syntax_uid, changes, inner))


def _told_of(header: Header, instance_uid: str) -> int | None:
    """The element by which an instance says that it was made of another one; None if it does not."""
    values = _values(header)[0] | {_INSTANCE_UID: instance_uid.encode("ascii", "replace")}
    class_uid = _text_of(values, _CLASS_UID)
    made = {
        SOURCE_IMAGES: [source_images(class_uid, instance_uid, compressed=compressed) for compressed in (False, True)],
        SOURCE_EVIDENCE: [_evidence(values)],
    }
    for element in walk(header.buffer, header.start, header.end, header.encoding):
        if element.tag in made and header.buffer[element.start : element.end] in made[element.tag]:
            return element.tag
        if element.tag > SOURCE_EVIDENCE:
            break
    return None


def _values(header: Header) -> tuple[dict[int, bytes], set[int]]:
    """The values of some elements, and which elements there are before the pixels."""
    found, tags = {}, set()
    for element in walk(header.buffer, header.start, header.end, header.encoding):
        tags.add(element.tag)
        if element.tag in _WANTED:
            found[element.tag] = header.buffer[element.start : element.end].strip(b" \0")
        elif element.tag >= _PIXELS:
            break
    return found, tags


def _text_of(values: Mapping[int, bytes], tag: int) -> str:
    return values.get(tag, b"").decode("ascii", "replace")


def _appended(earlier: bytes, value: bytes) -> bytes:
    """Each lossy step adds its value to those before (PS3.3 §C.7.6.1.1.5.2)."""
    return earlier + b"\\" + value if earlier else value
