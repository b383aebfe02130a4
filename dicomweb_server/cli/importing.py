"""The command `import`: files, folders and ZIP archives through the one way in, several at a time."""

import asyncio
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from dicomweb_server.bootstrap import open_store
from dicomweb_server.cli.arguments import Arguments, load_settings
from dicomweb_server.cli.found_files import Found, UnreadableError, find, looks_like_dicom, read_head, total_size
from dicomweb_server.cli.progress import Progress
from dicomweb_server.dicom.origin import Origin
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.server import logs
from dicomweb_server.services.ingest import IngestOutcome, IngestService, Status
from dicomweb_server.settings import Settings

_READERS = 16
_CHUNK = 2**20
_SHOWN_FAILURES = 20
_ORIGIN = Origin("import")
# What an archive or a file can do wrong while it is read.
_READ_ERRORS = (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError)


@dataclass(slots=True)
class Tally:
    """What became of what was found."""

    stored: int = 0
    known: int = 0
    skipped: int = 0
    failed: int = 0
    size: int = 0
    failures: list[str] = field(default_factory=list)

    def fail(self, name: str, why: str) -> None:
        """One could not be stored."""
        self.failed += 1
        if len(self.failures) < _SHOWN_FAILURES:
            self.failures.append(f"{name}: {why}")

    def __str__(self) -> str:
        return (
            f"{self.stored} stored, {self.known} stored already, {self.skipped} skipped (not DICOM), "
            f"{self.failed} failed"
        )


def import_paths(arguments: Arguments) -> int:
    """Store what the paths hold; 1 if something could not be stored."""
    settings = load_settings(arguments)
    logs.configure(settings.log_format, "warning")
    progress = Progress(sys.stderr, shown=not arguments.quiet and sys.stderr.isatty())
    try:
        tally = asyncio.run(_import(settings, arguments.paths, progress))
    except UnreadableError as error:
        print(f"dicomweb-server: {error}", file=sys.stderr)
        return 1
    for failure in tally.failures:
        print(failure, file=sys.stderr)
    if tally.failed > len(tally.failures):
        print(f"… and {tally.failed - len(tally.failures)} more", file=sys.stderr)
    print(tally)
    return 1 if tally.failed else 0


async def _import(settings: Settings, paths: Sequence[Path], progress: Progress) -> Tally:
    tally = Tally()
    found = find(paths, settings.data)
    async with open_store(settings) as store:
        take = asyncio.Lock()  # the walk is one iterator: one reader at a time asks it for more
        readers = [
            asyncio.create_task(_reader(store.services.ingest, settings.max_instance_size, found, take, tally))
            for _ in range(_READERS)
        ]
        showing = asyncio.create_task(_show(progress, tally, paths))
        try:
            await asyncio.gather(*readers)
        finally:
            for task in (*readers, showing):
                task.cancel()
            await asyncio.gather(*readers, showing, return_exceptions=True)
            progress.finish()
    return tally


async def _show(progress: Progress, tally: Tally, paths: Sequence[Path]) -> None:
    total = await asyncio.to_thread(total_size, paths)
    while True:
        progress.show(str(tally), tally.size, total)
        await asyncio.sleep(0.2)


async def _reader(ingest: IngestService, limit: int, found: Iterator[Found], take: asyncio.Lock, tally: Tally) -> None:
    while True:
        async with take:
            one = await asyncio.to_thread(next, found, None)
        if one is None:
            return
        tally.size += one.size
        try:
            await _store(ingest, limit, one, tally)
        except ServerError as error:
            if error.reason is Reason.OUT_OF_RESOURCES:
                raise  # the next ones would fail as well
            tally.fail(one.name, str(error))
        except _READ_ERRORS as error:
            tally.fail(one.name, f"cannot be read: {error}")


async def _store(ingest: IngestService, limit: int, one: Found, tally: Tally) -> None:
    file = await asyncio.to_thread(one.open)
    try:
        head = await asyncio.to_thread(read_head, file)
        if not looks_like_dicom(head):
            tally.skipped += 1
            return
        outcome = await _ingest(ingest, limit, head, file)
    finally:
        with suppress(OSError):
            file.close()
    _count(outcome, one, tally)


async def _ingest(ingest: IngestService, limit: int, head: bytes, file: IO[bytes]) -> IngestOutcome:
    staging = ingest.stage()
    try:
        size, chunk = 0, head
        while chunk:
            size += len(chunk)
            if size > limit:
                raise ServerError(Reason.TOO_LARGE, f"larger than max_instance_size = {limit}")
            await staging.write(chunk)
            chunk = await asyncio.to_thread(file.read, _CHUNK)
        staged = await staging.finish()
    except BaseException:
        await staging.discard()
        raise
    return await ingest.ingest(staged, _ORIGIN)


def _count(outcome: IngestOutcome, one: Found, tally: Tally) -> None:
    if outcome.status in (Status.STORED, Status.REPLACED):
        tally.stored += 1
    elif outcome.is_success:
        tally.known += 1
    elif outcome.reason is Reason.NOT_DICOM:
        tally.skipped += 1
    else:
        tally.fail(one.name, outcome.detail)
