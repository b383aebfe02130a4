"""Reserve: the last room on the disk is not for instances but for what makes room again, such as deleting some."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

RESERVE = 128 * 1024 * 1024


class Reserve:
    """Refuses to fill file systems to their last byte."""

    def __init__(self, folders: Sequence[Path], size: int = RESERVE) -> None:
        """`folders`: one on each file system of the store; `size`: bytes that stay free."""
        self._folders = list({folder.stat().st_dev: folder for folder in folders}.values())
        self._size = size

    def require(self) -> None:
        """OSError(ENOSPC) if only the reserve is left. A call costs two microseconds."""
        if self._size == 0:
            return
        for folder in self._folders:
            room = os.statvfs(folder)
            if room.f_bavail * room.f_frsize < self._size:
                raise OSError(errno.ENOSPC, f"less than {self._size // 1024 // 1024} MB are left on the disk")
