"""Recovery: after an unclean stop, what was committed but perhaps not durable is checked against its blobs.

Such rows were never acknowledged, or are whole: those whose blobs are missing or damaged are dropped.
"""

import hashlib
import logging
import time
from pathlib import Path

from dicomweb_server.storage.blobs_filesystem import relative_path
from dicomweb_server.storage.durability import Durability
from dicomweb_server.storage.transaction import Transaction

_log = logging.getLogger(__name__)

_CHUNK = 1024 * 1024


def verify(transaction: Transaction, blobs: Path, durability: Durability) -> int:
    """Check the rows beyond the mark and move it; returns how many were dropped."""
    rows = transaction.connection.execute(
        "SELECT key, size, digest FROM instance WHERE id > ? ORDER BY id", (transaction.verified,)
    ).fetchall()
    damaged = [key for key, size, digest in rows if not _is_whole(blobs / relative_path(key), size, digest)]
    with transaction.open(time.time()):
        transaction.drop(damaged)
    # They may have been read from memory, after a mere crash of the server.
    durability.sync()
    transaction.is_durable(transaction.committed)
    transaction.rest()
    if rows:
        level = logging.WARNING if damaged else logging.INFO
        _log.log(level, "after an unclean stop %d instances were checked, %d dropped", len(rows), len(damaged))
    return len(damaged)


def _is_whole(path: Path, size: int, digest: bytes) -> bool:
    try:
        if path.stat().st_size != size:
            return False
        with path.open("rb") as file:
            found = hashlib.sha256()
            while chunk := file.read(_CHUNK):
                found.update(chunk)
    except FileNotFoundError:
        return False
    return found.digest() == digest
