"""What the index reads about resources under Orthanc's identifiers, as functions of a reader's connection."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import orjson

from dicomweb_server.dicom.attributes import BY_TAG, Level
from dicomweb_server.dicom.orthanc_id import digest_of, orthanc_id, prefix
from dicomweb_server.ports.index import Scope, StoredInstance
from dicomweb_server.ports.resources import Resource
from dicomweb_server.storage import index_reading as reading
from dicomweb_server.storage.sqlite import Connection

_T = TypeVar("_T")

_BATCH = 1000

# A patient, and each level below it with its parents.
FROM = {
    Level.PATIENT: "FROM patient",
    Level.STUDY: "FROM study JOIN patient ON patient.id = study.patient",
    Level.SERIES: ("FROM series JOIN study ON study.id = series.study JOIN patient ON patient.id = study.patient"),
    Level.INSTANCE: (
        "FROM instance JOIN series ON series.id = instance.series JOIN study ON study.id = series.study "
        "JOIN patient ON patient.id = study.patient"
    ),
}
TABLE = {Level.PATIENT: "patient", Level.STUDY: "study", Level.SERIES: "series", Level.INSTANCE: "instance"}
_UIDS = ("patient.identity", "study.study_uid", "series.series_uid", "instance.instance_uid")


def identifiers(level: Level) -> str:
    """The columns that `Resource` is made of, its level left out."""
    return ", ".join((f"{TABLE[level]}.id", *_UIDS[: level + 1]))


def find_resource(connection: Connection, level: Level, digest: bytes) -> Resource | None:
    """By the prefix of the identifier; the whole of it decides among the few that it may name."""
    for found in _resources(connection, level, f"{TABLE[level]}.orthanc_id = ?", prefix(digest)):
        if digest_of(found.identity, *_own_uids(found)) == digest:
            return found
    return None


def _own_uids(found: Resource) -> tuple[str, ...]:
    return (found.study_uid, found.series_uid, found.instance_uid)[: found.level]


def _resources(connection: Connection, level: Level, condition: str, value: object) -> list[Resource]:
    rows = connection.execute(f"SELECT {identifiers(level)} {FROM[level]} WHERE {condition}", (value,))
    return [Resource(level, *row) for row in rows]


def of_scopes(connection: Connection, scopes: Sequence[Scope]) -> list[Resource | None]:
    """The instances that DICOM identifies so; None for those that are not there."""
    condition = "study.study_uid = ? AND series.series_uid = ? AND instance.instance_uid = ?"
    statement = f"SELECT {identifiers(Level.INSTANCE)} {FROM[Level.INSTANCE]} WHERE {condition}"
    rows = [
        connection.execute(statement, (scope.study_uid, scope.series_uid, scope.instance_uid)).fetchone()
        for scope in scopes
    ]
    return [Resource(Level.INSTANCE, *row) if row else None for row in rows]


def scopes_below(connection: Connection, resource: Resource) -> list[Scope]:
    """The studies of a patient, or what else the resource is."""
    if resource.level != Level.PATIENT:
        return [resource.scope]
    rows = connection.execute("SELECT study_uid FROM study WHERE patient = ? ORDER BY id", (resource.row,))
    return [Scope(uid) for (uid,) in rows]


def instances_below(connection: Connection, resource: Resource) -> list[StoredInstance]:
    """All instances below it."""
    found: list[StoredInstance] = []
    for batch in _batches(connection, resource):
        found += reading.instances(connection, batch)
    return found


def _batches(connection: Connection, resource: Resource) -> list[list[int]]:
    """The rows of all instances below, in order, in batches."""
    batches = []
    for scope in scopes_below(connection, resource):
        ids = reading.ordered_ids(connection, scope)
        batches += [ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH)]
    return batches


def documents_below(connection: Connection, resource: Resource, convert: Callable[[Resource, bytes], _T]) -> list[_T]:
    """The DICOM JSON of all instances below; of those whose stored metadata is damaged an empty one."""
    found: list[_T] = []
    for batch in _batches(connection, resource):
        documents = dict(zip(batch, reading.metadata(connection, batch), strict=False))
        listed = orjson.dumps(batch).decode()
        rows = _resources(connection, Level.INSTANCE, "instance.id IN (SELECT value FROM json_each(?))", listed)
        by_row = {one.row: one for one in rows}
        found += [convert(by_row[row], documents[row] or b"{}") for row in batch if row in by_row and row in documents]
    return found


def listed(connection: Connection, level: Level, since: int, limit: int | None) -> list[int]:
    """Rows in the order of arrival."""
    rows = connection.execute(
        f"SELECT id FROM {TABLE[level]} ORDER BY id LIMIT ? OFFSET ?",  # noqa: S608
        (-1 if limit is None else limit, since),
    )
    return [row for (row,) in rows]


def related(connection: Connection, resource: Resource, level: Level) -> list[int]:
    """Rows of a level below the resource, or above it."""
    if level > resource.level:
        source, condition = FROM[level], f"{TABLE[resource.level]}.id = ?"
    else:
        source, condition = FROM[resource.level], f"{TABLE[resource.level]}.id = ?"
    rows = connection.execute(
        f"SELECT {TABLE[level]}.id {source} WHERE {condition} ORDER BY 1",
        (resource.row,),
    )
    return [row for (row,) in rows]


def ids(connection: Connection, level: Level, rows: Sequence[int]) -> list[str]:
    """Orthanc's identifiers of rows."""
    found: dict[int, str] = {}
    for start in range(0, len(rows), _BATCH):
        listed_rows = orjson.dumps(list(rows[start : start + _BATCH])).decode()
        statement = (
            f"SELECT {identifiers(level)} {FROM[level]} "  # noqa: S608
            f"WHERE {TABLE[level]}.id IN (SELECT value FROM json_each(?))"
        )
        found |= {row: orthanc_id(*names) for row, *names in connection.execute(statement, (listed_rows,))}
    return [found[row] for row in rows if row in found]


# What /tools/lookup compares, and the levels at which each names a resource.
_LOOKED_UP = {
    0x00100020: (Level.PATIENT,),
    0x0020000D: (Level.STUDY,),
    0x00080050: (Level.STUDY,),
    0x0020000E: (Level.SERIES,),
    0x00080018: (Level.INSTANCE,),
}


def lookup(connection: Connection, tag: int, value: str) -> list[Resource]:
    """Resources that an identifier of DICOM names."""
    found: list[Resource] = []
    for level in _LOOKED_UP[tag]:
        found += _resources(connection, level, f'{TABLE[level]}."{BY_TAG[tag].column}" = ?', value)
    return found


def lowest_ancestor(connection: Connection, resource: Resource) -> Resource | None:
    """The nearest parent that is still there."""
    for level in range(resource.level - 1, -1, -1):
        digest = digest_of(resource.identity, *_own_uids(resource)[:level])
        found = find_resource(connection, Level(level), digest)
        if found is not None:
            return found
    return None
