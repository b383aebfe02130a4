"""DataFolder: what lies where in the data folder, and the lock that keeps a second server out of it."""

import fcntl
import os
import shutil
import time
from pathlib import Path
from typing import IO

from dicomweb_server.errors import Reason, ServerError

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


class DataFolder:
    """The folder of one store, locked for as long as it is open."""

    def __init__(self, root: Path, index: Path | None = None) -> None:
        """Makes what is missing; ServerError if it cannot be written or another process has it. `index`: its folder."""
        self.root = root
        self.blobs = root / "blobs"
        self.spool = root / "spool"
        self.index = (index or root) / "index.db"
        self._rebuilding = root / "rebuilding"
        self._locks: list[IO[str]] = []
        try:
            for folder in (root, self.blobs, self.spool, self.index.parent):
                folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            # Both, because two data folders may by mistake share one folder for the index.
            for folder in dict.fromkeys((root, self.index.parent)):
                self._locks.append(_lock(folder))
            # SQLite would let others read what it makes, and gives its other files the mode of the first.
            os.close(_open_private(str(self.index), os.O_RDWR | os.O_CREAT))
        except ServerError:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise ServerError(
                Reason.OUT_OF_RESOURCES, f"the data folder {root} cannot be used: {error.strerror}"
            ) from error

    def empty_spool(self) -> int:
        """Remove what an unclean stop left half received; returns how many files."""
        left = list(self.spool.iterdir())
        for path in left:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        return len(left)

    @property
    def is_rebuilding(self) -> bool:
        """Whether a rebuild of the index was begun and not finished."""
        return self._rebuilding.exists()

    def begin_rebuild(self) -> None:
        """Set the index aside, unless that was done and the rebuild stopped."""
        if self.is_rebuilding:
            return
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        for suffix in ("", "-wal", "-shm"):
            file = Path(f"{self.index}{suffix}")
            if file.exists():
                file.rename(f"{self.index}.{stamp}{suffix}")
        self._rebuilding.touch(mode=PRIVATE_FILE)

    @property
    def set_aside(self) -> Path | None:
        """The index that the last rebuild has set aside."""
        found = sorted(self.index.parent.glob(f"{self.index.name}.*Z"))
        return found[-1] if found else None

    def finish_rebuild(self) -> None:
        """The new index is whole."""
        self._rebuilding.unlink(missing_ok=True)

    def close(self) -> None:
        """Let another process have it."""
        while self._locks:
            self._locks.pop().close()


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE_FILE)


def _lock(folder: Path) -> IO[str]:
    file: IO[str] = open(folder / "lock", "a+", encoding="ascii", opener=_open_private)  # noqa: SIM115 (open for life)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read(20).strip()
        file.close()
        raise ServerError(
            Reason.BUSY, f"the data folder {folder} is in use by another server (process {holder or 'unknown'})"
        ) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
