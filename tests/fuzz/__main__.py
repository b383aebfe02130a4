"""Fuzz every parser with atheris: `python -m tests.fuzz [seconds each]`, or one: `python -m tests.fuzz seconds target`.

A target is a module `fuzz_<parser>.py` here with `fuzz(data)`, which raises for what must not happen, and `seeds()`.
"""

import importlib
import logging
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
MAX_LENGTH = 1 << 16


def targets() -> list[str]:
    return sorted(path.stem.removeprefix("fuzz_") for path in FOLDER.glob("fuzz_*.py"))


def run_all(seconds: int) -> int:
    failed = []
    for target in targets():
        command = [sys.executable, "-m", "tests.fuzz", str(seconds), target]
        if subprocess.run(command, check=False, cwd=FOLDER.parent.parent).returncode:
            failed.append(target)
    sys.stdout.write(f"failed: {', '.join(failed)}\n" if failed else "nothing found\n")
    return len(failed)


def run_one(seconds: int, target: str) -> None:
    """Fuzz one target in this process; does not return. The input that fails is left in the current folder."""
    atheris: Any = importlib.import_module("atheris")  # it exports its functions in a way that type checkers miss
    with atheris.instrument_imports(include=["dicomweb_server"]):
        module = importlib.import_module(f"tests.fuzz.fuzz_{target}")
    logging.disable()  # refusals are what most inputs end in
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(module.seeds()):
            (Path(corpus) / str(number)).write_bytes(seed)
        atheris.Setup(
            [f"fuzz_{target}", f"-max_total_time={seconds}", f"-max_len={MAX_LENGTH}", "-timeout=5", corpus],
            module.fuzz,
        )
        atheris.Fuzz()


if __name__ == "__main__":
    limit = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    if len(sys.argv) > 2:
        run_one(limit, sys.argv[2])
    sys.exit(run_all(limit))
