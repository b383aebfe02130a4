"""Durability: which files are synced, in which order, and what a failure means."""

import ctypes
import errno
import os
from pathlib import Path

import pytest

from dicomweb_server.storage.durability import FileSync, FilesystemSync, NoSync, SyncMode, durability


def test_one_call_per_file_system(tmp_path: Path) -> None:
    synced: list[int] = []

    def syncfs(descriptor: int) -> int:
        synced.append(os.fstat(descriptor).st_dev)
        return 0

    sync = FilesystemSync((tmp_path, tmp_path), syncfs)
    sync.note([tmp_path / "new"])
    sync.sync()
    sync.sync()
    assert synced == [tmp_path.stat().st_dev] * 2
    sync.close()
    sync.close()


def test_two_file_systems_are_both_synced(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    synced: list[int] = []

    def syncfs(descriptor: int) -> int:
        synced.append(os.fstat(descriptor).st_dev)
        return 0

    sync = FilesystemSync((tmp_path, other), syncfs)
    sync.sync()
    assert synced == [tmp_path.stat().st_dev, other.stat().st_dev]
    sync.close()


def test_a_failed_sync_is_an_error(tmp_path: Path) -> None:
    def syncfs(_: int) -> int:
        ctypes.set_errno(errno.EIO)
        return -1

    sync = FilesystemSync((tmp_path,), syncfs)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        sync.sync()
    sync.close()


def test_files_before_their_folders_before_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}"))))
    log = tmp_path / "index" / "index.db-wal"
    files = [tmp_path / "blobs" / "a" / "b" / name for name in ("1", "2")]
    for file in (*files, log):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    sync = FileSync(tmp_path / "blobs", log)
    sync.note([*files, tmp_path / "blobs" / "a" / "removed meanwhile"])
    sync.sync()
    folders = [tmp_path / "blobs" / "a" / "b", tmp_path / "blobs" / "a", tmp_path / "blobs"]
    assert synced == [*files, *folders, log, log.parent]
    synced.clear()
    sync.sync()
    assert synced == [log, log.parent]
    sync.close()


def test_what_failed_to_be_synced_is_not_synced_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "1"
    file.touch()
    sync = FileSync(tmp_path, tmp_path / "log")
    sync.note([file])

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="Input/output"):
            sync.sync()
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    sync.sync()
    assert len(synced) == 1  # the folder of the log


def test_modes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    off = durability(SyncMode.OFF, tmp_path, tmp_path / "log")
    assert isinstance(off, NoSync)
    off.note([])
    off.sync()
    off.close()
    full = durability(SyncMode.FULL, tmp_path, tmp_path / "log")
    full.sync()
    full.close()

    class NoSyncfs:
        def __init__(self, *_: object, **__: object) -> None: ...

    monkeypatch.setattr(ctypes, "CDLL", NoSyncfs)
    assert isinstance(durability(SyncMode.FULL, tmp_path, tmp_path / "log"), FileSync)
