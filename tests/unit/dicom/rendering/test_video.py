"""Pictures of videos."""

import io
import sys

import numpy as np
import pytest

from dicomweb_server.dicom.rendering.video import video_picture
from dicomweb_server.errors import Reason, ServerError
from tests.videos import COUNT, KINDS, picture_of, video


@pytest.mark.parametrize(("encoder", "container", "syntax"), KINDS)
def test_each_picture_of_what_dicom_allows(encoder: str, container: str, syntax: str) -> None:
    stream = video(encoder, container)
    for number in (1, 4):
        shown = video_picture(io.BytesIO(stream), number).astype(int)
        difference = np.abs(shown - picture_of(number))
        assert (shown.shape[2], np.median(difference) <= 3, difference.mean() < 8) == (3, True, True)
    with pytest.raises(ServerError) as refused:
        video_picture(io.BytesIO(stream), COUNT + 1)
    assert refused.value.reason is Reason.NOT_FOUND


def test_high_definition_has_other_colours() -> None:
    """The stream does not say which: ITU-R BT.601 up to 719 lines, BT.709 from there on."""
    low, high = (video_picture(io.BytesIO(video("mpeg2video", "mpegts", rows, 64)), 1) for rows in (718, 720))
    assert np.abs(low[-1, 0].astype(int) - (200, 30, 30)).max() <= 3
    assert np.abs(high[-1, 0].astype(int) - (214, 45, 27)).max() <= 3


MP4 = video()


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"\0" * 1000,
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n",
        b"ffconcat version 1.0\nfile '/etc/hostname'\n",
        b"\0\0\1\xb3" + b"x" * 1000,
        b"\0\0\1\x67" + b"\xff" * 5000,
        b"\0\0\1\x40" + b"\xff" * 5000,
        b"G" + b"\0" * 187 + b"G" + b"\0" * 5000,
        b"\0\0\0\x20ftypisom" + b"\0" * 100,
        MP4[: len(MP4) // 2],
        MP4.replace(b"avc1", b"mjpg"),
    ],
)
def test_what_is_no_video_is_refused(stream: bytes) -> None:
    with pytest.raises(ServerError) as refused:
        video_picture(io.BytesIO(stream), 1)
    assert refused.value.reason is Reason.NOT_ACCEPTABLE


def test_without_a_decoder_the_answer_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ServerError, match=r"pip install dicomweb-server\[video\]") as refused:
        video_picture(io.BytesIO(MP4), 1)
    assert refused.value.reason is Reason.NOT_ACCEPTABLE
