"""The command as a process: run to its end, or serving."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from conformance.server import free_port

_FREE_PORTS = {"DICOMWEB_SERVER_HTTP_PORT": "0", "DICOMWEB_SERVER_DIMSE_PORT": "0"}
COMMAND = [sys.executable, "-m", "dicomweb_server"]


def run(*words: str | Path, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=200,
        env={**clean_environment(), **_FREE_PORTS, **environment},
        check=False,
    )


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("DICOMWEB_SERVER_")}


class Serving:
    """A server process."""

    def __init__(self, data: Path, *words: str, environment: Mapping[str, str] | None = None) -> None:
        self.http, self.dimse = free_port(), free_port()
        ports = ["--http-port", str(self.http), "--dimse-port", str(self.dimse)]
        self.process = subprocess.Popen(
            [*COMMAND, "serve", "--data", str(data), *ports, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**clean_environment(), **(environment or {})},
        )
        self.said = ""

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.get("/healthz/live")
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError(f"no answer: {self.stop()}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        if not self.said:
            self.said = "".join(self.process.communicate(timeout=90))
        return self.process.returncode


@contextmanager
def serving(data: Path, *words: str, environment: Mapping[str, str] | None = None) -> Iterator[Serving]:
    server = Serving(data, *words, environment=environment)
    try:
        server.wait()
        yield server
    finally:
        server.stop()
