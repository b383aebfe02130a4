"""PURE: a new instance of some frames of another one, as a plan over its bytes (PS3.4 §Y.3.3, PS3.3 §C.12.3)."""

import hashlib
import struct
import uuid
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dicomweb_server.dicom.data_set import DataSet, data_set_of
from dicomweb_server.dicom.elements import walk
from dicomweb_server.dicom.encoding import Buffer
from dicomweb_server.dicom.explicit_items import code_item, element, item, sequence
from dicomweb_server.dicom.frame_choice import TIME_RANGE, FrameChoice, FrameProblem, FrameProblemError
from dicomweb_server.dicom.frame_times import FRAME_POINTER, FRAME_TIME, FRAME_TIME_VECTOR, frame_times, times_of_frames
from dicomweb_server.dicom.frames import FrameIndex, index_frames
from dicomweb_server.dicom.header import Header
from dicomweb_server.dicom.pixels.encapsulated import encapsulated
from dicomweb_server.dicom.reencode import InnerChanges, NewElement, Reencoded, padded_element, reencode
from dicomweb_server.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN, IMPLEMENTATION_VERSION_NAME
from dicomweb_server.errors import Reason, ServerError

MOST_BYTES, MOST_COPIED = 2 << 30, 64 << 20  # of the frames; of those that cannot be left where they are
_INSTANCE_UID, _NUMBER_OF_FRAMES, _REPRESENTATIVE, _VIEWING = 0x00080018, 0x00280008, 0x00286010, 0x00281090
_EXTRACTION, _EQUIPMENT, _SOURCE_UID = 0x00081164, 0x0018A001, 0x00081167
_FRAME_GROUPS, _TILING = 0x52009230, 0x00209311
_OFFSETS, _LENGTHS = 0x7FE00001, 0x7FE00002
# What refers to frames that may not be there any more, or to the whole of the instance: frames to start and stop at,
# effective duration, concatenation, R waves, frames of interest, mask, icon, signatures.
_GONE = (
    0x00082142, 0x00082143, 0x00180072, 0x00200242, 0x00209161, 0x00209162, 0x00209163, 0x00209228, 0x00286020,
    0x00286022, 0x00286023, 0x00286040, 0x00286100, 0x00880200, 0x4FFE0001, 0xFFFAFFFA, _OFFSETS, _LENGTHS,
)  # fmt: skip
# Values for each frame that mean something relative to another frame: of positioner and table, of the grid of doses.
_RELATIVE = (0x00181135, 0x00181137, 0x00181138, 0x00181520, 0x00181521, 0x3004000C)
_TEXT_VRS = frozenset({"DS", "IS", "SH", "CS", "LO"})


class Extraction(NamedTuple):
    """What was made: `made` has no file meta information."""

    instance_uid: str
    transfer_syntax_uid: str
    file: Reencoded
    made: Reencoded


def extraction(header: Header, choice: FrameChoice) -> Extraction:
    """Frames of an instance as one of their own; FrameProblemError, ServerError(TOO_LARGE)."""
    frames, data_set = index_frames(header), data_set_of(header)
    count = frames.count
    if not frames.tag or frames.video or count < frames.declared:
        raise FrameProblemError(FrameProblem.NOT_EXTRACTED)
    if not _has_sequences(header):
        raise FrameProblemError(FrameProblem.NO_NEW_OBJECT)
    _require_extractable(data_set, count)
    numbers = choice.frames(count, frame_times(data_set, count) if choice.tag == TIME_RANGE else ())
    instance_uid = _made_uid(data_set.text(_INSTANCE_UID), choice)
    told, syntax = _told(data_set, choice), header.transfer_syntax_uid if frames.encapsulated else ""
    changes: dict[int, NewElement | None] = {
        **dict.fromkeys((*_GONE, *(tag for tag in data_set.tags() if tag >> 16 & 1))),
        _INSTANCE_UID: padded_element("UI", instance_uid.encode("ascii")),
        _NUMBER_OF_FRAMES: padded_element("IS", b"%d" % len(numbers)),
        **_representative(data_set, numbers),
        **dict(_vectors(data_set, numbers, count)),
        **times_of_frames(data_set, numbers, count),
        **{tag: NewElement("SQ", [added]) for tag, added in told.items() if tag not in data_set},
        **_pixels(header, frames, numbers),
    }
    kept = {_FRAME_GROUPS: frozenset(number - 1 for number in numbers)}
    inner = InnerChanges(kept=kept, added=told)
    file = reencode(header, syntax or EXPLICIT_VR_LITTLE_ENDIAN, changes, inner)
    meta = file.plan[0]
    assert isinstance(meta, bytes)
    made = Reencoded(file.size - len(meta), file.source, file.plan[1:])
    return Extraction(instance_uid, syntax or EXPLICIT_VR_LITTLE_ENDIAN, file, made)


def _has_sequences(header: Header) -> bool:
    """Whether what is cut or added to is encoded as sequences, and not as UN."""
    for found in walk(header.buffer, header.start, header.end, header.encoding):
        if found.tag in (_FRAME_GROUPS, _EXTRACTION, _EQUIPMENT) and found.vr != "SQ":
            return False
        if found.tag > _FRAME_GROUPS:
            break
    return True


