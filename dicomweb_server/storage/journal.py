"""Journal: a copy of small instances that is on the disk before their files and rows are.

To overwrite what a file has already is the cheapest way to the disk that a file system has: nothing is allocated, no
folder changes. Two files of fixed size take turns. When one is full, a sync of everything makes what it has
superfluous, while the other one fills.
"""

import errno
import fcntl
import logging
import mmap
import os
from collections.abc import Sequence
from pathlib import Path

from dicomweb_server.storage.data_folder import PRIVATE_FILE
from dicomweb_server.storage.journal_format import BLOCK, STAMP, Group, decode, encode

_log = logging.getLogger(__name__)

JOURNAL_SIZE = 64 * 1024 * 1024
_GROWTH = 1024 * 1024
_PLENTY = 1024 * 1024 * 1024  # of room, where a journal may be larger than need be
_DIRECT: int = getattr(os, "O_DIRECT", 0)  # Linux; saves a copy and a tenth to a fifth of the time
_NAMES = ("journal-0", "journal-1")


class Journal:
    """Both files of a data folder; its methods are called by one thread at a time, but for `free`."""

    def __init__(self, folder: Path, size: int = JOURNAL_SIZE) -> None:
        """`size`: of both files together, once they are needed; 0: nothing is ever appended."""
        self._files = [JournalFile(folder / name, size // 2) for name in _NAMES]
        self._current = 0
        self._full: JournalFile | None = None

    def groups(self) -> list[Group]:
        """What was appended and not yet superfluous, as far as it is whole, in the order of the transactions."""
        found = [group for file in self._files for group in file.groups()]
        return sorted(found, key=lambda group: (group.revision, group.promise))

    def append(self, groups: Sequence[Group]) -> bool:
        """Write them through to the disk; False if that was not possible, and a sync must do."""
        file = self._files[self._current]
        if file.append(groups):
            return True
        if self._full is not None:
            return False
        self._full = file
        self._current = 1 - self._current
        return self._files[self._current].append(groups)

    def lay_out(self) -> bool:
        """Make one of the files a step larger, so that nobody waits for that; False if there is nothing to do."""
        return any(file.lay_out() for file in self._files)

    @property
    def is_usable(self) -> bool:
        """Whether anything may be appended."""
        return self._files[self._current].is_usable

    @property
    def is_used(self) -> bool:
        """Whether anything was appended that is not known to be durable elsewhere."""
        return any(file.is_used for file in self._files)

    @property
    def is_full(self) -> bool:
        """Whether one of the files waits for a sync of everything, after which it may be begun anew."""
        return self._full is not None

    def free(self) -> None:
        """All that was appended to the full file is durable elsewhere."""
        if self._full is not None:
            self._full.restart()
            self._full = None

    def restart(self) -> None:
        """All that was appended is durable elsewhere."""
        self._full = None
        for file in self._files:
            file.restart()

    def clear(self) -> None:
        """The same, and nobody shall find it any more. OSError if that is not possible."""
        for file in self._files:
            file.clear()

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


class JournalFile:
    """A chain of appends from the beginning of a file."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit - limit % BLOCK
        self._descriptor = _open(path)
        self._size = os.fstat(self._descriptor).st_size // BLOCK * BLOCK
        self._buffer = mmap.mmap(-1, BLOCK)  # begins with a page of memory
        self.restart()

    def groups(self) -> list[Group]:
        """What the last process has appended."""
        with self._path.open("rb") as file:
            first = file.read(BLOCK)
            return list(decode(first + file.read())) if first.strip(b"\0") else []

    def append(self, groups: Sequence[Group]) -> bool:
        """Write behind what is there; False if there is no room."""
        pieces = [p for number, group in enumerate(groups, self._number) for p in encode(group, self._stamp, number)]
        size = sum(map(len, pieces))
        try:
            if not self._has_room(self._end + size):
                return False
            self._write(pieces, size, self._end)
        except OSError as error:
            _log.warning("the journal is not used any more, for writing to it failed: %s", error.strerror)
            self._limit = 0
            return False
        self._number += len(groups)
        self._end += size
        return True

    def lay_out(self) -> bool:
        """Grow a step before it is needed, if there is plenty of room; False if there is nothing to do."""
        room = os.fstatvfs(self._descriptor)
        return self._size < self._limit and room.f_bavail * room.f_frsize > _PLENTY and self._grow()

    @property
    def is_usable(self) -> bool:
        """Whether it may have anything at all."""
        return self._limit > 0

    @property
    def is_used(self) -> bool:
        """Whether anything was appended since it was begun anew."""
        return self._end > 0

    def restart(self) -> None:
        """Begin anew; what is there stays until it is overwritten."""
        self._stamp = os.urandom(STAMP)
        self._number = self._end = 0

    def clear(self) -> None:
        """Overwrite the beginning, through to the disk."""
        self.restart()
        if self._size:
            self._write([bytes(BLOCK)], BLOCK, 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _has_room(self, end: int) -> bool:
        """Grow as far as need be and may be."""
        if end > self._limit:
            return False
        while end > self._size and self._grow():
            pass
        return end <= self._limit

    def _grow(self) -> bool:
        """A step, of zeros, so that whoever appends finds it allocated; False if that is not possible."""
        growth = min(_GROWTH, self._limit - self._size)
        try:
            self._write([bytes(growth)], growth, self._size)
        except OSError as error:
            _log.warning("the journal stays at %d bytes, for growing failed: %s", self._size, error.strerror)
            self._limit = self._size
            return False
        self._size += growth
        return True

    def _write(self, pieces: Sequence[bytes], size: int, offset: int) -> None:
        """Write whole blocks; returns when they are on the disk."""
        if size > len(self._buffer):
            self._buffer = mmap.mmap(-1, size)
        position = 0
        for piece in pieces:
            self._buffer[position : position + len(piece)] = piece
            position += len(piece)
        with memoryview(self._buffer) as buffer, buffer[:size] as content:
            try:
                written = os.pwrite(self._descriptor, content, offset)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                # Its blocks are larger than ours: then by way of the page cache.
                flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
                fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags & ~_DIRECT)
                written = os.pwrite(self._descriptor, content, offset)
        if written != size:
            raise OSError(errno.EIO, "a part only was written")


def _open(path: Path) -> int:
    """Opened so that a write returns when it is on the disk, past the page cache where the file system offers that."""
    # Where writing through is not to be had for data alone, it is for all.
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_DSYNC", os.O_SYNC)
    try:
        return os.open(path, flags | _DIRECT, PRIVATE_FILE)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.open(path, flags, PRIVATE_FILE)
