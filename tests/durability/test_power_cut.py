"""A power cut loses nothing that was acknowledged: the disk is taken as it is at that moment, without the page cache.

A store process works on an ext4 in an image file. It is killed, and the image copied before the kernel has written
back what was not synced; the copy is mounted like the disk of a machine that lost its power.
"""

import random
import shutil
import time
from pathlib import Path

import pytest

from tests.durability.file_system_image import make_image, mounted, require_mounting
from tests.durability.journal import broken_promises, check
from tests.durability.killed_process import run_and_kill


def cut_power(folder: Path, seconds: float, sync: str) -> tuple[Path, list[str]]:
    """Store, cut, and return the image as it was then, with what had been told."""
    image, copy = folder / "disk", folder / "after"
    make_image(image, 256)
    with mounted(image, folder / "before"):
        seed = random.Random().randrange(10**9)
        lines = run_and_kill(folder / "before" / "data", seconds, sync=sync, seed=seed, stored=6)
        time.sleep(0.1)  # what was under way to the disk arrives
        shutil.copyfile(image, copy)
    return copy, lines


@pytest.mark.parametrize("round_number", range(3))
def test_what_was_acknowledged_survives(tmp_path: Path, round_number: int) -> None:
    require_mounting()
    image, lines = cut_power(tmp_path, 0.4 + 0.5 * round_number, "full")
    assert sum(line.startswith("DONE") for line in lines) > 5
    with mounted(image, tmp_path / "found"):
        assert check(tmp_path / "found" / "data", lines) == []


async def test_this_test_is_able_to_fail(tmp_path: Path) -> None:
    """Without syncing, the same cut does lose instances; or the tests above would prove nothing.

    Unless the kernel wrote everything back just then, as it does when another process asks for that.
    """
    require_mounting()
    for attempt in range(6):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        image, lines = cut_power(folder, 1.0, "off")
        assert sum(line.startswith("DONE") for line in lines) > 5
        with mounted(image, folder / "found"):
            if await broken_promises(folder / "found" / "data", lines):
                return
    pytest.fail("six cuts without syncing lost nothing")
