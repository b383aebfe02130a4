"""RenderingJob: all that a process needs to make one picture, page or drawing, and how it does that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import BinaryIO

from dicomweb_server.dicom.arrays import Image, NDArray, np
from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.pixels.decode import decode_frame
from dicomweb_server.dicom.pixels.description import PixelDescription
from dicomweb_server.dicom.rendering.advanced_blending import InputFrame, advanced_blended
from dicomweb_server.dicom.rendering.blending import BlendedFrame, blended
from dicomweb_server.dicom.rendering.frame_attributes import FrameAttributes, frame_attributes
from dicomweb_server.dicom.rendering.frame_image import Picture, frame_image, samples_of, with_picture
from dicomweb_server.dicom.rendering.graphics import with_graphics
from dicomweb_server.dicom.rendering.grayscale import Pixels
from dicomweb_server.dicom.rendering.image_format import Encoded, animated, encoded
from dicomweb_server.dicom.rendering.lookup_table import unusable
from dicomweb_server.dicom.rendering.options import Annotation, RenderingOptions
from dicomweb_server.dicom.rendering.page import page_image
from dicomweb_server.dicom.rendering.presented_image import finished, presented_image
from dicomweb_server.dicom.rendering.report import report_html, report_text
from dicomweb_server.dicom.rendering.segmentation import SegmentFrame, frames_beside, segment_frames, with_segments
from dicomweb_server.dicom.rendering.slide import mosaic, tiling_of
from dicomweb_server.dicom.rendering.source import Source, SourceFrame, decoded, described, opened_head
from dicomweb_server.dicom.rendering.subtraction import subtracted, subtraction_of
from dicomweb_server.dicom.rendering.video import video_picture
from dicomweb_server.dicom.rendering.waveform import waveform_svg

HTML, TEXT, SVG = "text/html", "text/plain", "image/svg+xml"
_FRAME_TIME, _FRAME_TIMES, _CINE_RATE, _DISPLAY_RATE = 0x00181063, 0x00181065, 0x00180040, 0x00082144
_NUMBER_OF_FRAMES = 0x00280008
_MILLISECONDS = 100.0  # of a frame, where nothing tells


@dataclass(frozen=True, slots=True)
class RenderingJob:
    """What to make of a source. `state`: the head of a presentation state.

    `background`: what lies below a segmentation, or, with a state, what is blended over the source. `inputs`: all that
    an advanced blending state blends, by number, the source first. `as_tiles`: the frames are tiles of one picture.
    """

    source: Source
    media_type: str
    options: RenderingOptions = field(default_factory=RenderingOptions)
    state: bytes = b""
    background: Source | None = None
    inputs: tuple[tuple[int, Source], ...] = ()
    as_tiles: bool = False


def perform(job: RenderingJob) -> Encoded:
    """The result; ServerError that says why there is none."""
    header, data_set = opened_head(job.source.head)
    if job.media_type in (HTML, TEXT):
        made = report_html(data_set) if job.media_type == HTML else report_text(data_set)
        return Encoded(job.media_type, made.encode("utf-8"))
    if job.media_type == SVG:
        drawn = waveform_svg(data_set, annotated=Annotation.PATIENT in job.options.annotations)
        return Encoded(SVG, drawn.encode("utf-8"))
    if not job.source.frames:
        page = np.asarray(page_image(data_set, job.options.viewport))
        return _encoded(with_picture(page, frame_attributes(data_set, 1), job.options), job)
    description = described(header, data_set, job.source)
    if job.background is not None or job.state:
        picture = _state_or_segments(job, data_set, description)
        return _encoded(picture, job)
    if job.as_tiles:
        return _encoded(_slide(job, data_set, description), job)
    pictures = [
        frame_image(
            data_set,
            frame.number,
            decoded(frame, description, data_set, with_overlays=job.options.overlays),
            job.options,
        )
        for frame in job.source.frames
    ]
    if len(pictures) > 1:
        images = [picture.image for picture in pictures]
        return animated(images, job.media_type, _milliseconds(data_set), quality=job.options.quality)
    return _encoded(pictures[0], job)


def video_still(head: bytes, stream: BinaryIO, number: int, media_type: str, options: RenderingOptions) -> Encoded:
    """One picture of a video, of whose file `head` is what precedes the stream."""
    attributes = frame_attributes(opened_head(head)[1], 1)
    picture = with_picture(video_picture(stream, number), attributes, options)
    return encoded(picture.image, media_type, quality=options.quality, profile=picture.profile)


def _encoded(picture: Picture, job: RenderingJob) -> Encoded:
    return encoded(picture.image, job.media_type, quality=job.options.quality, profile=picture.profile)


def _state_or_segments(job: RenderingJob, data_set: DataSet, description: PixelDescription) -> Picture:
    if job.inputs:
        return _advanced_blended(job, data_set)
    if job.state and job.background is not None:
        return _blended(job, data_set, description, job.background)
    if job.background is None:
        return _presented(job, data_set, description)
    chosen = {frame.number: frame for frame in frames_beside(segment_frames(data_set), job.source.frames[0].number)}
    masks = [
        (chosen.get(frame.number) or SegmentFrame(frame.number, 1), decode_frame(frame.data, description))
        for frame in job.source.frames
    ]
    if masks[0][1].ndim != 2:
        raise unusable("a segmentation has one sample per pixel")
    below, attributes = _background(job.background, masks[0][1].shape, job.options)
    shown = with_segments(below, data_set, masks)
    return with_picture(shown, attributes or frame_attributes(data_set, job.source.frames[0].number), job.options)


def _slide(job: RenderingJob, data_set: DataSet, description: PixelDescription) -> Picture:
    tiling = tiling_of(data_set)
    if tiling is None:
        raise unusable("its frames are not the tiles of one picture")
    by_number = {frame.number: frame for frame in job.source.frames}
    tiles = [
        samples_of(frame_attributes(data_set, number), decoded(by_number[number], description, data_set), job.options)
        for number, _, _ in tiling.tiles
    ]
    return with_picture(mosaic(tiling, tiles), frame_attributes(data_set, 1), job.options)


def _blended(job: RenderingJob, data_set: DataSet, description: PixelDescription, source: Source) -> Picture:
    below, above = job.source.frames[0], source.frames[0]
    header, other = opened_head(source.head)
    state = opened_head(job.state)[1]
    shown = blended(
        state,
        _blended_frame(job.source.instance_uid, data_set, below, decode_frame(below.data, description)),
        _blended_frame(source.instance_uid, other, above, decode_frame(above.data, described(header, other, source))),
    )
    return _with_annotations(shown, data_set, state, job)


def _advanced_blended(job: RenderingJob, data_set: DataSet) -> Picture:
    state = opened_head(job.state)[1]
    frames = {number: _input_frame(source) for number, source in job.inputs}
    return _with_annotations(advanced_blended(state, frames, job.inputs[0][0]), data_set, state, job)


def _input_frame(source: Source) -> InputFrame:
    header, data_set = opened_head(source.head)
    frame = source.frames[0]
    pixels = decoded(frame, described(header, data_set, source), data_set)
    return InputFrame(pixels, frame_attributes(data_set, frame.number), source.instance_uid, frame.number)


def _with_annotations(shown: NDArray[np.uint8], data_set: DataSet, state: DataSet, job: RenderingJob) -> Picture:
    uid, number = job.source.instance_uid, job.source.frames[0].number
    picture = with_graphics(Image.fromarray(shown), state, uid, number)
    return finished(picture, data_set, uid, number, state, job.options)


def _blended_frame(uid: str, data_set: DataSet, frame: SourceFrame, pixels: Pixels) -> BlendedFrame:
    return BlendedFrame(pixels, frame_attributes(data_set, frame.number), uid, frame.number)


def _presented(job: RenderingJob, data_set: DataSet, description: PixelDescription) -> Picture:
    """The first frame as a state wants it; those after it are what is subtracted."""
    frame, state, uid = job.source.frames[0], opened_head(job.state)[1], job.source.instance_uid
    shown = decoded(frame, description, data_set, with_overlays=job.options.overlays)
    count = max(data_set.integer(_NUMBER_OF_FRAMES, 1), 1)
    subtraction = subtraction_of(state, uid, frame.number, count) if shown.pixels.ndim == 2 else None
    if subtraction is not None and set(subtraction.frames) <= {one.number for one in job.source.frames}:
        others = {one.number: decode_frame(one.data, description) for one in job.source.frames[1:]}
        shown = replace(shown, pixels=subtracted(subtraction, {frame.number: shown.pixels, **others}, state))
    return presented_image(data_set, uid, frame.number, shown, state, job.options)


def _background(
    source: Source, shape: Sequence[int], options: RenderingOptions
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], FrameAttributes | None]:
    """The image below segments; black where there is none of their size."""
    if source.frames:
        header, data_set = opened_head(source.head)
        frame = source.frames[0]
        description = described(header, data_set, source)
        if (description.rows, description.columns) == tuple(shape[:2]):
            attributes = frame_attributes(data_set, frame.number)
            pixels = decoded(frame, description, data_set)
            return samples_of(attributes, pixels, replace(options, bits=8)), attributes
    return np.zeros(tuple(shape[:2]), np.uint8), None


def _milliseconds(data_set: DataSet) -> float:
    """How long a frame is shown (PS3.3 §C.7.6.5)."""
    times = data_set.numbers(_FRAME_TIMES)
    known = [time for time in islice(times, 1, None) if time > 0]
    time = data_set.number(_FRAME_TIME) or (sum(known) / len(known) if known else 0.0)
    rate = data_set.number(_DISPLAY_RATE) or data_set.number(_CINE_RATE) or 0.0
    return time if time > 0 else 1000 / rate if rate > 0 else _MILLISECONDS