def _require_extractable(data_set: DataSet, count: int) -> None:
    """An instance of some frames must be as valid as that of all."""
    groups = sum(1 for _ in data_set.items(_FRAME_GROUPS))
    is_odd = _FRAME_GROUPS in data_set and groups != count
    is_tiled = data_set.text(_TILING) == "TILED_FULL"  # where each frame is follows from its number
    is_relative = any(len(data_set.texts(tag)) > 1 for tag in _RELATIVE)
    has_overlays = any(tag >> 24 == 0x60 and tag & 0xFFFF == 0x0015 for tag in data_set.tags())
    if is_odd or is_tiled or is_relative or has_overlays:
        raise FrameProblemError(FrameProblem.NO_NEW_OBJECT)


def _told(data_set: DataSet, choice: FrameChoice) -> dict[int, bytes]:
    """Items that say of what and by whom the instance was made."""
    if choice.tag == TIME_RANGE:
        named = element(choice.tag, "FD", struct.pack(f"<{len(choice.values)}d", *choice.values))
    else:
        named = element(choice.tag, "UL", struct.pack(f"<{len(choice.values)}I", *map(int, choice.values)))
    source = element(_SOURCE_UID, "UI", data_set.text(_INSTANCE_UID).encode("ascii", "replace"))
    equipment = (
        element(0x00080070, "LO", b"dicomweb-server")
        + element(0x00181020, "LO", IMPLEMENTATION_VERSION_NAME.encode("ascii"))
        + sequence(0x0040A170, code_item("109105", "Frame Extracting Equipment"))  # PS3.16 CID 7005
    )
    return {_EXTRACTION: item(named + source), _EQUIPMENT: item(equipment)}


def _representative(data_set: DataSet, numbers: Sequence[int]) -> dict[int, NewElement | None]:
    changes: dict[int, NewElement | None] = {}
    if _REPRESENTATIVE in data_set:
        number = data_set.integer(_REPRESENTATIVE)
        at = numbers.index(number) + 1 if number in numbers else None
        changes[_REPRESENTATIVE] = None if at is None else NewElement("US", [at.to_bytes(2, "little")])
    if data_set.text(_VIEWING) == "SUB":
        changes[_VIEWING] = padded_element("CS", b"NAT")
    return changes


def _vectors(data_set: DataSet, numbers: Sequence[int], count: int) -> Iterator[tuple[int, NewElement]]:
    """Attributes that have a value for each frame, by Frame Increment Pointer (PS3.3 §C.7.6.6.1.1)."""
    pointed = data_set.integers(FRAME_POINTER)
    for group, number in zip(pointed[::2], pointed[1::2], strict=False):
        tag = group << 16 | number
        if tag in (FRAME_TIME, FRAME_TIME_VECTOR) or tag == _FRAME_GROUPS:
            continue
        values = data_set.raw(tag).split(b"\\")
        if data_set.vr(tag) not in _TEXT_VRS or len(values) != count:
            raise FrameProblemError(FrameProblem.NO_NEW_OBJECT)
        vr = data_set.vr(tag)
        yield tag, padded_element(vr, b"\\".join(values[number - 1].strip() for number in numbers))


def _pixels(header: Header, frames: FrameIndex, numbers: Sequence[int]) -> dict[int, NewElement | None]:
    located = [frames.locate(number) for number in numbers]
    size = sum(length for pieces in located for _, length in pieces)
    is_left = frames.verbatim or frames.encapsulated
    copied = sum(length for pieces in located if len(pieces) > 1 or not is_left for _, length in pieces)
    if size > MOST_BYTES or copied > MOST_COPIED:
        raise ServerError(Reason.TOO_LARGE, f"the frames have {size} bytes, {copied} of them to be copied")
    view = memoryview(header.buffer)
    data = [
        view[pieces[0][0] : sum(pieces[0])] if is_left and len(pieces) == 1 else _joined(header.buffer, pieces)
        for pieces in located
    ]
    if frames.encapsulated:
        return encapsulated(data)
    if not is_left:
        data = [_native(frames, numbers, data)]
    vr = frames.vr if frames.vr not in ("", "UN") else "OW"
    total = sum(map(len, data))
    return {frames.tag: NewElement(vr, [*data, b"\0"] if total % 2 else data)}


def _native(frames: FrameIndex, numbers: Sequence[int], data: Sequence[bytes | memoryview]) -> bytes:
    """Frames that begin inside of a byte, or are in big endian (PS3.5 §8.1.1)."""
    restored = [frames.restore(number, bytes(piece)) for number, piece in zip(numbers, data, strict=True)]
    if frames.frame_bits % 8 == 0:
        return b"".join(restored)
    packed, waiting, width = bytearray(), 0, 0  # bits of a byte that is not full
    for frame in restored:
        waiting |= int.from_bytes(frame, "little") << width
        width += frames.frame_bits
        packed += (waiting & (1 << width // 8 * 8) - 1).to_bytes(width // 8, "little")
        waiting >>= width // 8 * 8
        width %= 8
    return bytes(packed) + bytes([waiting] if width else [])


def _joined(buffer: Buffer, pieces: Sequence[tuple[int, int]]) -> bytes:
    return b"".join([bytes(buffer[at : at + length]) for at, length in pieces])


def _made_uid(instance_uid: str, choice: FrameChoice) -> str:
    """The same for the same frames of the same instance, so that nothing is seen twice."""
    made = f"{choice.tag:08X} {choice.values} of {instance_uid}"
    return f"2.25.{uuid.UUID(bytes=hashlib.sha256(made.encode('ascii', 'replace')).digest()[:16], version=4).int}"
