"""Videos of known pictures, encoded by FFmpeg; and the instances that hold them."""

import io
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from tests.builders import make_encapsulated

ROWS, COLUMNS, COUNT = 96, 160, 6
P = "1.2.840.10008.1.2.4."
# Encoder, container, transfer syntax: those that PS3.5 §8.2.5 to §8.2.11 allow.
KINDS = (
    ("mpeg2video", "mpeg2video", P + "100"),
    ("mpeg2video", "mpegts", P + "101"),
    ("mpeg2video", "vob", P + "100"),
    ("libx264", "mp4", P + "102"),
    ("libx264", "h264", P + "102"),
    ("libx264", "mpegts", P + "103"),
    ("libx265", "hevc", P + "107"),
    ("libx265", "mp4", P + "107"),
)


def picture_of(number: int, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.uint8]:
    """Red on the left, blue at the bottom right; a white bar on top grows with the number, from 1."""
    picture = np.zeros((rows, columns, 3), np.uint8)
    picture[:, : columns // 2] = (200, 30, 30)
    picture[rows // 2 :, columns // 2 :] = (30, 30, 200)
    picture[: rows // 4, : columns * number // (COUNT + 1)] = 255
    return picture


def video(encoder: str = "libx264", container: str = "mp4", rows: int = ROWS, columns: int = COLUMNS) -> bytes:
    """The stream."""
    made = io.BytesIO()
    with av.open(made, "w", format=container) as output:
        stream: Any = output.add_stream(encoder, rate=25, options={"x265-params": "log-level=none"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = columns, rows, "yuv420p", 2_000_000
        for number in range(1, COUNT + 1):
            frame = av.VideoFrame.from_ndarray(picture_of(number, rows, columns), format="rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return made.getvalue()


def video_instance(encoder: str, container: str, transfer_syntax_uid: str, **more: Any) -> bytes:
    """An endoscopic video."""
    attributes: dict[str, Any] = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.1.1", "Modality": "ES"} | more
    stream = video(encoder, container)
    stream += b"\0" * (len(stream) % 2)
    return make_encapsulated(
        [stream], transfer_syntax_uid=transfer_syntax_uid, rows=ROWS, columns=COLUMNS, NumberOfFrames=COUNT,
        SamplesPerPixel=3, PhotometricInterpretation="YBR_PARTIAL_420", PlanarConfiguration=0, **attributes,
    )  # fmt: skip
