"""RenderingJob: all that a process needs to make one picture, page or drawing, and how it does that."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice

import numpy as np

from dicomweb_server.dicom.data_set import DataSet, data_set_of
from dicomweb_server.dicom.header import Header, PixelData, open_part10
from dicomweb_server.dicom.pixels.decode import decode_frame
from dicomweb_server.dicom.pixels.description import PixelDescription, SampleKind, describe_pixels
from dicomweb_server.dicom.rendering.frame_attributes import FrameAttributes, frame_attributes
from dicomweb_server.dicom.rendering.frame_image import DecodedFrame, Picture, frame_image, samples_of, with_picture
from dicomweb_server.dicom.rendering.image_format import Encoded, animated, encoded
from dicomweb_server.dicom.rendering.options import Annotation, RenderingOptions
from dicomweb_server.dicom.rendering.overlay import has_embedded_overlays
from dicomweb_server.dicom.rendering.presented_image import presented_image
from dicomweb_server.dicom.rendering.report import report_html, report_text
from dicomweb_server.dicom.rendering.segmentation import SegmentFrame, frames_beside, segment_frames, with_segments
from dicomweb_server.dicom.rendering.waveform import waveform_svg
from dicomweb_server.errors import Reason, ServerError

HTML, TEXT, SVG = "text/html", "text/plain", "image/svg+xml"
_FRAME_TIME, _FRAME_TIMES, _CINE_RATE, _DISPLAY_RATE = 0x00181063, 0x00181065, 0x00180040, 0x00082144
_FIRST_OF_PIXELS, _LAST_OF_PIXELS = 0x00280002, 0x00280103
_KEPT_SIZE = 4 << 20
_MILLISECONDS = 100.0  # of a frame, where nothing tells


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


@dataclass(frozen=True, slots=True)
class RenderingJob:
    """What to make of a source. `state`: the head of a presentation state; `background`: below a segmentation."""

    source: Source
    media_type: str
    options: RenderingOptions = field(default_factory=RenderingOptions)
    state: bytes = b""
    background: Source | None = None


def perform(job: RenderingJob) -> Encoded:
    """The result; ServerError that says why there is none."""
    header, data_set = _opened(job.source.head)
    if job.media_type in (HTML, TEXT):
        made = report_html(data_set) if job.media_type == HTML else report_text(data_set)
        return Encoded(job.media_type, made.encode("utf-8"))
    if job.media_type == SVG:
        drawn = waveform_svg(data_set, annotated=Annotation.PATIENT in job.options.annotations)
        return Encoded(SVG, drawn.encode("utf-8"))
    if not job.source.frames:
        raise ServerError(Reason.NOT_FOUND, "the instance has no pixel data")
    description = _described(header, data_set, job.source)
    if job.background is not None or job.state:
        picture = _state_or_segments(job, data_set, description)
        return _encoded(picture, job)
    pictures = [
        frame_image(data_set, frame.number, _decoded(frame, description, data_set, job.options), job.options)
        for frame in job.source.frames
    ]
    if len(pictures) > 1:
        images = [picture.image for picture in pictures]
        return animated(images, job.media_type, _milliseconds(data_set), quality=job.options.quality)
    return _encoded(pictures[0], job)


def _encoded(picture: Picture, job: RenderingJob) -> Encoded:
    return encoded(picture.image, job.media_type, quality=job.options.quality, profile=picture.profile)


def _opened(head: bytes) -> tuple[Header, DataSet]:
    """Several frames of one object are often asked for one after the other: its attributes are read once."""
    return _read_once(head) if len(head) < _KEPT_SIZE else _read_once.__wrapped__(head)


@lru_cache(maxsize=16)
def _read_once(head: bytes) -> tuple[Header, DataSet]:
    header = open_part10(head)
    return header, data_set_of(header)


def _described(header: Header, data_set: DataSet, source: Source) -> PixelDescription:
    layout = {tag: data_set.raw(tag) for tag in data_set.tags() if _FIRST_OF_PIXELS <= tag <= _LAST_OF_PIXELS}
    return describe_pixels(replace(header, pixel_data=PixelData(source.tag, source.vr, 0, None), layout=layout))


def _decoded(
    frame: SourceFrame, description: PixelDescription, data_set: DataSet, options: RenderingOptions
) -> DecodedFrame:
    pixels = decode_frame(frame.data, description)
    unmasked = None
    if options.overlays and description.kind is SampleKind.INTEGER and has_embedded_overlays(data_set):
        bits = description.bits_allocated
        whole = replace(description, bits_stored=bits, high_bit=bits - 1, is_signed=False)
        unmasked = decode_frame(frame.data, whole)
    return DecodedFrame(pixels, description.decoded().photometric_interpretation, unmasked)


def _state_or_segments(job: RenderingJob, data_set: DataSet, description: PixelDescription) -> Picture:
    if job.background is None:
        frame = job.source.frames[0]
        decoded = _decoded(frame, description, data_set, job.options)
        state = _opened(job.state)[1]
        return presented_image(data_set, job.source.instance_uid, frame.number, decoded, state, job.options)
    chosen = {frame.number: frame for frame in frames_beside(segment_frames(data_set), job.source.frames[0].number)}
    masks = [
        (chosen.get(frame.number) or SegmentFrame(frame.number, 1), decode_frame(frame.data, description))
        for frame in job.source.frames
    ]
    below, attributes = _background(job.background, masks[0][1].shape, job.options)
    shown = with_segments(below, data_set, masks)
    return with_picture(shown, attributes or frame_attributes(data_set, job.source.frames[0].number), job.options)


def _background(
    source: Source, shape: Sequence[int], options: RenderingOptions
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], FrameAttributes | None]:
    """The image below segments; black where there is none of their size."""
    if source.frames:
        header, data_set = _opened(source.head)
        frame = source.frames[0]
        description = _described(header, data_set, source)
        if (description.rows, description.columns) == tuple(shape[:2]):
            attributes = frame_attributes(data_set, frame.number)
            decoded = _decoded(frame, description, data_set, options)
            return samples_of(attributes, decoded, replace(options, bits=8)), attributes
    return np.zeros(tuple(shape[:2]), np.uint8), None


def _milliseconds(data_set: DataSet) -> float:
    """How long a frame is shown (PS3.3 §C.7.6.5)."""
    times = data_set.numbers(_FRAME_TIMES)
    known = [time for time in islice(times, 1, None) if time > 0]
    time = data_set.number(_FRAME_TIME) or (sum(known) / len(known) if known else 0.0)
    rate = data_set.number(_DISPLAY_RATE) or data_set.number(_CINE_RATE) or 0.0
    return time if time > 0 else 1000 / rate if rate > 0 else _MILLISECONDS
