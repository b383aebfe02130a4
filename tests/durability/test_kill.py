"""kill -9 at any moment loses nothing that was acknowledged and leaves nothing to complain about."""

import random
import subprocess
import sys
from pathlib import Path

from tests.durability.journal import check
from tests.durability.killed_process import run_and_kill


def test_killed_at_any_time_under_load(tmp_path: Path) -> None:
    chance = random.Random()
    journal: list[str] = []
    for round_number in range(4):
        lines = run_and_kill(tmp_path, chance.uniform(0.1, 1.2), seed=chance.randrange(10**9), stored=6)
        assert lines[0] == "READY\n"
        journal += lines
        broken = check(tmp_path, journal)
        assert broken == [], f"round {round_number}"
    assert sum(line.startswith("DONE") for line in journal) > 20


def test_killed_step_by_step(tmp_path: Path) -> None:
    """At a sixth of the steps, others each time; `python -m tests.durability.crash_points FOLDER` takes them all."""
    first = str(random.Random().randrange(1, 7))
    command = [sys.executable, "-m", "tests.durability.crash_points", str(tmp_path), first, "6"]
    told = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-3000:]
    last = told.stdout.splitlines()[-1].split()
    assert last[0] == "STEPS"
    assert int(last[1]) > 100
