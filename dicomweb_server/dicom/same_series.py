"""Same series: by what bytes an instance's series is told before it is read, and what is known of the last ones."""

from typing import Generic, TypeVar

from dicomweb_server.dicom.encoding import Buffer

_SERIES_INSTANCE_UID = b"\x20\0\x0e\0"
_SEARCHED = 1 << 16  # bytes in which the series is looked for
_MAX_SERIES = 64

Known = TypeVar("Known")
Key = tuple[bytes, frozenset[int]]  # what tells the series, and the extra tags that are indexed


class BySeries(Generic[Known]):
    """Something known of each of the series met last, in two generations like those of the memo."""

    def __init__(self) -> None:
        self._recent: dict[Key, Known] = {}
        self._older: dict[Key, Known] = {}

    def get(self, series: Key) -> Known | None:
        """What is known of a series."""
        return self._recent.get(series) or self._older.get(series)

    def put(self, series: Key, known: Known) -> None:
        """Remember or replace it."""
        if len(self._recent) >= _MAX_SERIES and series not in self._recent:
            self._older = self._recent
            self._recent = {}
        self._recent[series] = known


def series_of(buffer: Buffer, start: int) -> bytes | None:
    """Bytes that, in all likelihood, the instances of one series share and others have not; None if not found soon.

    Looked for from `start` on, in little endian.
    """
    start = buffer.find(_SERIES_INSTANCE_UID, start, start + _SEARCHED)
    if start < 0:
        return None
    at = start + (6 if buffer[start + 4 : start + 6] == b"UI" else 4)
    length = int.from_bytes(buffer[at : at + 2], "little")
    return buffer[start : start + 8 + length] if length <= 64 else None
