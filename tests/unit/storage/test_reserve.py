"""The reserve: looks at the disk often enough, and not for every instance."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from dicomweb_server.storage import reserve
from dicomweb_server.storage.reserve import Reserve


class Disk:
    """A disk with so many bytes free, and how often somebody looked."""

    def __init__(self) -> None:
        self.free = 10_000
        self.looks = 0

    def statvfs(self, folder: Path) -> SimpleNamespace:
        self.looks += 1
        return SimpleNamespace(f_bavail=self.free, f_frsize=1)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk()
    monkeypatch.setattr(os, "statvfs", made.statvfs)
    monkeypatch.setattr(reserve, "_SECONDS", 60.0)
    return made


def test_a_full_disk_is_told_every_time(disk: Disk, tmp_path: Path) -> None:
    found = Reserve((tmp_path,), 1600)
    disk.free = 1599
    for _ in range(3):
        with pytest.raises(OSError, match="are left"):
            found.require(1)
    disk.free = 1600
    found.require(1)


def test_it_looks_again_before_the_reserve_is_used_up(disk: Disk, tmp_path: Path) -> None:
    found = Reserve((tmp_path,), 1600)
    for _ in range(50):
        found.require(10)
    assert disk.looks == 5
    disk.free = 0
    with pytest.raises(OSError, match="are left"):
        found.require(10)


def test_before_something_of_unknown_size_it_looks(disk: Disk, tmp_path: Path) -> None:
    found = Reserve((tmp_path,), 1600)
    found.require(10)
    found.require()
    assert disk.looks == 2


def test_it_looks_again_after_a_while(disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserve, "_SECONDS", 0.0)
    found = Reserve((tmp_path,), 1600)
    for _ in range(3):
        found.require(1)
    assert disk.looks == 3


def test_without_a_reserve_nobody_looks(disk: Disk, tmp_path: Path) -> None:
    Reserve((tmp_path,), 0).require(10**9)
    assert disk.looks == 0
