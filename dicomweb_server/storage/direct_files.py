"""Direct files: makes files past the page cache, where the file system offers that (Linux's O_DIRECT).

That spares the processor a copy, and the kernel to find pages for it, which took 1 ms for half a megabyte where there
was much else to do. Whoever reads such a file first waits for the disk.
"""

import errno
import fcntl
import mmap
import os
from pathlib import Path

from dicomweb_server.storage.data_folder import PRIVATE_FILE
from dicomweb_server.storage.spool import write_all

BLOCK = 4096
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_DIRECT: int = getattr(os, "O_DIRECT", 0)


class DirectFiles:
    """Makes one file at a time."""

    def __init__(self) -> None:
        """Whether the file system offers it, the first file will tell."""
        self._is_possible = bool(_DIRECT)
        self._buffer = mmap.mmap(-1, BLOCK)  # begins with a page of memory

    def make(self, path: Path, data: bytes) -> bool:
        """Make a file, which must not be there. False if it is not to be had in this way, and then it is not there.

        After any other OSError a part of it may be there.
        """
        if self._is_possible:
            try:
                self._make(path, data)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                self._is_possible = False  # not here, or not in blocks of this size
                path.unlink(missing_ok=True)
        return self._is_possible

    def _make(self, path: Path, data: bytes) -> None:
        """Whole blocks; the rest by way of the page cache."""
        whole = len(data) // BLOCK * BLOCK
        if whole > len(self._buffer):
            self._buffer = mmap.mmap(-1, whole)
        descriptor = os.open(path, _NEW | _DIRECT, PRIVATE_FILE)
        try:
            with memoryview(data) as given, memoryview(self._buffer) as buffer, buffer[:whole] as blocks:
                blocks[:] = given[:whole]
                if os.write(descriptor, blocks) != whole:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                fcntl.fcntl(descriptor, fcntl.F_SETFL, 0)
                write_all(descriptor, given[whole:])
        finally:
            os.close(descriptor)
