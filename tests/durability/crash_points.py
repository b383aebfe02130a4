"""Crashes a store at its first, second, third … step, each on a new folder, and checks what is left.

A step is a call to the operating system that changes a file, a statement of SQL, or a sync: the process ends just
before it. Each run is a fork of this one, so that it costs milliseconds; prints what was broken and `STEPS n`.
Arguments: a folder, and, for some of the steps only, the first and how many further the next is.
"""

import asyncio
import hashlib
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.ports.index import OnDuplicate, Scope
from dicomweb_server.services.delete import DeleteService
from dicomweb_server.services.ingest import IngestPolicy, IngestService
from dicomweb_server.storage import durability, sqlite
from dicomweb_server.storage.store import Store
from dicomweb_server.storage.threads import Threads
from tests.builders import make_instance
from tests.durability.journal import GONE, Uids, check

CRASHED = 9
_write = os.write

SMALL = [
    make_instance(StudyInstanceUID="1.1", SeriesInstanceUID="1.1.1", SOPInstanceUID=f"1.1.1.{n}") for n in range(5)
]
OTHER = make_instance(
    StudyInstanceUID="1.1", SeriesInstanceUID="1.1.1", SOPInstanceUID="1.1.1.1", PatientID="P2", Modality="MR"
)
LARGE = make_instance(
    StudyInstanceUID="1.2", SeriesInstanceUID="1.2.1", SOPInstanceUID="1.2.1.0", PixelData=bytes(2**21)
)


class Steps:
    """Counts, and ends the process before the step that it is to crash at."""

    def __init__(self, crash_at: int) -> None:
        self.left = crash_at

    def counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                os._exit(CRASHED)
            return function(*arguments, **named)

        return step

    def install(self) -> None:
        steps = self
        for name in ("open", "write", "pwrite", "rename", "replace", "mkdir", "unlink", "close"):
            setattr(os, name, self.counted(getattr(os, name)))
        for method in ("rename", "replace", "mkdir", "unlink"):
            setattr(Path, method, self.counted(getattr(Path, method)))
        durability.FilesystemSync.sync = self.counted(durability.FilesystemSync.sync)  # type: ignore[method-assign]

        class Counting(sqlite.Connection):
            def execute(self, *arguments: Any) -> Any:
                return steps.counted(super().execute)(*arguments)

        sqlite.Connection = Counting  # type: ignore[misc]


class Scenario:
    """What the store is used for until it crashes."""

    def __init__(self, root: Path, journal: int) -> None:
        self.journal = journal
        self.store = Store(root)
        self.threads = Threads(1, "test")
        policy = IngestPolicy(on_duplicate=OnDuplicate.REPLACE)
        self.ingest = IngestService(self.store.blobs, self.store.index, self.threads, policy)
        self.delete = DeleteService(self.store.blobs, self.store.index, grace=0)

    async def run(self) -> None:
        await self.send(*SMALL[:3])
        await self.send(SMALL[0], LARGE)
        await self.send(OTHER)
        await self.remove(("1.1", "1.1.1", "1.1.1.2"))
        await self.delete.sweep()
        await self.send(SMALL[3])
        await self.remove(("1.2", "1.2.1", "1.2.1.0"))
        await self.store.close()

    async def send(self, *contents: bytes) -> None:
        staged = []
        for content in contents:
            staging = self.ingest.stage()
            await staging.write(content[:500_000])
            await staging.write(content[500_000:])
            staged.append(await staging.finish())
            self.tell("INTENT", uids_of(content), hashlib.sha256(content).hexdigest())
        outcomes = await self.ingest.ingest_batch(staged, Origin("stow"))
        for content, outcome in zip(contents, outcomes, strict=True):
            assert outcome.is_success, outcome
            self.tell("DONE", uids_of(content), hashlib.sha256(content).hexdigest())

    async def remove(self, uids: Uids) -> None:
        self.tell("INTENT", uids, GONE)
        await self.delete.delete(Scope(*uids))
        self.tell("DONE", uids, GONE)

    def tell(self, kind: str, uids: Uids, digest: str) -> None:
        _write(self.journal, f"{kind} {' '.join(uids)} {digest}\n".encode())


def uids_of(content: bytes) -> Uids:
    if content is LARGE:
        return "1.2", "1.2.1", "1.2.1.0"
    return "1.1", "1.1.1", "1.1.1.1" if content is OTHER else f"1.1.1.{SMALL.index(content)}"


def crash(root: Path, journal: Path, step: int) -> None:
    descriptor = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    Steps(step).install()

    async def run() -> None:
        await Scenario(root, descriptor).run()

    asyncio.run(run())


def look(root: Path, journal: Path, step: int) -> None:
    broken = check(root, journal.read_text().splitlines(keepends=True))
    if broken:
        print(f"step {step}:", *broken, sep="\n  ", flush=True)
        os._exit(1)


def forked(function: Callable[[Path, Path, int], None], root: Path, journal: Path, step: int) -> int:
    """The exit status of a fork that runs a function."""
    child = os.fork()
    if child == 0:
        try:
            function(root, journal, step)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(folder: Path, first: int, stride: int) -> int:
    for step in count(first, stride):
        root, journal = folder / str(step), folder / f"{step}.journal"
        ended = forked(crash, root, journal, step)
        if ended not in (0, CRASHED) or forked(look, root, journal, step) != 0:
            print(f"broken at step {step}, exit status {ended}")
            return 1
        shutil.rmtree(root)
        if ended == 0:
            print(f"STEPS {step}")
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *map(int, sys.argv[2:] or (1, 1))))
