"""What processes do for rendering: they read what they need from the file of an instance themselves where they can."""

import os
from dataclasses import dataclass

from dicomweb_server.dicom.rendering.export import Export, ExportJob, PixelArray, exported, matlab_file, pixel_array
from dicomweb_server.dicom.rendering.image_format import Encoded
from dicomweb_server.dicom.rendering.options import RenderingOptions
from dicomweb_server.dicom.rendering.rendering_job import RenderingJob, perform
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
) -> Encoded:
    """A picture, page or drawing."""
    return perform(
        RenderingJob(
            _read(source),
            media_type,
            options,
            _read(state).head if state is not None else b"",
            _read(background) if background is not None else None,
        )
    )


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
