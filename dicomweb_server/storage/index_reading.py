"""What the index reads, as functions of a connection: they run in reader threads and never write."""

import logging
import sqlite3
from collections.abc import Sequence

import orjson

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.errors import ServerError
from dicomweb_server.ports.changes import Change, ChangeKind
from dicomweb_server.ports.index import Scope, StoredInstance
from dicomweb_server.storage.sqlite import Connection

_log = logging.getLogger(__name__)

_FROM = (
    "FROM study JOIN series ON series.study = study.id JOIN instance ON instance.series = series.id "
    "WHERE study.study_uid = ?"
)
_SERIES = " AND series.series_uid = ?"
_INSTANCE = " AND instance.instance_uid = ?"
_STORED = (
    "study.study_uid, series.series_uid, instance.instance_uid, instance.sop_class_uid, instance.transfer_syntax_uid, "
    "instance.key, instance.size, instance.digest, instance.frames, instance.received"
)
_ORDER = " ORDER BY series.series_number, series.series_uid, instance.instance_number, instance.instance_uid"
_BY_IDS = (
    "FROM instance JOIN series ON series.id = instance.series JOIN study ON study.id = series.study "
    "WHERE instance.id IN (SELECT value FROM json_each(?))"
)


def instance(connection: sqlite3.Connection, scope: Scope) -> StoredInstance | None:
    """One instance."""
    row = connection.execute(
        f"SELECT {_STORED} {_FROM}{_SERIES}{_INSTANCE}",
        (scope.study_uid, scope.series_uid, scope.instance_uid),
    ).fetchone()
    return StoredInstance(*row) if row else None


def ordered_ids(connection: sqlite3.Connection, scope: Scope) -> list[int]:
    """The ids of all instances below a scope, in the order in which they are served."""
    condition = (_SERIES if scope.series_uid is not None else "") + (
        _INSTANCE if scope.instance_uid is not None else ""
    )
    parameters = [uid for uid in (scope.study_uid, scope.series_uid, scope.instance_uid) if uid is not None]
    rows = connection.execute(f"SELECT instance.id {_FROM}{condition}{_ORDER}", parameters)
    return [row[0] for row in rows]


def instances(connection: sqlite3.Connection, ids: Sequence[int]) -> list[StoredInstance]:
    """Instances by their ids, in that order; those deleted meanwhile are left out."""
    rows = connection.execute(f"SELECT instance.id, {_STORED} {_BY_IDS}", (_json(ids),))
    found = {row[0]: StoredInstance(*row[1:]) for row in rows}
    return [found[instance_id] for instance_id in ids if instance_id in found]


def metadata(connection: Connection, ids: Sequence[int]) -> list[bytes]:
    """Metadata of instances by their ids, in that order; empty where it is damaged; those deleted left out."""
    rows = connection.execute(
        "SELECT id, metadata, template FROM instance WHERE id IN (SELECT value FROM json_each(?))", (_json(ids),)
    )
    found = {row[0]: row[1:] for row in rows}
    return [_decoded(connection, *found[instance_id]) for instance_id in ids if instance_id in found]


def _decoded(connection: Connection, blob: bytes, template: int) -> bytes:
    try:
        return connection.codec.decode(blob, template)
    except ServerError as error:
        _log.error("%s", error.detail)
        return b""


def revision(connection: sqlite3.Connection, scope: Scope) -> str | None:
    """The revision of a scope, with the epoch of the database: an index that was rebuilt begins with others."""
    if scope.series_uid is None:
        statement = "SELECT revision FROM study WHERE study_uid = ?"
    elif scope.instance_uid is None:
        statement = (
            "SELECT series.revision FROM study JOIN series ON series.study = study.id "
            "WHERE study.study_uid = ? AND series.series_uid = ?"
        )
    else:
        statement = f"SELECT instance.revision {_FROM}{_SERIES}{_INSTANCE}"
    parameters = [uid for uid in (scope.study_uid, scope.series_uid, scope.instance_uid) if uid is not None]
    row = connection.execute(statement, parameters).fetchone()
    if row is None:
        return None
    (epoch,) = connection.execute("SELECT value FROM state WHERE name = 'epoch'").fetchone()
    return f"{epoch}-{row[0]}"


def garbage(connection: sqlite3.Connection, limit: int, before: float) -> list[str]:
    """Keys of blobs whose rows went before a time."""
    rows = connection.execute("SELECT key FROM garbage WHERE time < ? LIMIT ?", (before, limit))
    return [key for (key,) in rows]


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """How much is stored."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM patient), count(*), total(series_count), total(instance_count), total(size) "
        "FROM study"
    ).fetchone()
    return dict(zip(("patients", "studies", "series", "instances", "bytes"), map(int, row), strict=True))


def changes(connection: sqlite3.Connection, after: int, limit: int) -> list[Change]:
    """Entries of the change log."""
    rows = connection.execute("SELECT * FROM change WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, limit))
    return [Change(row[0], ChangeKind(row[1]), Level(row[2]), *row[3:]) for row in rows]


def last_change(connection: sqlite3.Connection) -> int:
    """The highest sequence number."""
    (last,) = connection.execute("SELECT coalesce(max(sequence), 0) FROM change").fetchone()
    return int(last)


def by_key(connection: sqlite3.Connection, after: str, limit: int) -> list[StoredInstance]:
    """Instances in the order of their keys."""
    rows = connection.execute(
        f"SELECT {_STORED} FROM instance JOIN series ON series.id = instance.series "  # noqa: S608
        "JOIN study ON study.id = series.study WHERE instance.key > ? ORDER BY instance.key LIMIT ?",
        (after, limit),
    )
    return [StoredInstance(*row) for row in rows]


def known_keys(connection: sqlite3.Connection, keys: Sequence[str]) -> set[str]:
    """Those keys that an instance, an attachment or the garbage has."""
    listed = orjson.dumps(list(keys)).decode()
    rows = connection.execute(
        "SELECT key FROM instance WHERE key IN (SELECT value FROM json_each(?)) "
        "UNION ALL SELECT key FROM garbage WHERE key IN (SELECT value FROM json_each(?)) "
        "UNION ALL SELECT key FROM attachment WHERE key IN (SELECT value FROM json_each(?))",
        (listed, listed, listed),
    )
    return {key for (key,) in rows}


def _json(ids: Sequence[int]) -> str:
    return orjson.dumps(ids).decode()
