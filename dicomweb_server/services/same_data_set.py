"""Same data set: whether what came is what is stored, but for the file meta information that a sender wrapped it in."""

import mmap
from contextlib import closing

from dicomweb_server.dicom.part10 import read_file_meta
from dicomweb_server.dicom.record import InstanceRecord
from dicomweb_server.errors import ServerError
from dicomweb_server.ports.blobs import Blobs, Staged
from dicomweb_server.ports.index import Index, Scope
from dicomweb_server.services.workers import Workers

_PIECE = 1 << 20


async def is_stored(record: InstanceRecord, staged: Staged, index: Index, blobs: Blobs, workers: Workers) -> bool:
    """Whether the same data set is stored in the same transfer syntax under an instance's UIDs.

    False as well where that cannot be told: what is stored was deleted meanwhile, or cannot be read.
    """
    stored = await index.instance(Scope(record.study_uid, record.series_uid, record.instance_uid))
    if stored is None or stored.transfer_syntax_uid != record.transfer_syntax_uid:
        return False
    try:
        known = await blobs.map(stored.key)
        return await workers.run(lambda: _has_data_set(staged, known))
    except (ServerError, OSError):
        return False


def _has_data_set(staged: Staged, known: bytes | mmap.mmap) -> bool:
    if staged.data is not None:
        return are_same(staged.data, known)
    assert staged.path is not None
    with staged.path.open("rb") as file, closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as mapped:
        return are_same(mapped, known)


def are_same(first: bytes | mmap.mmap, second: bytes | mmap.mmap) -> bool:
    """Whether two files are the same but for their file meta information."""
    (_, start), (_, other_start) = read_file_meta(first), read_file_meta(second)
    length = len(first) - start
    return length == len(second) - other_start and all(
        first[start + offset : start + min(offset + _PIECE, length)]
        == second[other_start + offset : other_start + min(offset + _PIECE, length)]
        for offset in range(0, length, _PIECE)
    )
