"""WorklistFolder: scheduled steps in files (*.wl) that others write, as wlmscpfs and Orthanc read them.

Files directly in the folder belong to every worklist, those in a folder below it to the one that has its name. They
are read again when they change. Nothing here is ever written, and no name that a peer sends becomes part of a path.
"""

import asyncio
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dicomweb_server.dicom.data_set_json import read_document
from dicomweb_server.dicom.scheduled import step_of
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.worklist import ScheduledStep

_log = logging.getLogger(__name__)

_SUFFIX = ".wl"
_LARGEST_FILE = 1 << 20
_MOST_FILES = 20_000
_CHARACTER_SET = "00080005"


@dataclass(frozen=True, slots=True)
class _Read:
    stamp: tuple[int, int]  # when it was changed, how long it is
    step: ScheduledStep | None  # None: it cannot be read


class WorklistFolder:
    """Implements `ports.worklist.ScheduledStepFiles`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, _Read] = {}
        self._failed = False
        self._reading = asyncio.Lock()

    async def scheduled_steps(self) -> Sequence[ScheduledStep]:
        """What the files say now, in the order of their names."""
        async with self._reading:
            return await asyncio.to_thread(self._scan)

    def _scan(self) -> list[ScheduledStep]:
        known, found = self._known, {}
        try:
            for name, worklist, entry in _files(self._folder):
                found[name] = self._read(name, worklist, entry, known.get(name))
                if len(found) >= _MOST_FILES:
                    break
            self._failed = False
        except OSError as error:
            if not self._failed:
                _log.warning("the worklist folder cannot be read: %s", error.strerror)
            self._failed = True
        self._known = found
        return [each.step for _, each in sorted(found.items()) if each.step is not None]

    def _read(self, name: str, worklist: str, entry: "os.DirEntry[str]", known: _Read | None) -> _Read:
        try:
            status = entry.stat()
            stamp = status.st_mtime_ns, status.st_size
            if known is not None and known.stamp == stamp:
                return known
            if status.st_size > _LARGEST_FILE:
                _log.warning("a worklist file is passed over: it has more than %d bytes", _LARGEST_FILE)
                return _Read(stamp, None)
            document = read_document(Path(entry.path).read_bytes())
            if not step_of(document):
                raise ServerError(Reason.CANNOT_UNDERSTAND, "it has no Scheduled Procedure Step Sequence")
        except FileNotFoundError:
            return _Read((0, 0), None)
        except (OSError, ServerError) as error:
            detail = error.detail if isinstance(error, ServerError) else error.strerror
            _log.warning("a worklist file cannot be read and is passed over: %s", detail)
            return _Read(stamp, None)
        document.pop(_CHARACTER_SET, None)
        return _Read(stamp, ScheduledStep(name, document, status.st_mtime, worklist))


def _files(folder: Path) -> Iterator[tuple[str, str, "os.DirEntry[str]"]]:
    """Name, worklist and directory entry of each file."""
    for entry in os.scandir(folder):
        if entry.is_dir():
            for below in os.scandir(entry.path):
                if _is_worklist_file(below):
                    yield f"{entry.name}:{_stem(below)}", entry.name, below
        elif _is_worklist_file(entry):
            yield _stem(entry), "", entry


def _stem(entry: "os.DirEntry[str]") -> str:
    return entry.name[: -len(_SUFFIX)]


def _is_worklist_file(entry: "os.DirEntry[str]") -> bool:
    return entry.name.lower().endswith(_SUFFIX) and entry.is_file()
