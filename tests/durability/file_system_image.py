"""A file system in a file: small enough to fill, and to copy as the disk would be found after a power cut."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

# What the kernel writes by itself, it writes late: until then only a sync brings anything to the disk.
_OPTIONS = "loop,commit=300"


def require_mounting() -> None:
    """Skip, with the reason, where images cannot be mounted."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount an image")
    for program in ("mkfs.ext4", "mount", "umount"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program}")
    if not list(Path("/dev").glob("loop*")):
        pytest.skip("there are no loop devices")


def make_image(path: Path, megabytes: int) -> None:
    """An empty ext4."""
    with path.open("wb") as file:
        file.truncate(megabytes * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", str(path)], check=True)


@contextlib.contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    """The folder in which an image's files are; its journal is replayed if need be."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-o", _OPTIONS, str(image), str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"the image cannot be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextlib.contextmanager
def memory_file_system(folder: Path, megabytes: int) -> Iterator[Path]:
    """A tmpfs of limited size."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
