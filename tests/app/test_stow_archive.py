"""STOW-RS of ZIP archives: entry by entry, and nothing that a hostile archive can gain."""

import io
import os
import struct
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dicomweb_server.http import archived_instances as stow_archive
from tests.app.dicomweb_harness import Archive, instance, items, open_archive, split_parts, values
from tests.builders import make_instance

ZIP = "application/zip"
REFERENCED, FAILED, OTHER, REASON = "00081199", "00081198", "0008119A", "00081197"


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path / "data") as opened:
        yield opened


def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as writer:
        for name, data in entries.items():
            writer.writestr(name, data)
    return buffer.getvalue()


async def is_stored(archive: Archive, data: bytes) -> bool:
    response = await archive.get(instance(data).path)
    return response.status_code == 200 and split_parts(response)[0].body == data


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
async def test_each_entry_is_stored(archive: Archive, method: int) -> None:
    files = [make_instance(), make_instance(rows=900, columns=900), make_instance()]
    body = zipped({"folder/": b"", "folder/1.dcm": files[0], "2": files[1], "a/b/c/3": files[2]}, method)
    response = await archive.post(body, content_type=ZIP)
    assert (response.status_code, len(items(response, REFERENCED))) == (200, 3)
    for data in files:
        assert await is_stored(archive, data)


async def test_names_mean_nothing(archive: Archive, tmp_path: Path) -> None:
    files = [make_instance() for _ in range(3)]
    names = ("../../../../tmp/evil.dcm", "/etc/evil.dcm", "..\\..\\evil\0.dcm")
    response = await archive.post(zipped(dict(zip(names, files, strict=True))), content_type=ZIP)
    assert (response.status_code, len(items(response, REFERENCED))) == (200, 3)
    assert list(tmp_path.rglob("*evil*")) == []  # noqa: ASYNC240 - nothing else runs


async def test_entries_that_are_no_instances_fail_alone(archive: Archive) -> None:
    good = make_instance()
    nested = zipped({"inner.dcm": make_instance()})
    body = zipped({"README": b"hello", "nested.zip": nested, "good.dcm": good, "empty": b""})
    response = await archive.post(body, content_type=ZIP)
    assert (response.status_code, len(items(response, REFERENCED))) == (202, 1)
    assert values(items(response, OTHER), REASON) == [0xC001] * 3
    assert (await archive.post(zipped({"README": b"hello"}), content_type=ZIP)).status_code == 400


async def test_a_damaged_entry_fails_alone(archive: Archive) -> None:
    first, second = make_instance(), make_instance()
    body = bytearray(zipped({"1": first, "2": second}, zipfile.ZIP_STORED))
    body[body.index(first) + 300] ^= 0xFF
    response = await archive.post(bytes(body), content_type=ZIP)
    assert (response.status_code, values(items(response, OTHER), REASON)) == (202, [0xC000])
    assert await is_stored(archive, second)
    assert not await is_stored(archive, first)


async def test_encrypted_and_exotic_entries_fail_alone(archive: Archive) -> None:
    files = [make_instance(rows=2, columns=2) for _ in range(3)]
    body = bytearray(zipped({"1": files[0], "2": files[1], "3": files[2]}, zipfile.ZIP_STORED))
    directory = [n for n in range(len(body)) if body[n : n + 4] == b"PK\1\2"]
    local = [n for n in range(len(body)) if body[n : n + 4] == b"PK\3\4"]
    body[directory[0] + 8] |= 1  # encrypted
    body[local[0] + 6] |= 1
    struct.pack_into("<H", body, directory[1] + 10, 99)  # a method that nobody knows
    struct.pack_into("<H", body, local[1] + 8, 99)
    response = await archive.post(bytes(body), content_type=ZIP)
    assert (response.status_code, values(items(response, OTHER), REASON)) == (202, [0xC000, 0xC000])
    assert await is_stored(archive, files[2])


async def test_a_bomb_is_not_inflated(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stow_archive, "_FREE_SIZE", 3_000_000)
    good = make_instance()
    body = zipped({"good": good, "bomb": bytes(50_000_000), "late": make_instance()})
    assert len(body) < 100_000
    response = await archive.post(body, content_type=ZIP)
    assert (response.status_code, len(items(response, REFERENCED))) == (202, 1)
    assert values(items(response, OTHER), REASON) == [0xA701, 0xA701]
    assert await is_stored(archive, good)


async def test_an_entry_over_the_limit(tmp_path: Path) -> None:
    async with open_archive(tmp_path, max_instance_size=100_000) as archive:
        good = make_instance()
        response = await archive.post(zipped({"1": good, "2": bytes(5_000_000), "3": good}), content_type=ZIP)
        assert (response.status_code, len(items(response, REFERENCED))) == (202, 2)
        assert values(items(response, OTHER), REASON) == [0xA701]
        assert (await archive.post(zipped({"1": bytes(5_000_000)}), content_type=ZIP)).status_code == 413


async def test_sizes_that_lie_are_not_believed(archive: Archive) -> None:
    data = make_instance()
    body = bytearray(zipped({"1": data}, zipfile.ZIP_STORED))
    directory = body.index(b"PK\1\2")
    for size in (0, 10, 0x7FFFFFFF):
        struct.pack_into("<2I", body, directory + 20, size, size)
        response = await archive.post(bytes(body), content_type=ZIP)
        assert response.status_code == 400
        assert not await is_stored(archive, data)


@pytest.mark.parametrize(
    "body",
    [
        b"PK",
        b"not an archive at all",
        os.urandom(1000),
        b"PK\5\6" + bytes(18),
        zipped({"1": b"x"})[:-10],
        b"PK\5\6" + struct.pack("<4H2IH", 0, 0, 9, 9, 0x7FFFFFFF, 0, 0),
    ],
    ids=["two letters", "text", "noise", "no end", "cut off", "a directory that lies"],
)
async def test_what_is_no_archive_answers_4xx(archive: Archive, body: bytes) -> None:
    response = await archive.post(body, content_type=ZIP)
    assert response.status_code in (400, 413)
    assert response.json()["status"] == response.status_code


async def test_too_many_entries(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stow_archive, "MAX_ENTRIES", 10)
    body = zipped({str(n): b"x" for n in range(11)})
    assert (await archive.post(body, content_type=ZIP)).status_code == 413


async def test_the_spool_is_emptied(archive: Archive, tmp_path: Path) -> None:
    files = {str(n): make_instance(rows=1000, columns=1000) for n in range(3)}
    assert (await archive.post(zipped(files, zipfile.ZIP_STORED), content_type=ZIP)).status_code == 200
    assert list((tmp_path / "data" / "spool").iterdir()) == []
