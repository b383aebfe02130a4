"""The real instances that pydicom and pydicom-data ship, without those that no server could store."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom import config
from pydicom.data import get_testdata_files

# No Part 10 files, or shorter than they say.
BROKEN = frozenset(
    {
        "DICOMDIR-nooffset",
        "MR_truncated.dcm",
        "emri_small_jpeg_2k_lossless_too_short.dcm",
        "meta_missing_tsyntax.dcm",
        "rtplan_truncated.dcm",
    }
)


def _is_instance(path: Path) -> bool:
    if not path.is_file() or path.name in BROKEN or path.name.startswith("DICOMDIR"):
        return False
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


REAL_FILES = [path for path in sorted({Path(name) for name in get_testdata_files()}) if _is_instance(path)]


@contextmanager
def tolerant_pydicom() -> Iterator[None]:
    """pydicom reads what breaks rules, and does not complain of it."""
    before = config.settings.reading_validation_mode
    config.settings.reading_validation_mode = config.IGNORE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    config.settings.reading_validation_mode = before
