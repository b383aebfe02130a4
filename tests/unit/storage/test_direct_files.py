"""Files that are made past the page cache are files like any other, and where that cannot be, it is told."""

import errno
import os
import sys
from pathlib import Path

import pytest

from dicomweb_server.storage import direct_files
from dicomweb_server.storage.direct_files import BLOCK, DirectFiles


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="O_DIRECT is of Linux")
@pytest.mark.parametrize("size", [1, BLOCK - 1, BLOCK, BLOCK + 1, 10 * BLOCK, 530_000])
def test_they_have_their_bytes_and_nothing_else(tmp_path: Path, size: int) -> None:
    files = DirectFiles()
    assert files.make(tmp_path / "larger", os.urandom(600_000))
    data = os.urandom(size)
    assert files.make(tmp_path / "file", data)
    assert (tmp_path / "file").read_bytes() == data
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_none_is_made_twice(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"other")
    with pytest.raises(FileExistsError):
        DirectFiles().make(tmp_path / "file", b"data")
    assert (tmp_path / "file").read_bytes() == b"other"


def test_without_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        DirectFiles().make(tmp_path / "folder" / "file", b"data")


def test_where_the_file_system_does_not_offer_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def refuse(*_: object) -> int:
        nonlocal calls
        calls += 1
        raise OSError(errno.EINVAL, "no")

    monkeypatch.setattr(os, "write", refuse)
    files = DirectFiles()
    for _ in range(2):
        assert not files.make(tmp_path / "file", bytes(BLOCK))
        assert not (tmp_path / "file").exists()
    assert calls == 1  # it is not tried again


def test_where_the_system_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_files, "_DIRECT", 0)
    assert not DirectFiles().make(tmp_path / "file", b"data")
    assert not (tmp_path / "file").exists()


def test_a_part_is_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", lambda _descriptor, _data: BLOCK)
    with pytest.raises(OSError, match="No space left") as caught:
        DirectFiles().make(tmp_path / "file", bytes(2 * BLOCK))
    assert caught.value.errno == errno.ENOSPC
