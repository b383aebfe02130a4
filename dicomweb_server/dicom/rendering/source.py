"""Source: what of an instance a process is given to work on, and how it opens that."""

from dataclasses import dataclass, replace
from functools import lru_cache

from dicomweb_server.dicom.data_set import DataSet, data_set_of
from dicomweb_server.dicom.header import Header, PixelData, open_part10
from dicomweb_server.dicom.pixels.decode import decode_frame
from dicomweb_server.dicom.pixels.description import PixelDescription, SampleKind, describe_pixels
from dicomweb_server.dicom.rendering.frame_image import DecodedFrame
from dicomweb_server.dicom.rendering.overlay import has_embedded_overlays

_FIRST_OF_PIXELS, _LAST_OF_PIXELS = 0x00280002, 0x00280103
_KEPT_SIZE = 4 << 20


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """One frame, as `FrameIndex` gives it."""

    number: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """An instance: `head`, what precedes its pixel data in its file, the element that holds them, and frames."""

    head: bytes
    tag: int = 0
    vr: str = ""
    frames: tuple[SourceFrame, ...] = ()
    instance_uid: str = ""


def opened_head(head: bytes) -> tuple[Header, DataSet]:
    """Several frames of one object are often asked for one after the other: its attributes are read once."""
    return _read_once(head) if len(head) < _KEPT_SIZE else _read_once.__wrapped__(head)


@lru_cache(maxsize=16)
def _read_once(head: bytes) -> tuple[Header, DataSet]:
    header = open_part10(head)
    return header, data_set_of(header)


def described(header: Header, data_set: DataSet, source: Source) -> PixelDescription:
    """How its pixels are stored; ServerError if that is impossible."""
    layout = {tag: data_set.raw(tag) for tag in data_set.tags() if _FIRST_OF_PIXELS <= tag <= _LAST_OF_PIXELS}
    return describe_pixels(header._replace(pixel_data=PixelData(source.tag, source.vr, 0, None), layout=layout))


def decoded(
    frame: SourceFrame, description: PixelDescription, data_set: DataSet, *, with_overlays: bool = False
) -> DecodedFrame:
    """A frame; `with_overlays`: with the bits in which overlays may be, too."""
    pixels = decode_frame(frame.data, description)
    unmasked = None
    if with_overlays and description.kind is SampleKind.INTEGER and has_embedded_overlays(data_set):
        bits = description.bits_allocated
        whole = replace(description, bits_stored=bits, high_bit=bits - 1, is_signed=False)
        unmasked = decode_frame(frame.data, whole)
    return DecodedFrame(pixels, description.decoded().photometric_interpretation, unmasked)
