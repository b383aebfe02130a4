"""What processes do for rendering: they read what they need from the file of an instance themselves where they can."""

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dicomweb_server.dicom.rendering.export import Export, ExportJob, PixelArray, exported, matlab_file, pixel_array
from dicomweb_server.dicom.rendering.image_format import Encoded
from dicomweb_server.dicom.rendering.options import RenderingOptions
from dicomweb_server.dicom.rendering.rendering_job import RenderingJob, perform, video_still
from dicomweb_server.dicom.rendering.source import Source, SourceFrame
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.contents import Span


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A `Source` by where it lies: the first `head_size` bytes of a file, and the spans of each frame."""

    path: str
    head_size: int
    tag: int
    vr: str
    frames: tuple[tuple[int, tuple[Span, ...]], ...]
    instance_uid: str


AnySource = Source | SourceFile


def ready() -> None:
    """Nothing but what all the others need: this module, loaded."""


def rendered_by(
    source: AnySource,
    media_type: str,
    options: RenderingOptions,
    state: AnySource | None = None,
    background: AnySource | None = None,
    inputs: tuple[tuple[int, AnySource], ...] = (),
) -> Encoded:
    """A picture, page or drawing."""
    return perform(
        RenderingJob(
            _read(source),
            media_type,
            options,
            _read(state).head if state is not None else b"",
            _read(background) if background is not None else None,
            tuple((number, _read(one)) for number, one in inputs),
        )
    )


def slide_by(source: AnySource, media_type: str, options: RenderingOptions) -> Encoded:
    """All tiles of a slide as one picture."""
    return perform(RenderingJob(_read(source), media_type, options, as_tiles=True))


def still_by(source: AnySource, number: int, media_type: str, options: RenderingOptions) -> Encoded:
    """A picture of a video, of which only as much is read as that needs."""
    if isinstance(source, Source):
        return video_still(source.head, io.BytesIO(source.frames[0].data), number, media_type, options)
    try:
        with open(source.path, "rb", buffering=0) as file:
            head = _exactly(file.fileno(), 0, source.head_size)
            stream = io.BufferedReader(_Spans(file.fileno(), source.frames[0][1]))
            return video_still(head, stream, number, media_type, options)
    except OSError:
        raise _damaged() from None


class _Spans(io.RawIOBase):
    """Spans of a file, one after the other, as a file."""

    def __init__(self, descriptor: int, spans: Sequence[Span]) -> None:
        self._descriptor = descriptor
        self._spans = spans
        self._size = sum(length for _, length in spans)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(start + offset, 0)
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        before = self._position
        for offset, length in self._spans:
            if before < length:
                read = os.preadv(self._descriptor, [view[: length - before]], offset + before)
                self._position += read
                return read
            before -= length
        return 0


def exported_by(source: AnySource, export: Export, media_type: str, quality: int) -> Encoded:
    """Decoded values as an image."""
    return exported(ExportJob(_read(source), export, media_type, quality))


def array_by(source: AnySource, rescale: int) -> PixelArray:
    """Decoded values as an array."""
    return pixel_array(_read(source), rescale)


def matlab_by(source: AnySource) -> bytes:
    """Decoded values as text."""
    return matlab_file(_read(source))


def _read(source: AnySource) -> Source:
    if isinstance(source, Source):
        return source
    try:
        descriptor = os.open(source.path, os.O_RDONLY)
        try:
            head = _exactly(descriptor, 0, source.head_size)
            frames = tuple(
                SourceFrame(number, b"".join(_exactly(descriptor, offset, length) for offset, length in spans))
                for number, spans in source.frames
            )
        finally:
            os.close(descriptor)
    except OSError:
        raise _damaged() from None
    return Source(head, source.tag, source.vr, frames, source.instance_uid)


def _exactly(descriptor: int, offset: int, length: int) -> bytes:
    data = os.pread(descriptor, length, offset)
    while len(data) < length:
        more = os.pread(descriptor, length - len(data), offset + len(data))
        if not more:
            raise _damaged()
        data += more
    return data


def _damaged() -> ServerError:
    return ServerError(Reason.STORAGE_DAMAGED, "the file of an instance is missing or too short")
