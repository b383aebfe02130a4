"""The journal's two files: they take turns, grow as far as they may, and give up rather than fail a store."""

import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.ports.index import OnDuplicate
from dicomweb_server.storage.journal import Journal
from dicomweb_server.storage.journal_format import Entry, Group

SIZE = 64 * 1024  # of each file


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path, 2 * SIZE)
    yield made
    made.close()


def group(revision: int, size: int = 10_000) -> Group:
    data = bytes([revision % 256]) * size
    return Group(revision, [Entry(f"{revision:032x}", 1.0, OnDuplicate.KEEP, Origin("dimse"), data)])


def found(folder: Path) -> list[int]:
    """The revisions that the next process would read."""
    journal = Journal(folder, 2 * SIZE)
    revisions = [group.revision for group in journal.groups()]
    journal.close()
    return revisions


def fill(journal: Journal, revision: int) -> int:
    """Append until nothing goes in; the next revision."""
    while journal.append([group(revision)]):
        revision += 1
    return revision


def test_what_is_appended_is_found_in_order(journal: Journal, tmp_path: Path) -> None:
    assert not journal.is_used
    end = fill(journal, 1)
    assert journal.is_used
    assert found(tmp_path) == list(range(1, end))
    assert end > 8


def test_a_full_file_waits_until_it_is_freed(journal: Journal, tmp_path: Path) -> None:
    revision = 1
    while not journal.is_full:
        assert journal.append([group(revision)])
        revision += 1
    second = revision - 1  # is in the second file
    revision = fill(journal, revision)
    journal.free()
    assert not journal.is_full
    assert journal.append([group(revision)])
    assert journal.is_full
    assert found(tmp_path) == list(range(second, revision + 1))


def test_all_is_free_after_a_restart(journal: Journal, tmp_path: Path) -> None:
    end = fill(journal, 1)
    journal.restart()
    assert not journal.is_used
    assert found(tmp_path) == list(range(1, end))  # until they are overwritten
    assert fill(journal, end) == 2 * end - 1
    assert found(tmp_path) == list(range(end, 2 * end - 1))


def test_what_was_cleared_is_not_found(journal: Journal, tmp_path: Path) -> None:
    fill(journal, 1)
    journal.clear()
    assert found(tmp_path) == []
    assert not journal.is_used


def test_nothing_is_written_before_it_is_needed(journal: Journal, tmp_path: Path) -> None:
    journal.clear()
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [0, 0]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())


def test_it_is_laid_out_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sizes() -> list[int]:
        return [(tmp_path / f"journal-{number}").stat().st_size for number in range(2)]

    monkeypatch.setattr("dicomweb_server.storage.journal._GROWTH", SIZE // 2)
    journal = Journal(tmp_path, 2 * SIZE)
    assert journal.append([group(1)])
    steps = [sizes()]
    while journal.lay_out():
        steps.append(sizes())
    assert steps == [[SIZE // 2, 0], [SIZE, 0], [SIZE, SIZE // 2], [SIZE, SIZE]]
    assert journal.append([group(2)])
    assert sizes() == [SIZE, SIZE]
    assert found(tmp_path) == [1, 2]
    journal.close()


def test_it_is_not_laid_out_where_there_is_little_room(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    room = os.statvfs("/")
    monkeypatch.setattr("dicomweb_server.storage.journal._PLENTY", room.f_blocks * room.f_frsize * 1000)
    assert not journal.lay_out()


def test_what_is_large_is_not_taken(journal: Journal) -> None:
    assert not journal.append([group(1, 2 * SIZE)])
    assert not journal.append([group(n, 60_000) for n in range(1, 6)])
    assert not journal.is_used


def test_without_a_size_there_is_none(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 0)
    assert not journal.append([group(1)])
    assert not journal.is_used
    journal.close()


def test_where_it_cannot_grow_it_stays_as_it_is(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite = os.pwrite

    def until_full(file: int, data: bytes, offset: int) -> int:
        if offset + len(data) > SIZE // 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(file, data, offset)

    monkeypatch.setattr("dicomweb_server.storage.journal._GROWTH", 8192)
    monkeypatch.setattr(os, "pwrite", until_full)
    end = fill(journal, 1)
    assert end > 4
    journal.restart()
    assert fill(journal, end) == 2 * end - 1
    assert len(found(tmp_path)) == end - 1


def test_where_it_cannot_be_written_it_gives_up(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert journal.append([group(1)])

    def no_room(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", no_room)
        assert not journal.append([group(2)])
    assert not journal.append([group(2)])


def test_what_was_written_in_part_is_not_found(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert journal.append([group(1)])
    pwrite = os.pwrite
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda file, data, offset: pwrite(file, data[:5000], offset))
        assert not journal.append([group(2)])
    assert found(tmp_path) == [1]


@pytest.mark.parametrize("call", ["open", "pwrite"])
def test_where_the_page_cache_cannot_be_passed_by_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    does, refused = getattr(os, call), []

    def refuse(first: Any, *rest: Any) -> Any:
        flags: int = rest[0] if call == "open" else fcntl.fcntl(first, fcntl.F_GETFL)
        if flags & os.O_DIRECT:
            refused.append(first)
            raise OSError(errno.EINVAL, "Invalid argument")
        return does(first, *rest)

    monkeypatch.setattr(os, call, refuse)
    journal = Journal(tmp_path, 2 * SIZE)
    assert fill(journal, 1) > 8
    assert len(refused) == 2  # of each file once
    journal.close()
    assert found(tmp_path)[:3] == [1, 2, 3]
