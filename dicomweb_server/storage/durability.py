"""Durability: what makes everything written so far survive a power cut, in one call for blobs and index together."""

import ctypes
import os
import threading
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from typing import Protocol


class SyncMode(Enum):
    """Whether an answer waits until the instance would survive a power cut."""

    FULL = "full"
    OFF = "off"  # a crash of the server loses nothing, a power cut the last seconds


class Durability(Protocol):
    """One per store. `note` and `sync` may be called from any thread."""

    def note(self, paths: Iterable[Path]) -> None:
        """These files are new."""

    def sync(self) -> None:
        """Return when all that was written before the call is durable; OSError if that cannot be known."""

    def close(self) -> None:
        """Let go of the folders."""


class FilesystemSync:
    """One `syncfs` per file system: all files, folders and the write-ahead log for the price of one flush."""

    def __init__(self, folders: Iterable[Path], syncfs: Callable[[int], int]) -> None:
        """Folders on the same file system count once."""
        self._syncfs = syncfs
        by_device = {folder.stat().st_dev: folder for folder in folders}
        # Held open from the start: the kernel reports a write error to descriptors that were open when it happened.
        self._descriptors = [os.open(folder, os.O_RDONLY) for folder in by_device.values()]

    def note(self, paths: Iterable[Path]) -> None:
        """Nothing to remember: `syncfs` finds them."""

    def sync(self) -> None:
        """Flush each file system."""
        for descriptor in self._descriptors:
            if self._syncfs(descriptor) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))

    def close(self) -> None:
        """Close the folders."""
        while self._descriptors:
            os.close(self._descriptors.pop())


class FileSync:
    """Where there is no `syncfs`: each new file and its folders, then the write-ahead log."""

    def __init__(self, root: Path, log: Path) -> None:
        """`log`: SQLite's write-ahead log; `root`: new folders are synced up to this one."""
        self._root = root
        self._log = log
        self._new: list[Path] = []
        self._lock = threading.Lock()

    def note(self, paths: Iterable[Path]) -> None:
        """Remember what to flush."""
        with self._lock:
            self._new.extend(paths)

    def sync(self) -> None:
        """Flush what is new; what failed to be flushed stays lost (PostgreSQL's lesson: never flush it again)."""
        with self._lock:
            files, self._new = self._new, []
        folders = {folder for file in files for folder in file.parents if self._root in (folder, *folder.parents)}
        for path in (*files, *sorted(folders, reverse=True), self._log, self._log.parent):
            _fsync(path)

    def close(self) -> None:
        """Nothing is held open."""


class NoSync:
    """For `SyncMode.OFF` and ephemeral stores."""

    def note(self, paths: Iterable[Path]) -> None:
        """Nothing to do."""

    def sync(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def durability(mode: SyncMode, blobs: Path, log: Path) -> Durability:
    """What this system offers for a mode."""
    if mode is SyncMode.OFF:
        return NoSync()
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    return FilesystemSync((blobs, log.parent), syncfs) if syncfs else FileSync(blobs, log)


def _fsync(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # removed meanwhile
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
