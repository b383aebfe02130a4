"""A ZIP archive that was sent: each entry is an instance. Bounded in entries, sizes and ratio; names are never used."""

import asyncio
import io
import struct
import zipfile
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.intake import Intake
from dicomweb_server.services.ingest import Staged
from dicomweb_server.wire.media_types import MediaType

MAX_ENTRIES = 100_000
# Honest archives of images grow by a factor of 2 to 50; masks and empty images may by more.
_MAX_RATIO = 200
_FREE_SIZE = 1 << 30
_MAX_DIRECTORY = 64 << 20
_STEP = 1 << 20
_ENCRYPTED = 1

_END = struct.Struct("<4s4H2IH")
_LOCATOR64 = struct.Struct("<4sIQI")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LONGEST_COMMENT = 0xFFFF


async def store_archive(body: AsyncIterator[bytes], intake: Intake, _media_type: MediaType | None = None) -> None:
    """Spool the archive, which must be whole to be read, then store its entries one by one."""
    spool = intake.spool()
    try:
        async for chunk in body:
            await spool.write(chunk)
        staged = await spool.finish()
        with await asyncio.to_thread(_open, staged) as archive:
            await _store_entries(archive, intake, max(_FREE_SIZE, _MAX_RATIO * staged.size))
    finally:
        await spool.discard()


async def _store_entries(archive: zipfile.ZipFile, intake: Intake, budget: int) -> None:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > MAX_ENTRIES:
        raise ServerError(Reason.TOO_LARGE, f"the archive has {len(entries)} entries, the limit is {MAX_ENTRIES}")
    for position, entry in enumerate(entries, 1):
        if budget <= 0:
            await intake.refuse(Reason.TOO_LARGE, "the archive inflates beyond what is taken for honest")
            continue
        intake.begin()
        try:
            budget -= await _store_entry(archive, entry, intake, budget)
        except _DAMAGED:
            await intake.refuse(Reason.CANNOT_UNDERSTAND, f"entry {position} of the archive is damaged or encrypted")
        else:
            await intake.end()


# What zipfile raises of entries that are broken, encrypted, or compressed in a way that it does not know.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)


async def _store_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, intake: Intake, budget: int) -> int:
    """How many bytes it really has; what its header says of them is not believed."""
    if entry.flag_bits & _ENCRYPTED:
        raise zipfile.BadZipFile
    size = 0
    with await asyncio.to_thread(archive.open, entry) as file:
        while size <= budget and (data := await asyncio.to_thread(_read, file)):
            size += len(data)
            await intake.write(data)
            if not intake.is_receiving:
                break
    if size > budget:
        await intake.refuse(Reason.TOO_LARGE, "the archive inflates beyond what is taken for honest")
    return size


def _read(file: IO[bytes]) -> bytes:
    return file.read(_STEP)


def _open(staged: Staged) -> zipfile.ZipFile:
    source = staged.path or io.BytesIO(staged.data or b"")
    try:
        _check_directory(source, staged.size)
        return zipfile.ZipFile(source)
    except (zipfile.BadZipFile, struct.error, OSError, ValueError):
        raise ServerError(Reason.BAD_REQUEST, "the body of the request is not a ZIP archive, or is damaged") from None


def _check_directory(source: Path | io.BytesIO, size: int) -> None:
    """zipfile reads the directory whole, however large it says it is: look at the size first."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            directory_size = _directory_size(file, size)
    else:
        directory_size = _directory_size(source, size)
    if directory_size > _MAX_DIRECTORY:
        raise ServerError(Reason.TOO_LARGE, f"the directory of the archive exceeds {_MAX_DIRECTORY} bytes")


def _directory_size(file: IO[bytes], size: int) -> int:
    start = max(0, size - _LONGEST_COMMENT - _END.size - _LOCATOR64.size)
    file.seek(start)
    tail = file.read()
    found = tail.rfind(b"PK\5\6")
    if found < 0:
        raise zipfile.BadZipFile
    directory_size: int = _END.unpack_from(tail, found)[5]
    if found >= _LOCATOR64.size and tail[found - _LOCATOR64.size :].startswith(b"PK\6\7"):
        file.seek(_LOCATOR64.unpack_from(tail, found - _LOCATOR64.size)[2])
        directory_size = max(directory_size, _END64.unpack(file.read(_END64.size))[8])
    file.seek(0)
    return directory_size
