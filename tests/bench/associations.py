"""What associations cost: frames while four of them store, 500 idle ones, an instance of 2 GB in and out.

    python -m tests.bench.associations [--huge-mb N]

Needs DCMTK. The clients share the processors with the server.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from conformance.samples import EXPLICIT, element, make, raw_file, sample, without_meta
from conformance.server import Server
from dicomweb_server.dimse.items import ProposedContext, UserInformation
from dicomweb_server.dimse.pdu import AssociateRequest, encode_request
from tests.bench.__main__ import Data, make_data
from tests.bench.http_client import Connection

_ASSOCIATIONS = 4
_IDLE = 500
_READERS = 2
_MEGABYTE = 1 << 20
_ENVIRONMENT = {"DICOMWEB_SERVER_UNKNOWN_ALLOW": "echo,store,get", "DICOMWEB_SERVER_MAX_ASSOCIATIONS": "1000"}
_OCTETS = [("Accept", 'multipart/related; type="application/octet-stream"')]
_VERIFICATION = "1.2.840.10008.1.1"


def say(what: str, figure: str) -> None:
    """One line of the report."""
    sys.stdout.write(f"{what:60}{figure:>24}\n")
    sys.stdout.flush()


def dcmtk(tool: str, *arguments: str) -> "subprocess.Popen[bytes]":
    """One of its tools, without Nagle's algorithm."""
    return subprocess.Popen(
        [tool, *arguments], env=os.environ | {"TCP_NODELAY": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def send(server: Server, *paths: Path) -> "subprocess.Popen[bytes]":
    """Store by C-STORE."""
    return dcmtk("dcmsend", "-aec", "DICOMWEB", "127.0.0.1", str(server.dimse_port), *map(str, paths))


def written(folder: Path, data: Data) -> Path:
    """A folder with its instances as files."""
    folder.mkdir()
    for number, content in enumerate(data.instances):
        (folder / f"{number}.dcm").write_bytes(content)
    return folder


def frames_while_storing(server: Server, folder: Path) -> None:
    """How long a frame takes while associations store as fast as they can."""
    read, stored = make_data(100), [make_data(1000) for _ in range(_ASSOCIATIONS)]
    assert send(server, *written(folder / "read", read).iterdir()).wait() == 0
    folders = [written(folder / str(number), data) for number, data in enumerate(stored)]
    paths = [f"/studies/{read.study}/series/{read.series}/instances/{uid}/frames/1" for uid in read.uids]
    started = time.perf_counter()
    senders = [send(server, *one.iterdir()) for one in folders]
    seconds = sorted(asyncio.run(read_while(server, paths, senders)))
    rate = sum(len(data.uids) for data in stored) / (time.perf_counter() - started)
    assert all(sender.wait() == 0 for sender in senders)
    for percent in (50, 99):
        say(
            f"a frame while {rate:.0f}/s are stored, p{percent}",
            f"{seconds[len(seconds) * percent // 100] * 1e3:.1f} ms",
        )


async def read_while(server: Server, paths: list[str], senders: "list[subprocess.Popen[bytes]]") -> list[float]:
    """Read frames until the senders end; the seconds of each."""
    took: list[float] = []

    async def reader() -> None:
        async with Connection(server.root) as connection:
            while any(sender.poll() is None for sender in senders):
                for path in paths[:20]:
                    started = time.perf_counter()
                    await connection.ask("GET", path, _OCTETS)
                    took.append(time.perf_counter() - started)
                    await asyncio.sleep(0.002)  # a viewer, not a second flood

    await asyncio.gather(*[reader() for _ in range(_READERS)])
    return took


async def idle_associations(server: Server) -> None:
    """What associations cost that say nothing."""
    before = server.memory_mb()
    context = ProposedContext(1, _VERIFICATION, ("1.2.840.10008.1.2",))
    request = encode_request(AssociateRequest("DICOMWEB", "IDLE", (context,), UserInformation(maximum_length=16384)))
    writers = []
    for _ in range(_IDLE):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.dimse_port)
        writers.append(writer)
        writer.write(request)
        assert (await reader.readexactly(6))[0] == 2  # A-ASSOCIATE-AC
    await asyncio.sleep(1)
    say(f"{_IDLE} idle associations", f"{server.memory_mb() - before:.1f} MB")
    for writer in writers:
        writer.close()


def huge_instance(server: Server, folder: Path, megabytes: int) -> None:
    """Memory that one large instance takes on its way in and out."""
    one, size = sample(make()), megabytes * _MEGABYTE
    head = without_meta(one.data) + element(0x7FE00010, b"OB", b"", size)
    file = folder / "huge.dcm"
    with file.open("wb") as target:
        target.write(raw_file(head, str(one.dataset.SOPClassUID), one.instance, EXPLICIT))
        target.truncate(target.tell() + size)
    server.forget_peak()
    before, started = server.memory_mb(), time.perf_counter()
    assert send(server, file).wait() == 0
    say(f"{megabytes} MB received by C-STORE", figures(server, before, started))
    server.forget_peak()
    before, started = server.memory_mb(), time.perf_counter()
    key = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={one.study}"]
    out = folder / "out"
    out.mkdir()
    getting = ["-S", *key, "-aec", "DICOMWEB", "-od", str(out), "+B", "127.0.0.1", str(server.dimse_port)]
    assert dcmtk("getscu", *getting).wait() == 0
    assert next(out.iterdir()).stat().st_size > size
    say(f"{megabytes} MB sent by C-GET", figures(server, before, started))


def figures(server: Server, before: float, started: float) -> str:
    """Seconds, and how much the memory grew meanwhile."""
    return f"{time.perf_counter() - started:.1f} s, {server.peak_mb() - before:+.0f} MB"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--huge-mb", type=int, default=2048)
    arguments = parser.parse_args()
    if shutil.which("dcmsend") is None:
        sys.exit("DCMTK is not installed")
    with tempfile.TemporaryDirectory(prefix="dicomweb-bench-") as name:
        folder = Path(name)
        server = Server(folder / "server", environment=_ENVIRONMENT)
        try:
            frames_while_storing(server, folder)
            asyncio.run(idle_associations(server))
            huge_instance(server, folder, arguments.huge_mb)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
