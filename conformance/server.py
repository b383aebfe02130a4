"""Starts a server of its own for the suites, on a free port and in a temporary folder; never touches one that runs."""

import contextlib
import itertools
import json
import os
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

import httpx

from conformance.cost import Clock

COMMAND = (
    f"{shlex.quote(sys.executable)} -m dicomweb_server serve --data {{data}} --host 127.0.0.1"
    " --http-port {http_port} --dimse-port {dimse_port}"
)
ORTHANC = "Orthanc {config}"
ORTHANC_WORKLISTS = "/usr/share/orthanc/plugins/libModalityWorklists.so"
WORKLISTS = "worklists"  # a folder below the server's, of worklist files
ORTHANC_PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


# Below those that Linux gives to connections, one of which might take a port before a server listens on it.
_PORTS = range(10_000, 32_000)
_turns = itertools.count(random.randrange(len(_PORTS)))
_claims: deque[int] = deque()
_MOST_CLAIMS = 256  # open files; by then a server listens there, or will not


def free_port() -> int:
    """A TCP port that nothing listens on just now, and that is not soon given out again, here or in another process.

    Each is claimed by a name that only one process can have, so that others that start servers meanwhile take others.
    """
    while True:
        port = _PORTS[next(_turns) % len(_PORTS)]
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0dicomweb-server-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
        else:
            _claims.append(claim.detach())
            if len(_claims) > _MOST_CLAIMS:
                os.close(_claims.popleft())
            return port


class Server:
    """A server process. `command` may name {data}, {http_port}, {dimse_port} and {config} (Orthanc's format).

    `more`: what goes into that configuration beside the usual.
    """

    def __init__(
        self,
        folder: Path,
        command: str = COMMAND,
        environment: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        self.folder = folder
        self.http_port, self.dimse_port = free_port(), free_port()
        self.root = f"http://127.0.0.1:{self.http_port}/dicom-web"
        self.data = folder / "data"
        self.data.mkdir(parents=True)
        self.log = folder / "server.log"
        config = folder / "orthanc.json"
        config.write_text(json.dumps({**self._orthanc_configuration(), **(more or {})}))
        words = command.format(data=self.data, http_port=self.http_port, dimse_port=self.dimse_port, config=config)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                shlex.split(words),
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        self._wait(180)

    def _orthanc_configuration(self) -> dict[str, object]:
        return {
            "StorageDirectory": str(self.data),
            "IndexDirectory": str(self.data),
            "HttpPort": self.http_port,
            "DicomPort": self.dimse_port,
            "Plugins": [ORTHANC_PLUGIN, ORTHANC_WORKLISTS],
            "Worklists": {"Enable": True, "Database": str(self.folder / WORKLISTS)},
            "DicomModalities": {"conformance": ["CONFORMANCE", "127.0.0.1", free_port()]},
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowFindWorklist": True,
            "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowMove": True,
            "AuthenticationEnabled": False,
            "RemoteAccessAllowed": True,
            "DicomAlwaysAllowStore": True,
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}: {self.output()[-2000:]}")
            try:
                # 401: it is there, and wants to know who asks.
                if httpx.get(self.root + "/studies?limit=1", trust_env=False, timeout=5).status_code in (200, 204, 401):
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"no answer in {seconds} s: {self.output()[-2000:]}")

    def client(self) -> httpx.Client:
        """For what is beside /dicom-web. Each request has a connection of its own: Orthanc closes those that rest."""
        limits = httpx.Limits(max_keepalive_connections=0)
        address = self.root.removesuffix("/dicom-web")
        return httpx.Client(base_url=address, trust_env=False, timeout=60, limits=limits)

    def output(self) -> str:
        """All that the server wrote to its standard output and error so far."""
        return self.log.read_text(errors="replace")

    def alive(self) -> bool:
        """Is the process still there?"""
        return self.process.poll() is None

    def memory_mb(self) -> float:
        """Resident memory of the process and of its children."""
        return sum(_memory_kb(pid, "VmRSS") for pid in self.pids()) / 1024

    def forget_peak(self) -> None:
        """Begin to measure the peak anew."""
        for pid in self.pids():
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peak_mb(self) -> float:
        """The most memory that each of them had since `forget_peak`, added up."""
        return sum(_memory_kb(pid, "VmHWM") for pid in self.pids()) / 1024

    def clock(self) -> Clock:
        """Tells what the process and the children that it has now have computed; new ones do not count."""
        pids = self.pids()
        return lambda: sum(_processor_seconds(pid) for pid in pids)

    def pids(self) -> list[int]:
        """The process and its children, and theirs."""
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                todo += [int(child) for child in children.read_text().split()]
        return found

    def stop(self) -> None:
        """Ask it to end; kill it after 15 s."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


def _processor_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    # utime and stime: proc(5) counts them as 14 and 15
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_kb(pid: int, name: str) -> int:
    try:
        found = re.search(rf"^{name}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0
