"""Runs a storing process for a while and kills it."""

import subprocess
import sys
import threading
import time
from pathlib import Path

_SLOWEST = 150.0  # seconds until it has begun, and until it has stored a few


def run_and_kill(root: Path, seconds: float, *, sync: str = "full", seed: int = 1, stored: int = 0) -> list[str]:
    """Store for so long, and on a busy machine until so many are `stored`, then SIGKILL; what was told until then."""
    command = [sys.executable, "-m", "tests.durability.storing_process", str(root), sync, str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    lines: list[str] = []
    ready = threading.Event()

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            ready.set()
        ready.set()

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        assert ready.wait(_SLOWEST), "the process did not start"
        time.sleep(seconds)
        deadline = time.monotonic() + _SLOWEST
        while sum(line.startswith("DONE") for line in list(lines)) < stored and time.monotonic() < deadline:
            time.sleep(0.01)
        assert process.poll() is None, "the process ended by itself"
    finally:
        process.kill()
        process.wait()
        listener.join()
        process.stdout.close()
    return lines
