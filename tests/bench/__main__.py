"""Measure this server over HTTP on synthetic images, and Orthanc beside it where that is installed.

    python -m tests.bench [--instances N] [--seconds S] [--without-orthanc]

Both run on this machine, one after the other, on the same data in fresh folders. Look at ratios: the client shares the
processors with the server. `python -m tests.bench.search_million` measures searches in a large index.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import generate_uid

from conformance.server import COMMAND, ORTHANC, Server
from tests.bench.http_client import Connection, grouped, multipart
from tests.builders import make_instance

_CONNECTIONS = 4
_PIXELS = 256


@dataclass(frozen=True, slots=True)
class Data:
    """What is stored, and under which identifiers."""

    study: str
    series: str
    instances: list[bytes]
    uids: list[str]


def make_data(count: int) -> Data:
    """One series of 16-bit images."""
    study, series = generate_uid(), generate_uid()
    uids = [str(generate_uid()) for _ in range(count)]
    instances = [
        make_instance(
            rows=_PIXELS, columns=_PIXELS, bits_allocated=16,
            StudyInstanceUID=study, SeriesInstanceUID=series, SOPInstanceUID=uid, InstanceNumber=number,
        )
        for number, uid in enumerate(uids, 1)
    ]  # fmt: skip
    return Data(study, series, instances, uids)


class Bench:
    """The scenarios against one server."""

    def __init__(self, root: str, data: Data, seconds: float) -> None:
        self._root, self._data, self._seconds = root, data, seconds
        self._series = f"/studies/{data.study}/series/{data.series}"

    async def run(self) -> dict[str, float]:
        """Rates by scenario."""
        rates = {"store, 10 in a request (instances/s)": await self._store()}
        frames = [f"{self._series}/instances/{uid}/frames/1" for uid in self._data.uids]
        files = [path.removesuffix("/frames/1") for path in frames]
        octets = [("Accept", 'multipart/related; type="application/octet-stream"')]
        part10 = [("Accept", 'multipart/related; type="application/dicom"; transfer-syntax=*')]
        for name, paths, headers in (
            ("random frames (1/s)", frames, octets),
            ("random instances (1/s)", files, part10),
            ("metadata of the series (1/s)", [f"{self._series}/metadata"], []),
            ("searches by patient (1/s)", ["/studies?PatientID=P1"], []),
            ("the whole series (1/s)", [self._series], part10),
        ):
            rates[name] = await self._rate(paths, headers)
        return rates

    async def _store(self) -> float:
        requests = [multipart(group) for group in grouped(self._data.instances, 10)]

        async def client(connection: Connection) -> None:
            while requests:
                content_type, body = requests.pop()
                await connection.ask("POST", "/studies", [("Content-Type", content_type)], body)

        return len(self._data.instances) / await self._in_parallel(client)

    async def _rate(self, paths: list[str], headers: list[tuple[str, str]]) -> float:
        done = 0
        end = time.perf_counter() + self._seconds

        async def client(connection: Connection) -> None:
            nonlocal done
            while time.perf_counter() < end:
                await connection.ask("GET", random.choice(paths), headers)
                done += 1

        elapsed = await self._in_parallel(client)
        return done / elapsed

    async def _in_parallel(self, client: Callable[[Connection], Awaitable[None]]) -> float:
        async def connected() -> None:
            async with Connection(self._root) as connection:
                await client(connection)

        started = time.perf_counter()
        await asyncio.gather(*[connected() for _ in range(_CONNECTIONS)])
        return time.perf_counter() - started


def measure(command: str, data: Data, seconds: float) -> dict[str, float]:
    """Start a server on a fresh folder, run the scenarios, stop it."""
    with tempfile.TemporaryDirectory(prefix="dicomweb-bench-") as folder:
        server = Server(Path(folder), command)
        try:
            rates = asyncio.run(Bench(server.root, data, seconds).run())
            return rates | {"memory at the end (MB)": server.memory_mb()}
        finally:
            server.stop()


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--without-orthanc", action="store_true")
    arguments = parser.parse_args()
    data = make_data(arguments.instances)
    ours = measure(COMMAND, data, arguments.seconds)
    with_orthanc = shutil.which("Orthanc") and not arguments.without_orthanc
    theirs = measure(ORTHANC, data, arguments.seconds) if with_orthanc else {}
    size = len(data.instances[0]) // 1000
    sys.stdout.write(f"{arguments.instances} instances of {size} kB, {_CONNECTIONS} connections\n")
    sys.stdout.write(f"{'':40}{'ours':>10}{'Orthanc':>10}{'ratio':>8}\n")
    for name, rate in ours.items():
        other = theirs.get(name)
        beside = f"{other:10.1f}{rate / other:8.1f}" if other else ""
        sys.stdout.write(f"{name:40}{rate:10.1f}{beside}\n")


if __name__ == "__main__":
    main()
