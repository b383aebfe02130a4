"""Recovery: after an unclean stop, what was acknowledged is made whole from the journal, the rest is judged.

Rows that were committed but perhaps not durable are checked against their blobs. Those whose blobs are missing or
damaged, and not in the journal either, were never acknowledged and are dropped.
"""

import hashlib
import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from dicomweb_server.dicom.attributes import Attribute
from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.ports.blobs import Staged
from dicomweb_server.ports.index import NewInstance
from dicomweb_server.storage.additions import Addition
from dicomweb_server.storage.blobs_filesystem import FilePlacement, put, relative_path
from dicomweb_server.storage.durability import Durability
from dicomweb_server.storage.journal import Journal
from dicomweb_server.storage.journal_format import Entry, Group
from dicomweb_server.storage.transaction import Transaction

_log = logging.getLogger(__name__)

_CHUNK = 1024 * 1024


def recover(
    transaction: Transaction, blobs: Path, durability: Durability, journal: Journal, extra: Sequence[Attribute]
) -> None:
    """Leave an index and blobs that agree and have all that was acknowledged, and an empty journal."""
    groups = journal.groups()
    if groups:
        _store_again(transaction, groups, blobs, frozenset(attribute.tag for attribute in extra))
    _verify(transaction, blobs, durability, {entry.key: entry.data for group in groups for entry in group.entries})
    if groups:
        os.sync()  # also if nothing else is to be synced from now on
        journal.clear()


def _store_again(transaction: Transaction, groups: Sequence[Group], blobs: Path, extra_tags: frozenset[int]) -> None:
    """Add what the index has not seen.

    All in one transaction: up to its last revision an index knows what became of the journal's groups, and up to its
    last promise; of what it has not any more, the row was deleted.
    """
    kept = transaction.promise
    unseen = [
        group for group in groups if (group.promise > kept if group.promise else group.revision > transaction.revision)
    ]
    known = _known(transaction, [entry.key for group in unseen for entry in group.entries])
    lost = [entry for group in unseen for entry in group.entries if entry.key not in known]
    if unseen:
        additions = [_addition(entry, blobs, extra_tags) for entry in lost]
        transaction.keep(additions, max(kept, *[group.promise for group in unseen]))
    if lost:
        _log.warning("after an unclean stop %d instances were taken from the journal", len(lost))


def _known(transaction: Transaction, keys: Sequence[str]) -> set[str]:
    listed = orjson.dumps(list(keys)).decode()
    rows = transaction.connection.execute(
        "SELECT key FROM instance WHERE key IN (SELECT value FROM json_each(?)) "
        "UNION SELECT key FROM garbage WHERE key IN (SELECT value FROM json_each(?))",
        (listed, listed),
    )
    return {key for (key,) in rows}


def _addition(entry: Entry, blobs: Path, extra_tags: frozenset[int]) -> Addition:
    def place(_: Staged, key: str) -> None:
        _write(blobs / relative_path(key), entry.data)

    size, origin = len(entry.data), entry.origin
    parsed = parse_instance(entry.data, extra=extra_tags)
    digest = hashlib.sha256(entry.data).digest()
    placement = FilePlacement(Staged(size, digest, entry.data), lambda _: entry.key, place)
    new = NewInstance(parsed, "", size, digest, origin, entry.received, placement)
    return Addition(new, entry.on_duplicate)


def _verify(transaction: Transaction, blobs: Path, durability: Durability, copies: Mapping[str, bytes]) -> None:
    """Check the rows beyond the mark and move it. `copies`: what the journal has, by key."""
    rows = transaction.connection.execute(
        "SELECT key, size, digest FROM instance WHERE id > ? ORDER BY id", (transaction.verified,)
    ).fetchall()
    damaged = [key for key, size, digest in rows if not _is_whole(blobs / relative_path(key), size, digest)]
    mended = [key for key in damaged if key in copies]
    for key in mended:
        _write(blobs / relative_path(key), copies[key])
    dropped = [key for key in damaged if key not in copies]
    with transaction.open(time.time()):
        transaction.drop(dropped)
    # They may have been read from memory, after a mere crash of the server.
    durability.note([blobs / relative_path(key) for key in copies])
    durability.sync()
    transaction.is_durable(transaction.committed)
    transaction.rest()
    if rows:
        level = logging.WARNING if damaged else logging.INFO
        message = "after an unclean stop %d instances were checked, %d mended, %d dropped"
        _log.log(level, message, len(rows), len(mended), len(dropped))


def _write(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    put(Staged(len(data), data=data), path)


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
