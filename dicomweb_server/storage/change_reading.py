"""The change log as clients see it, and who is found to be stable."""

import sqlite3
from collections.abc import Sequence

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.ports.changes import Change, ChangeFilter, ChangeKind
from dicomweb_server.storage.transaction import Transaction

_HIDDEN, _JUDGED = "changes_hidden", "changes_judged"  # in the table `state`: sequence numbers
_THERE = (
    f"CASE level WHEN {int(Level.PATIENT)} THEN EXISTS (SELECT 1 FROM patient WHERE identity = patient_identity) "  # noqa: S608
    f"WHEN {int(Level.STUDY)} THEN EXISTS (SELECT 1 FROM study WHERE study.study_uid = change.study_uid) "
    f"WHEN {int(Level.SERIES)} THEN EXISTS (SELECT 1 FROM series WHERE series.series_uid = change.series_uid) "
    "ELSE EXISTS (SELECT 1 FROM instance WHERE instance.instance_uid = change.instance_uid) END"
)


def shown(connection: sqlite3.Connection, asked: ChangeFilter, limit: int) -> list[Change]:
    """Entries in order; of those that are gone there are none."""
    conditions = ["sequence > ?", "sequence > coalesce((SELECT value + 0 FROM state WHERE name = ?), 0)"]
    parameters: list[object] = [asked.since, _HIDDEN]
    if asked.to is not None:
        conditions.append("sequence <= ?")
        parameters.append(asked.to)
    if asked.kinds:
        conditions.append(f"({' OR '.join(['(kind = ? AND level = ?)'] * len(asked.kinds))})")
        parameters += [int(number) for pair in asked.kinds for number in pair]
    rows = connection.execute(
        f"SELECT * FROM change WHERE {' AND '.join(conditions)} AND kind <> ? AND {_THERE} "  # noqa: S608 - ours
        f"ORDER BY sequence {'DESC' if asked.last else ''} LIMIT ?",
        (*parameters, int(ChangeKind.DELETED), limit),
    ).fetchall()
    ordered = reversed(rows) if asked.last else rows
    return [Change(row[0], ChangeKind(row[1]), Level(row[2]), *row[3:]) for row in ordered]


def hide(transaction: Transaction) -> None:
    """From the last entry back."""
    transaction.set_state(_HIDDEN, str(transaction.ledger.last_id("change")))


def is_judgement_due(connection: sqlite3.Connection, before: float) -> bool:
    """Whether there are entries that nobody has judged, and that are old enough."""
    row = connection.execute(
        "SELECT 1 FROM change WHERE sequence > coalesce((SELECT value + 0 FROM state WHERE name = ?), 0) "
        "AND time <= ? AND kind IN (?, ?) LIMIT 1",
        (_JUDGED, before, int(ChangeKind.ADDED), int(ChangeKind.REPLACED)),
    ).fetchone()
    return row is not None


def announce_stable(transaction: Transaction, before: float) -> int:
    """Those below which something was added, the last of it before a time. Each is met again when more is added."""
    connection = transaction.connection
    judged = int(transaction.state(_JUDGED) or 0)
    (last,) = connection.execute(
        "SELECT coalesce(max(sequence), ?) FROM change WHERE sequence > ? AND time <= ?", (judged, judged, before)
    ).fetchone()
    transaction.set_state(_JUDGED, str(last))
    added = (judged, last, int(ChangeKind.ADDED), int(ChangeKind.REPLACED), before)
    found: list[tuple[Level, Sequence[str]]] = []
    for level, statement in _TOUCHED.items():
        found += [(level, row) for row in connection.execute(statement, added)]
    for level, identifiers in found:
        transaction.ledger.record(ChangeKind.STABLE, level, *identifiers)
    return len(found)


_AMONG = "FROM change WHERE sequence > ? AND sequence <= ? AND kind IN (?, ?)"
_TOUCHED = {
    Level.SERIES: (
        "SELECT identity, study.study_uid, series.series_uid FROM series JOIN study ON study.id = series.study "  # noqa: S608
        f"JOIN patient ON patient.id = study.patient WHERE series.series_uid IN (SELECT series_uid {_AMONG}) "
        "AND series.updated <= ? ORDER BY series.id"
    ),
    Level.STUDY: (
        "SELECT identity, study_uid FROM study JOIN patient ON patient.id = study.patient "  # noqa: S608
        f"WHERE study_uid IN (SELECT study_uid {_AMONG}) AND updated <= ? ORDER BY study.id"
    ),
    Level.PATIENT: (
        f"SELECT identity FROM patient WHERE identity IN (SELECT patient_identity {_AMONG}) "  # noqa: S608
        "AND (SELECT max(updated) FROM study WHERE patient = patient.id) <= ? ORDER BY id"
    ),
}
