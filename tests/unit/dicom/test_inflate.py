import zlib

import pytest

from dicomweb_server.dicom import inflate as module
from dicomweb_server.dicom.inflate import inflate
from dicomweb_server.errors import Reason, ServerError


def deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


@pytest.mark.parametrize("size", [0, 1, 1000, 3 << 20])
def test_what_was_deflated_comes_back(size: int) -> None:
    data = bytes(index % 251 for index in range(min(size, 5000))) * max(1, size // 5000)
    assert inflate(b"head" + deflate(data), 4) == data


def test_padding_behind_the_stream_is_ignored() -> None:
    assert inflate(deflate(b"abc") + b"\0", 0) == b"abc"


def test_a_stream_that_ends_too_early_is_refused() -> None:
    whole = deflate(bytes(range(256)) * 100)
    for end in range(len(whole)):
        with pytest.raises(ServerError) as caught:
            inflate(whole[:end], 0)
        assert caught.value.reason is Reason.CANNOT_UNDERSTAND


def test_a_damaged_stream_is_refused() -> None:
    with pytest.raises(ServerError) as caught:
        inflate(b"\xff" * 100, 0)
    assert caught.value.reason is Reason.CANNOT_UNDERSTAND


def test_a_bomb_is_refused_before_it_goes_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FREE_SIZE", 1 << 16)
    bomb = deflate(bytes(8 << 20))
    with pytest.raises(ServerError) as caught:
        inflate(bomb, 0)
    assert caught.value.reason is Reason.TOO_LARGE


def test_there_is_an_absolute_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_INFLATED", 1 << 12)
    with pytest.raises(ServerError) as caught:
        inflate(deflate(bytes(1 << 13)), 0)
    assert caught.value.reason is Reason.TOO_LARGE
