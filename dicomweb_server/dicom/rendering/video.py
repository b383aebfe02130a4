"""Video: a picture of an MPEG-2, H.264 or HEVC stream (PS3.5 §8.2.5 to §8.2.11), decoded by FFmpeg if that is there.

FFmpeg reads many formats, of which some make it open other files and addresses: it is told which one this is.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from dicomweb_server.dicom.arrays import NDArray, np
from dicomweb_server.errors import Reason, ServerError

if TYPE_CHECKING:
    import av

VIDEO_EXTRA = "dicomweb-server[video]"
_DECODERS = "mpeg1video,mpeg2video,h264,hevc"
_LARGEST_AREA = 8192 * 8192  # pixels
_HIGH_DEFINITION = 720  # lines, from which on colours are those of ITU-R BT.709 if the stream does not say
_SNIFFED = 400
_TRANSPORT_PACKET = 188
# The first bytes of the units that a stream begins with: parameter sets, delimiters, supplemental information.
_H264 = frozenset({0x06, 0x09, 0x27, 0x28, 0x47, 0x48, 0x67, 0x68})
_HEVC = frozenset({0x40, 0x42, 0x44, 0x46, 0x4E})


def video_picture(stream: BinaryIO, number: int) -> NDArray[np.uint8]:
    """The picture with a number, from 1, in RGB. ServerError: NOT_ACCEPTABLE if there is no decoder or it fails."""
    try:
        import av
    except ImportError:
        problem = f"pictures of videos need a package that is not installed here: pip install {VIDEO_EXTRA}"
        raise ServerError(Reason.NOT_ACCEPTABLE, problem) from None
    av.logging.set_level(None)  # it tells of the content of files
    head = stream.read(_SNIFFED)
    stream.seek(0)
    options = {"codec_whitelist": _DECODERS, "protocol_whitelist": "none", "max_pixels": str(_LARGEST_AREA)}
    try:
        with av.open(stream, "r", format=_format_of(head), options=options, io_open=_refused) as container:
            frame = next(islice(_decoded(container), number - 1, None), None)
            return _rgb(frame) if frame is not None else _none(number)
    except (av.FFmpegError, EOFError):
        raise _undecodable("it is damaged, or encoded in a way that no video of DICOM is") from None


def _refused(*_arguments: object, **_named: object) -> None:
    raise _undecodable("it wants to open something else")


def _decoded(container: av.container.InputContainer) -> Iterator[av.VideoFrame]:
    if not container.streams.video:
        raise _undecodable("there are no pictures in it")
    stream = container.streams.video[0]
    stream.thread_count = 1
    return container.decode(stream)


def _rgb(frame: av.VideoFrame) -> NDArray[np.uint8]:
    from av.video.reformatter import Colorspace

    unsaid = Colorspace.ITU709 if frame.height >= _HIGH_DEFINITION else Colorspace.ITU601
    said = {1: Colorspace.ITU709, 5: Colorspace.ITU601, 6: Colorspace.ITU601}.get(int(frame.colorspace), unsaid)
    return np.asarray(frame.to_ndarray(format="rgb24", src_colorspace=said), np.uint8)


def _format_of(head: bytes) -> str:
    """What FFmpeg calls the format of a stream or container that begins so."""
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"):
        return "mp4"
    if head[:1] == b"G" and head[_TRANSPORT_PACKET : _TRANSPORT_PACKET + 1] == b"G":
        return "mpegts"
    start = head.find(b"\0\0\1")
    code = head[start + 3] if 0 <= start < len(head) - 3 else -1
    if code == 0xBA:
        return "mpeg"
    if code == 0xB3:
        return "mpegvideo"
    if code in _H264:
        return "h264"
    if code in _HEVC:
        return "hevc"
    raise _undecodable("it is none that video of DICOM has")


def _none(number: int) -> NDArray[np.uint8]:
    if number > 1:
        raise ServerError(Reason.NOT_FOUND, f"the video has no picture {number}")
    raise _undecodable("it has none that is whole")


def _undecodable(problem: str) -> ServerError:
    return ServerError(Reason.NOT_ACCEPTABLE, f"the video cannot be shown as a picture: {problem}")
