"""Content codings: chosen only if they are asked for, and undone to the same bytes."""

import zlib

import pytest
import zstandard

from dicomweb_server.http.compression import chosen_coding, compressed, compressor


@pytest.mark.parametrize(
    ("asked", "coding"),
    [
        ("", None),
        ("gzip", "gzip"),
        ("GZIP;Q=0.5", "gzip"),
        ("zstd, gzip", "zstd"),
        ("gzip;q=0.9, zstd;q=0.8", "gzip"),
        ("*", "zstd"),
        ("*;q=0.5, zstd;q=0", "gzip"),
        ("gzip;q=0", None),
        ("identity;q=1, gzip;q=0.5", None),
        ("deflate, br", None),
        ("gzip;q=2", None),
        (",;,", None),
    ],
)
def test_chooses(asked: str, coding: str | None) -> None:
    assert chosen_coding({"headers": [(b"accept-encoding", asked.encode())]}) == coding


def test_no_header_no_coding() -> None:
    assert chosen_coding({"headers": []}) is None


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_is_undone_to_the_same(coding: str) -> None:
    body = b'{"00100010": {"vr": "PN"}}' * 1000
    stream = compressor(coding)
    streamed = b"".join([stream.compress(body[:100]), stream.compress(body[100:]), stream.flush()])
    for one in (compressed(body, coding), streamed):
        assert len(one) < len(body) / 10
        undone = (
            zlib.decompress(one, 31)
            if coding == "gzip"
            else zstandard.ZstdDecompressor().decompressobj().decompress(one)
        )
        assert undone == body
