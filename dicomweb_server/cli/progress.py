"""One line on a terminal that is written over and over; nothing where there is no terminal."""

import shutil
import time
from typing import TextIO

_WHEEL = "|/-\\"


class Progress:
    """Shows how far a long command is."""

    def __init__(self, stream: TextIO, *, shown: bool) -> None:
        self._stream = stream
        self._shown = shown
        self._began = time.monotonic()
        self._turn = 0

    def show(self, text: str, done: int = 0, total: int = 0) -> None:
        """Say how far it is; with a total, as a bar."""
        if not self._shown:
            return
        self._turn += 1
        seconds = int(time.monotonic() - self._began)
        mark = _bar(done, total) if total else _WHEEL[self._turn % len(_WHEEL)]
        width = shutil.get_terminal_size().columns - 1
        line = f"{mark} {text} ({seconds // 60}:{seconds % 60:02d})"[:width]
        self._stream.write(f"\r{line:<{width}}")
        self._stream.flush()

    def finish(self) -> None:
        """Leave an empty line behind."""
        if self._shown:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write("\r" + " " * width + "\r")
            self._stream.flush()


def _bar(done: int, total: int, width: int = 30) -> str:
    filled = width * min(done, total) // total
    return f"[{'#' * filled}{'.' * (width - filled)}] {100 * min(done, total) // total:3d}%"
