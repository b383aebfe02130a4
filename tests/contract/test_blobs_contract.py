"""What every implementation of `ports.blobs.Blobs` must do."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.blobs import Blobs, Make, Staged, received_at
from dicomweb_server.storage.blobs_filesystem import FilesystemBlobs
from dicomweb_server.storage.durability import NoSync
from dicomweb_server.storage.memory import MemoryBlobs
from tests.stored import place

LARGE = bytes(range(256)) * 12_000  # 3 MB: more than stays in memory, more than one chunk of a stream


@pytest.fixture(params=["filesystem", "memory"])
async def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Blobs]:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "spool").mkdir()
    made: Blobs = MemoryBlobs()
    if request.param == "filesystem":
        made = FilesystemBlobs(tmp_path / "blobs", tmp_path / "spool", NoSync())
    yield made
    await made.close()


async def put(blobs: Blobs, *contents: bytes) -> list[str]:
    staged = []
    for content in contents:
        staging = blobs.stage()
        for start in range(0, len(content), 100_000):
            await staging.write(memoryview(content)[start : start + 100_000])
        staged.append(await staging.finish())
    return place(blobs, *staged)


async def listed(blobs: Blobs) -> list[tuple[str, int, float]]:
    found = blobs.keys()
    return [one async for one in found]


async def test_stages_what_is_made_elsewhere(blobs: Blobs) -> None:
    def fails() -> list[bytes]:
        raise ServerError(Reason.CANNOT_UNDERSTAND, "no")

    makes: list[Make] = [lambda: [b"a", memoryview(LARGE), bytearray(b"z")], fails, list[bytes]]
    whole, error, empty = await blobs.stage_made(makes)
    assert isinstance(error, ServerError)
    assert isinstance(whole, Staged)
    assert isinstance(empty, Staged)
    content = b"a" + LARGE + b"z"
    assert (whole.size, whole.digest) == (len(content), sha256(content).digest())
    keys = place(blobs, whole, empty)
    assert [await blobs.read(key) for key in keys] == [content, b""]


async def test_nothing_is_left_of_what_could_not_be_made(blobs: Blobs) -> None:
    def breaks() -> list[bytes]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await blobs.stage_made([lambda: [b"a"], breaks])
    if isinstance(blobs, FilesystemBlobs):
        assert not list(blobs._spool._folder.iterdir())


@pytest.mark.parametrize("content", [b"", b"x", b"small" * 100, LARGE])
async def test_reads_what_was_placed(blobs: Blobs, content: bytes) -> None:
    [key] = await put(blobs, content)
    assert await blobs.read(key) == content
    assert b"".join([bytes(chunk) async for chunk in blobs.stream(key)]) == content
    assert await blobs.size(key) == len(content)
    data = await blobs.map(key)
    assert data[:] == content


async def test_staged_knows_size_and_digest(blobs: Blobs) -> None:
    for content in (b"small", LARGE):
        staging = blobs.stage()
        await staging.write(content)
        staged = await staging.finish()
        assert staged.size == len(content)
        assert staged.digest in (None, sha256(content).digest())
        assert (staged.data is None) != (staged.path is None)
        await blobs.discard([staged])


async def test_a_buffer_may_be_reused_after_write(blobs: Blobs) -> None:
    staging = blobs.stage()
    buffer = bytearray(b"first")
    await staging.write(memoryview(buffer))
    buffer[:] = b"other"
    [key] = place(blobs, await staging.finish())
    assert await blobs.read(key) == b"first"


@pytest.mark.parametrize(("offset", "length"), [(0, 10), (5, 0), (17, 300_000), (2_999_000, 1000), (100, None)])
async def test_reads_ranges(blobs: Blobs, offset: int, length: int | None) -> None:
    [key] = await put(blobs, LARGE)
    expected = LARGE[offset:] if length is None else LARGE[offset : offset + length]
    assert await blobs.read(key, offset, length) == expected
    chunks = [bytes(chunk) async for chunk in blobs.stream(key, offset, length)]
    assert b"".join(chunks) == expected
    assert all(len(chunk) <= 1024 * 1024 for chunk in chunks)


async def test_peek_never_lies(blobs: Blobs) -> None:
    [key] = await put(blobs, LARGE)
    assert blobs.peek(key, 1000, 131_072) in (None, LARGE[1000 : 1000 + 131_072])
    assert blobs.peek(key, len(LARGE) - 10, 11) is None
    assert blobs.peek("f" * 32, 0, 1) is None


@pytest.mark.parametrize(("offset", "length"), [(0, len(LARGE) + 1), (len(LARGE) + 1, None), (len(LARGE), 1)])
async def test_a_blob_that_is_too_short_is_damaged(blobs: Blobs, offset: int, length: int | None) -> None:
    [key] = await put(blobs, LARGE)
    with pytest.raises(ServerError) as caught:
        await blobs.read(key, offset, length)
    assert caught.value.reason is Reason.STORAGE_DAMAGED
    with pytest.raises(ServerError):
        _ = [chunk async for chunk in blobs.stream(key, offset, length)]


async def test_a_missing_blob_is_damaged(blobs: Blobs) -> None:
    with pytest.raises(ServerError) as caught:
        await blobs.read("0" * 32)
    assert caught.value.reason is Reason.STORAGE_DAMAGED
    with pytest.raises(ServerError):
        await blobs.map("0" * 32)
    assert await blobs.size("0" * 32) is None


async def test_remove(blobs: Blobs) -> None:
    keys = await put(blobs, b"a", b"b", b"c")
    await blobs.remove([keys[0], keys[2], "0" * 32])
    await blobs.remove([keys[0]])
    assert [key for key, _, _ in await listed(blobs)] == [keys[1]]


async def test_keys_are_ordered_by_time(blobs: Blobs) -> None:
    keys = []
    for number in range(5):
        keys += await put(blobs, *[b"x" * (number + 1)] * 20)
    assert keys == sorted(keys)
    assert len(set(keys)) == 100
    found = await listed(blobs)
    assert [key for key, _, _ in found] == keys
    assert [size for _, size, _ in found] == [number + 1 for number in range(5) for _ in range(20)]
    assert all(abs(modified - received_at(key)) < 60 for key, _, modified in found)


async def test_discard_is_safe_at_any_time(blobs: Blobs) -> None:
    for content in (b"", b"small", LARGE):
        staging = blobs.stage()
        await staging.write(content)
        await staging.discard()
        await staging.discard()
        other = blobs.stage()
        await other.write(content)
        staged = await other.finish()
        await blobs.discard([staged])
        await blobs.discard([staged])
        await other.discard()
    assert await listed(blobs) == []
