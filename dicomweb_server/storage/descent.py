"""Descent: what instances and their parents were made of, written as metadata in the writer's transaction."""

from collections.abc import Iterator, Sequence

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.orthanc_id import orthanc_id
from dicomweb_server.ports.annotations import Descent
from dicomweb_server.ports.index import Scope
from dicomweb_server.storage.sqlite import Connection
from dicomweb_server.storage.transaction import Transaction

_FIND = (
    "SELECT patient.id, study.id, series.id, instance.id, patient.identity FROM instance "
    "JOIN series ON series.id = instance.series JOIN study ON study.id = series.study "
    "JOIN patient ON patient.id = study.patient "
    "WHERE study.study_uid = ? AND series.series_uid = ? AND instance.instance_uid = ?"
)


def note_descent(transaction: Transaction, name: str, descents: Sequence[Descent], *, with_labels: bool) -> None:
    """Of every level once; the first source of a parent counts."""
    connection = transaction.connection
    pairs: dict[tuple[int, int], tuple[int, str]] = {}
    for descent in descents:
        for level, (owner, _), (source, public_id) in _levels(connection, descent):
            pairs.setdefault((level, owner), (source, public_id))
    connection.executemany(
        "INSERT OR REPLACE INTO resource_metadata (level, owner, name, value, revision) VALUES (?, ?, ?, ?, 0)",
        [(level, owner, name, public_id) for (level, owner), (_, public_id) in pairs.items()],
    )
    if with_labels:
        connection.executemany(
            "INSERT OR IGNORE INTO label (level, owner, label) "
            "SELECT ?, ?, label FROM label WHERE level = ? AND owner = ?",
            [(level, owner, level, source) for (level, owner), (source, _) in pairs.items()],
        )


def _levels(connection: Connection, descent: Descent) -> Iterator[tuple[int, tuple[int, str], tuple[int, str]]]:
    made, source = _rows(connection, descent.made), _rows(connection, descent.source)
    if made and source:
        for level, one, other in zip(Level, made, source, strict=True):
            if one[0] != other[0]:  # a parent that both have in common is no child of itself
                yield int(level), one, other


def _rows(connection: Connection, scope: Scope) -> list[tuple[int, str]]:
    """The row and Orthanc's identifier of an instance and its parents, from the patient down."""
    uids = (scope.study_uid, scope.series_uid or "", scope.instance_uid or "")
    row = connection.execute(_FIND, uids).fetchone()
    if row is None:
        return []
    *rows, identity = row
    return [(rows[level], orthanc_id(identity, *uids[:level])) for level in Level]
