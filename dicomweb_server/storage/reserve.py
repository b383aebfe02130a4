"""Reserve: the last room on the disk is not for instances but for what makes room again, such as deleting some."""

import errno
import os
import time
from collections.abc import Sequence
from pathlib import Path

RESERVE = 128 * 1024 * 1024
# Between two looks at the disk: so long at most, and so much of the reserve may be written.
_SECONDS = 0.05
_SHARE = 16


class Reserve:
    """Refuses to fill file systems to their last byte."""

    def __init__(self, folders: Sequence[Path], size: int = RESERVE) -> None:
        """`folders`: one on each file system of the store; `size`: bytes that stay free."""
        self._folders = list({folder.stat().st_dev: folder for folder in folders}.values())
        self._size = size
        self._good_until = 0.0
        self._written = 0

    def require(self, size: int | None = None) -> None:
        """OSError(ENOSPC) if only the reserve is left; `size`: what is to be written, if known. From any thread."""
        if self._size == 0:
            return
        now = time.monotonic()
        self._written += self._size if size is None else size
        if self._written < self._size // _SHARE and now < self._good_until:
            return
        self._good_until = self._written = 0
        for folder in self._folders:
            room = os.statvfs(folder)
            if room.f_bavail * room.f_frsize < self._size:
                raise OSError(errno.ENOSPC, f"less than {self._size // 1024 // 1024} MB are left on the disk")
        self._good_until = now + _SECONDS
