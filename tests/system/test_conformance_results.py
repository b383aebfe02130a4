"""conformance/results.md is of the suites as they are, and has no failures."""

import re
import subprocess
import sys
from pathlib import Path

from conformance.report import fingerprint

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "conformance" / "results.md"


def _tests() -> list[str]:
    command = [sys.executable, "-m", "pytest", "conformance", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [line.removeprefix("conformance/") for line in done.stdout.splitlines() if "::" in line]


def test_the_results_are_not_stale() -> None:
    said = re.search(r"^Suites: (\w+)$", RESULTS.read_text(encoding="utf-8"), re.MULTILINE)
    assert said is not None
    assert said[1] == fingerprint(_tests()), "run: python -m pytest conformance --write-results"


def test_nothing_failed() -> None:
    assert re.search(r"^## Failed\n\nNone\.$", RESULTS.read_text(encoding="utf-8"), re.MULTILINE)
