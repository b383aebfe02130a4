"""pydicom's reader of DICOMDIR, with its temporary folder removed in time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom.fileset import FileSet


@contextmanager
def opened_file_set(path: Path) -> Iterator[FileSet]:
    """The file-set of a DICOMDIR."""
    found = FileSet(path)
    try:
        yield found
    finally:
        found._stage["t"].cleanup()
