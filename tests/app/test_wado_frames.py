"""WADO-RS frames over a real store."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

from tests.app.dicomweb_harness import ROOT, Archive, Instance, open_archive, split_parts
from tests.builders import fake_jpeg, make_encapsulated, make_instance

OCTETS = 'multipart/related; type="application/octet-stream"'
STORED = OCTETS + "; transfer-syntax=*"
# 8 x 8 pixels of 16 bits that count upwards.
FRAMES = [b"".join(n.to_bytes(2, "little") for n in range(start, start + 64)) for start in (0, 64, 128)]
JPEGS = [fake_jpeg(bytes([n]) * 100) for n in (1, 2, 3)]


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path) as opened:
        yield opened


async def native(archive: Archive, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> Instance:
    return (await archive.add(make_instance(frames=3, transfer_syntax_uid=transfer_syntax_uid)))[0]


async def compressed(archive: Archive) -> Instance:
    return (await archive.add(make_encapsulated(JPEGS)))[0]


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
async def test_native_frames_come_in_little_endian(archive: Archive, syntax: str) -> None:
    one = await native(archive, syntax)
    response = await archive.get(one.path + "/frames/3,1", OCTETS)
    assert response.status_code == 200
    assert [part.body for part in split_parts(response)] == [FRAMES[2], FRAMES[0]]
    assert [part.headers["content-location"] for part in split_parts(response)] == [
        f"{ROOT}{one.path}/frames/{number}" for number in (3, 1)
    ]
    assert split_parts(response)[0].headers["content-type"] == (
        "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    )
    assert int(response.headers["content-length"]) == len(response.content)


async def test_all_frames_come_without_a_list(archive: Archive) -> None:
    one = await native(archive)
    assert [part.body for part in split_parts(await archive.get(one.path + "/frames"))] == FRAMES


async def test_frames_of_single_bits_begin_at_a_byte(archive: Archive) -> None:
    (one,) = await archive.add(make_instance(frames=3, bits_allocated=1, rows=5, columns=5))
    bodies = [part.body for part in split_parts(await archive.get(one.path + "/frames/1,2,3"))]
    packed = int.from_bytes(bytes(range(10)), "little")
    assert bodies == [((packed >> 25 * n) & (1 << 25) - 1).to_bytes(4, "little") for n in range(3)]


async def test_compressed_frames_come_as_stored(archive: Archive) -> None:
    one = await compressed(archive)
    for accept in (None, "*/*", STORED, 'multipart/related; type="image/jpeg"', 'multipart/related; type="*/*"'):
        response = await archive.get(one.path + "/frames/2", accept)
        (part,) = split_parts(response)
        assert part.body == JPEGS[1]
        assert part.headers["content-type"] == f"image/jpeg; transfer-syntax={JPEGBaseline8Bit}"
        assert 'type="image/jpeg"' in response.headers["content-type"]


async def test_one_frame_comes_alone_when_asked(archive: Archive) -> None:
    plain, jpeg = await native(archive), await compressed(archive)
    response = await archive.get(plain.path + "/frames/2", "application/octet-stream")
    assert response.content == FRAMES[1]
    assert response.headers["content-type"].startswith("application/octet-stream")
    response = await archive.get(jpeg.path + "/frames/3", "image/jpeg")
    assert response.content == JPEGS[2]


REFUSED = [
    ("native", "/frames/0", None, 400, "numbered from 1"),
    ("native", "/frames/4", None, 404, "no frame 4"),
    ("native", "/frames/1,4", None, 404, "no frame 4"),
    ("native", "/frames/-1", None, 400, "ill-formed"),
    ("native", "/frames/x", None, 400, "ill-formed"),
    ("native", "/frames/1,,2", None, 400, "ill-formed"),
    ("native", "/frames/1.5", None, 400, "ill-formed"),
    ("native", "/frames/%D9%A3", None, 400, "ill-formed"),
    ("native", "/frames/" + "1," * 10000 + "1", None, 400, "ill-formed"),
    ("native", "/frames/1,2", "application/octet-stream", 406, 'multipart/related; type="application/octet-stream"'),
    ("native", "/frames/1", "video/mp4", 406, "application/octet-stream"),
    ("native", "/frames/1", "image/jpeg;q=nonsense", 400, "Accept"),
    ("native", "/frames/1", OCTETS + "; transfer-syntax=1.2.840.10008.1.2", 406, "1.2.840.10008.1.2.1"),
    ("compressed", "/frames/1", OCTETS, 406, "cannot be decoded"),
    ("compressed", "/frames/1", OCTETS + "; transfer-syntax=1.2.840.10008.1.2.1", 406, "cannot be decoded"),
    ("compressed", "/frames/4", None, 404, "no frame 4"),
]


@pytest.mark.parametrize(("kind", "path", "accept", "status", "words"), REFUSED)
async def test_refuses(archive: Archive, kind: str, path: str, accept: str | None, status: int, words: str) -> None:
    one = await (native(archive) if kind == "native" else compressed(archive))
    response = await archive.get(one.path + path, accept)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert words in response.json()["detail"]


async def test_an_instance_without_pixels_has_no_frames(archive: Archive) -> None:
    from tests.builders import make_dataset, write_part10

    (one,) = await archive.add(write_part10(make_dataset()))
    for path in ("/frames/1", "/frames"):
        response = await archive.get(one.path + path)
        assert response.status_code == 404
        assert "no pixel data" in response.json()["detail"]


async def test_a_copy_that_is_current_is_not_sent_again(archive: Archive) -> None:
    one = await native(archive)
    first = await archive.get(one.path + "/frames/1")
    assert "immutable" in first.headers["cache-control"]
    assert "private" in first.headers["cache-control"]
    again = await archive.get(one.path + "/frames/1", if_none_match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    later = await archive.get(one.path + "/frames/1", if_modified_since=first.headers["last-modified"])
    assert later.status_code == 304
    other = await archive.get(one.path + "/frames/1", if_none_match='"another"')
    assert other.status_code == 200
    alone = await archive.get(one.path + "/frames/1", "application/octet-stream")
    assert alone.headers["etag"] != first.headers["etag"]


async def test_an_archive_that_replaces_lets_caches_ask_again(tmp_path: Path) -> None:
    async with open_archive(tmp_path, immutable=False) as archive:
        one = await native(archive)
        assert (await archive.get(one.path + "/frames/1")).headers["cache-control"] == "private, no-cache"


async def test_ranges_of_a_frame(archive: Archive) -> None:
    one = await native(archive)
    path, alone = one.path + "/frames/1", "application/octet-stream"
    part = await archive.get(path, alone, range="bytes=10-19")
    assert (part.status_code, part.content) == (206, FRAMES[0][10:20])
    assert part.headers["content-range"] == "bytes 10-19/128"
    several = await archive.get(path, alone, range="bytes=0-1,-2")
    assert several.status_code == 206
    assert several.headers["content-type"].startswith("multipart/byteranges")
    assert [one.body for one in split_parts(several)] == [FRAMES[0][:2], FRAMES[0][-2:]]
    assert [one.headers["content-range"] for one in split_parts(several)] == ["bytes 0-1/128", "bytes 126-127/128"]
    outside = await archive.get(path, alone, range="bytes=200-")
    assert (outside.status_code, outside.headers["content-range"]) == (416, "bytes */128")
    changed = await archive.get(path, alone, range="bytes=0-1", if_range='"another"')
    assert (changed.status_code, changed.content) == (200, FRAMES[0])


@pytest.mark.parametrize("listed", ["1", "3,1"])
async def test_ranges_of_a_multipart_body_put_together_are_the_body(archive: Archive, listed: str) -> None:
    one = await native(archive)
    path = f"{one.path}/frames/{listed}"
    whole = await archive.get(path, OCTETS)
    assert whole.headers["accept-ranges"] == "bytes"
    size = len(whole.content)
    for first in range(0, size, 50):
        piece = await archive.get(path, OCTETS, range=f"bytes={first}-{first + 49}")
        assert (piece.status_code, piece.content) == (206, whole.content[first : first + 50])
        assert piece.headers["content-range"] == f"bytes {first}-{min(first + 49, size - 1)}/{size}"
        assert piece.headers["content-type"] == whole.headers["content-type"]
    rest = await archive.get(path, OCTETS, range="bytes=10-")
    assert (rest.status_code, rest.content) == (206, whole.content[10:])
    several = await archive.get(path, OCTETS, range="bytes=0-9,20-29")
    assert (several.status_code, several.content) == (200, whole.content)
    outside = await archive.get(path, OCTETS, range=f"bytes={size}-")
    assert (outside.status_code, outside.headers["content-range"]) == (416, f"bytes */{size}")
    changed = await archive.get(path, OCTETS, range="bytes=0-1", if_range='"another"')
    assert (changed.status_code, changed.content) == (200, whole.content)


async def test_head_says_what_get_would(archive: Archive) -> None:
    one = await native(archive)
    for accept in (None, "application/octet-stream"):
        get = await archive.get(one.path + "/frames/1", accept)
        head = await archive.send("HEAD", one.path + "/frames/1", accept)
        assert (head.status_code, head.content) == (200, b"")
        assert dict(head.headers) == dict(get.headers)


async def test_the_body_of_a_representation_never_changes(archive: Archive) -> None:
    one = await native(archive)
    bodies = {(await archive.get(one.path + "/frames/1,2,3")).content for _ in range(3)}
    assert len(bodies) == 1


@pytest.mark.parametrize("whole_size", [10_000_000, 10])
async def test_a_frame_that_cannot_be_read_is_an_error(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, whole_size: int, tmp_path: Path
) -> None:
    monkeypatch.setattr("dicomweb_server.services.contents.WHOLE_SIZE", whole_size)
    monkeypatch.setattr("dicomweb_server.http.parts._WHOLE_SIZE", whole_size)
    one = await native(archive)
    assert archive.store.blobs.unplaced.place_all()
    for file in (tmp_path / "blobs").rglob("*.dcm"):
        os.truncate(file, 600)
    for path, accept in (("/frames/3", None), ("/frames/3", "application/octet-stream"), ("/frames/3,2", None)):
        response = await archive.get(one.path + path, accept)
        assert (response.status_code, response.json()["reason"]) == (500, "STORAGE_DAMAGED")


async def test_large_frames_are_streamed(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb_server.services.contents.WHOLE_SIZE", 10_000)
    monkeypatch.setattr("dicomweb_server.http.parts._WHOLE_SIZE", 10_000)
    (one,) = await archive.add(make_instance(rows=400, columns=400, frames=2))
    response = await archive.get(one.path + "/frames/1,2", OCTETS)
    first, second = (part.body for part in split_parts(response))
    assert len(first) == len(second) == 320_000
    assert first[:4] == b"\0\0\1\0"
    assert first + second == one.data[-640_000:]
    alone = await archive.get(one.path + "/frames/2", "application/octet-stream", range="bytes=319990-")
    assert (alone.status_code, alone.content) == (206, second[-10:])
