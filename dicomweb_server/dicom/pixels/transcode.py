"""transcode: an instance in another transfer syntax, and all of its attributes that this changes, as PS3.5 §8.2 wants.

Runs in a process of its own. What only needs other heads and byte orders is `reencode`'s.
"""

import mmap
from collections.abc import Sequence
from dataclasses import dataclass

from dicomweb_server.dicom.arrays import np
from dicomweb_server.dicom.frames import FrameIndex, index_frames
from dicomweb_server.dicom.header import Header, read_header
from dicomweb_server.dicom.pixels.decode import decode_frame
from dicomweb_server.dicom.pixels.description import PixelDescription, SampleKind, describe_pixels, undecodable
from dicomweb_server.dicom.pixels.encapsulated import encapsulated
from dicomweb_server.dicom.pixels.encode import EncodedFrame, Target, encode_frame, stored_bits
from dicomweb_server.dicom.pixels.lossy import Loss, lossy_changes
from dicomweb_server.dicom.pixels.recompress import recompressed, recompresses
from dicomweb_server.dicom.reencode import Changes, InnerChanges, NewElement, Reencoded, padded_element, reencode
from dicomweb_server.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN, TRANSFER_SYNTAXES
from dicomweb_server.errors import ServerError

_PHOTOMETRIC, _PLANAR, _PIXEL_DATA = 0x00280004, 0x00280006, 0x7FE00010
_BITS_STORED, _HIGH_BIT = 0x00280101, 0x00280102
_OFFSETS, _LENGTHS = 0x7FE00001, 0x7FE00002
_PIXEL_VRS = {SampleKind.FLOAT: "OF", SampleKind.DOUBLE: "OD"}


@dataclass(frozen=True, slots=True)
class FrameChange:
    """Frames of one description to frames in another transfer syntax."""

    description: PixelDescription
    target: Target


def transcode(data: bytes | mmap.mmap, target: Target) -> bytes:
    """A Part 10 file in a transfer syntax; ServerError(NOT_ACCEPTABLE) if it cannot be made."""
    header = read_header(data)
    if not needs_codec(header.transfer_syntax_uid, target.transfer_syntax_uid):
        return b"".join(reencode(header, target.transfer_syntax_uid))
    if header.pixel_data is None:
        return b"".join(reencode(header, _without_pixels(target.transfer_syntax_uid), _NOTHING_OF_PIXELS))
    description = describe_pixels(header)
    change = FrameChange(description, target)
    frames = [transcode_frame(stored, change) for stored in stored_frames(header, index_frames(header))]
    return b"".join(with_frames(header, change, frames[0], [frame.data for frame in frames]))


def needs_codec(source_uid: str, target_uid: str) -> bool:
    """Whether the way from one transfer syntax to another leads through the pixels."""
    source, target = TRANSFER_SYNTAXES.get(source_uid), TRANSFER_SYNTAXES.get(target_uid)
    return source is None or target is None or source.encapsulated or target.encapsulated


# Makes `reencode` write an instance without pixels anew, whatever transfer syntax it is labelled with.
_NOTHING_OF_PIXELS: Changes = {_OFFSETS: None, _LENGTHS: None}


def _without_pixels(transfer_syntax_uid: str) -> str:
    """What an instance without pixels is encoded in where a compression is wanted."""
    encapsulates = TRANSFER_SYNTAXES[transfer_syntax_uid].encapsulated
    return EXPLICIT_VR_LITTLE_ENDIAN if encapsulates else transfer_syntax_uid


def stored_frames(header: Header, frames: FrameIndex) -> list[bytes]:
    """The bytes of all frames, for `decode_frame`; ServerError(NOT_ACCEPTABLE) if some are missing, or for video."""
    check_whole(frames)
    return [
        frames.restore(number, b"".join([header.buffer[at : at + length] for at, length in frames.locate(number)]))
        for number in range(1, frames.count + 1)
    ]


def check_whole(frames: FrameIndex) -> None:
    """ServerError(NOT_ACCEPTABLE) unless all frames are there and can be decoded one by one."""
    if frames.video:
        raise undecodable("it is a video, of which this server decodes no frames")
    if frames.count < frames.declared:
        raise undecodable(f"of {frames.declared} frames {frames.count} are there")


def transcode_frame(stored: bytes, change: FrameChange) -> EncodedFrame:
    """One frame, encoded anew; decoded and encoded by themselves, frames do not depend on each other."""
    if recompresses(change.description.transfer_syntax_uid, change.target.transfer_syntax_uid):
        return recompressed(stored, change.description)
    samples = decode_frame(stored, change.description)
    return encode_frame(samples, change.description.decoded(), change.target)


def encodes(change: FrameChange) -> bool:
    """Whether frames of a description can be encoded: one without anything in it is tried."""
    description = change.description
    try:
        encode_frame(np.zeros(description.shape, description.dtype), description, change.target)
    except ServerError:
        return False
    return True


def with_frames(
    header: Header, change: FrameChange, first: EncodedFrame, data: Sequence[bytes | memoryview]
) -> Reencoded:
    """The instance with its frames encoded anew, and what they imply. `first`: tells what all of them are like."""
    description, target = change.description, change.target
    changes: dict[int, NewElement | None] = {
        _PHOTOMETRIC: padded_element("CS", first.photometric_interpretation.encode("ascii"))
    }
    if description.samples > 1:
        changes[_PLANAR] = _short(0)
    inner = InnerChanges()
    bits = stored_bits(description, target)
    if bits != description.bits_stored:
        changes[_BITS_STORED] = _short(bits)
    if description.kind is SampleKind.INTEGER and description.high_bit != bits - 1:
        changes[_HIGH_BIT] = _short(bits - 1)
    if first.method:
        loss = Loss(first.method, sum(map(len, data)), len(data))
        lossy, inner = lossy_changes(header, description, loss, target)
        changes |= lossy
    if TRANSFER_SYNTAXES[target.transfer_syntax_uid].encapsulated:
        changes |= encapsulated(data)
    else:
        changes |= _native_pixels(description, data)
    return reencode(header, target.transfer_syntax_uid, changes, inner)


def _native_pixels(description: PixelDescription, frames: Sequence[bytes | memoryview]) -> dict[int, NewElement | None]:
    if description.bits_allocated == 1 and len(frames) > 1:
        frames = [_joined_bits(description, frames)]
    size = sum(map(len, frames))
    # PS3.5 §A.2: OW, but for samples of 8 bits, where OB needs no word for its last byte.
    vr = _PIXEL_VRS.get(description.kind, "OW" if description.bits_allocated > 8 else "OB")
    pixels = NewElement(vr, [*frames, b"\0"] if size % 2 else frames)
    return {_OFFSETS: None, _LENGTHS: None, description.kind.value: pixels}


def _joined_bits(description: PixelDescription, frames: Sequence[bytes | memoryview]) -> bytes:
    """PS3.5 §8.1.1: frames of single bits follow each other without padding."""
    bits, width = 0, description.frame_bits
    for number, frame in enumerate(frames):
        bits |= (int.from_bytes(frame, "little") & (1 << width) - 1) << number * width
    return bits.to_bytes((len(frames) * width + 7) // 8, "little")


def _short(value: int) -> NewElement:
    return NewElement("US", [value.to_bytes(2, "little")])
