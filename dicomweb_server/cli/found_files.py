"""What an import finds: files in folders and entries of ZIP archives, one after the other, opened only when read."""

import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

_PREAMBLE = 128
_MAGIC = b"DICM"
# The first bytes of a data set that was written without a preamble: group 0002 or 0008, little endian.
_BARE = (b"\x02\x00", b"\x08\x00")
_ZIP_MAGIC = b"PK\x03\x04"
_DIRECTORY_CLASS = b"1.2.840.10008.1.3.10"
_HEAD = 2048


class UnreadableError(Exception):
    """A path that was asked for cannot be read."""


@dataclass(frozen=True, slots=True)
class Found:
    """One file or entry. `size`: what it takes on the disk; `open`: its bytes from the start, off the event loop."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def find(paths: Iterable[Path], besides: Path | None = None) -> Iterator[Found]:
    """Everything below some paths in a stable order; nothing below `besides`, which is the store itself."""
    excluded = besides.resolve() if besides else None
    for path in paths:
        if not path.exists():
            raise UnreadableError(f"{path} does not exist")
        if path.is_dir():
            yield from _below(path, excluded)
        else:
            yield from _file(path)


def total_size(paths: Iterable[Path]) -> int:
    """What all of it takes on the disk, roughly: for the progress bar."""
    total = 0
    for path in paths:
        if path.is_dir():
            total += sum(_size(Path(current, name)) for current, _, names in os.walk(path) for name in names)
        else:
            total += _size(path)
    return total


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _below(folder: Path, excluded: Path | None) -> Iterator[Found]:
    for current, folders, names in os.walk(folder):
        folders.sort()
        if excluded is not None and Path(current).resolve() == excluded:
            folders.clear()
            continue
        for name in sorted(names):
            path = Path(current, name)
            if path.is_file():
                yield from _file(path)


def _file(path: Path) -> Iterator[Found]:
    try:
        with path.open("rb") as file:
            is_archive = file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC
    except OSError:
        is_archive = False  # reading it will say why
    if is_archive and zipfile.is_zipfile(path):
        yield from _entries(path)
    else:
        yield Found(str(path), _size(path), lambda: path.open("rb"))


def _entries(path: Path) -> Iterator[Found]:
    # Sizes that the archive declares are never believed: entries are read as streams, up to the largest instance.
    # It closes itself when the last entry is forgotten; until then entries may be read, in parallel too.
    archive = zipfile.ZipFile(path)
    for entry in archive.infolist():
        if not entry.is_dir():
            yield Found(f"{path}:{entry.filename}", entry.compress_size, partial(archive.open, entry))


def looks_like_dicom(head: bytes) -> bool:
    """Worth reading whole? The parser judges later; this only keeps films and installers from being copied."""
    if head[_PREAMBLE : _PREAMBLE + 4] == _MAGIC:
        return _DIRECTORY_CLASS not in head  # a DICOMDIR lists instances, it is none
    return head[:2] in _BARE


def read_head(file: IO[bytes]) -> bytes:
    """The first bytes, enough to judge by."""
    return file.read(_HEAD)
