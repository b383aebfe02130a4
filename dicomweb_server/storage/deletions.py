"""Deletions: removes a scope's rows, and parents left empty, inside the writer's transaction; blobs become garbage."""

import sqlite3
from collections.abc import Sequence

import orjson

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.ports.changes import ChangeKind
from dicomweb_server.ports.index import Scope
from dicomweb_server.storage.ledger import Ledger
from dicomweb_server.storage.parent_rows import modalities_of, sop_classes_of
from dicomweb_server.storage.parents import Parents, set_text
from dicomweb_server.storage.patients import Patients
from dicomweb_server.storage.statements import INSERT_GARBAGE

_FIND = (
    "SELECT instance.id, key, size, instance_uid, series FROM instance WHERE series IN (SELECT value FROM json_each(?))"
)


class Deletions:
    """Deletes by scope, or by the blobs that are lost."""

    def __init__(self, connection: sqlite3.Connection, ledger: Ledger, patients: Patients, parents: Parents) -> None:
        self._connection = connection
        self._ledger = ledger
        self._patients = patients
        self._parents = parents

    def delete(self, scope: Scope) -> int:
        """Remove what is below a scope; how many instances went."""
        row = self._connection.execute("SELECT id FROM study WHERE study_uid = ?", (scope.study_uid,)).fetchone()
        if row is None:
            return 0
        study_id: int = row[0]
        series = dict(self._connection.execute("SELECT id, series_uid FROM series WHERE study = ?", (study_id,)))
        if scope.series_uid is not None:
            series = {series_id: uid for series_id, uid in series.items() if uid == scope.series_uid}
        condition, parameters = "", [orjson.dumps(list(series)).decode()]
        if scope.instance_uid is not None:
            condition, parameters = " AND instance_uid = ?", [*parameters, scope.instance_uid]
        found = self._connection.execute(_FIND + condition, parameters).fetchall()
        return self._remove(study_id, series, found)

    def drop(self, keys: Sequence[str]) -> int:
        """Remove the instances that these blobs belong to; how many went."""
        rows = self._connection.execute(
            "SELECT study_uid, series_uid, instance_uid FROM instance JOIN series ON series.id = instance.series "
            "JOIN study ON study.id = series.study WHERE key IN (SELECT value FROM json_each(?))",
            (orjson.dumps(list(keys)).decode(),),
        ).fetchall()
        return sum(self.delete(Scope(*uids)) for uids in rows)

    def _remove(self, study_id: int, series: dict[int, str], found: Sequence[tuple[int, str, int, str, int]]) -> int:
        """Remove instances of one study; `series` has all that they may belong to."""
        if not found:
            return 0
        study_uid, identity, patient = self._connection.execute(
            "SELECT study_uid, identity, patient FROM study JOIN patient ON patient.id = patient WHERE study.id = ?",
            (study_id,),
        ).fetchone()
        self._parents.forget(study_uid)
        self._remove_instances([row[0] for row in found])
        INSERT_GARBAGE.run(self._connection, [(key, self._ledger.time) for _, key, *_ in found])
        for *_, instance_uid, series_id in found:
            self._record(Level.INSTANCE, identity, study_uid, series[series_id], instance_uid)
        for series_id in {row[4] for row in found}:
            sizes = [row[2] for row in found if row[4] == series_id]
            if self._shrink("series", series_id, len(sizes), sum(sizes)):
                self._remove_series(series_id)
                self._record(Level.SERIES, identity, study_uid, series[series_id])
        if self._shrink("study", study_id, len(found), sum(row[2] for row in found)):
            self._remove_row("study", Level.STUDY, study_id)
            self._record(Level.STUDY, identity, study_uid)
            self._patients.left_by_study(patient)
        else:
            self._recount(study_id)
        return len(found)

    def _remove_instances(self, ids: Sequence[int]) -> None:
        listed = orjson.dumps(list(ids)).decode()
        self._connection.execute(
            "DELETE FROM extra_value WHERE level = ? AND owner IN (SELECT value FROM json_each(?))",
            (Level.INSTANCE, listed),
        )
        self._connection.execute("DELETE FROM instance WHERE id IN (SELECT value FROM json_each(?))", (listed,))

    def _shrink(self, table: str, row_id: int, instances: int, size: int) -> bool:
        """Count down; True if nothing is left."""
        (left,) = self._connection.execute(
            f"UPDATE {table} SET instance_count = instance_count - ?, size = size - ?, updated = ?, revision = ? "  # noqa: S608
            "WHERE id = ? RETURNING instance_count",
            (instances, size, self._ledger.time, self._ledger.revision, row_id),
        ).fetchone()
        return bool(left <= 0)

    def _remove_series(self, series_id: int) -> None:
        self._connection.execute(
            "DELETE FROM template WHERE id = (SELECT template FROM series WHERE id = ?)", (series_id,)
        )
        self._remove_row("series", Level.SERIES, series_id)

    def _remove_row(self, table: str, level: Level, row_id: int) -> None:
        self._connection.execute("DELETE FROM extra_value WHERE level = ? AND owner = ?", (level, row_id))
        self._connection.execute(f"DELETE FROM {table} WHERE id = ?", (row_id,))  # noqa: S608

    def _recount(self, study_id: int) -> None:
        sets = (
            set_text(modalities_of(self._connection, study_id)),
            set_text(sop_classes_of(self._connection, study_id)),
        )
        self._connection.execute(
            "UPDATE study SET modalities = ?, sop_classes = ?, "
            "series_count = (SELECT count(*) FROM series WHERE study = ?) WHERE id = ?",
            (*sets, study_id, study_id),
        )

    def _record(
        self, level: Level, identity: str, study_uid: str, series_uid: str | None = None, uid: str | None = None
    ) -> None:
        self._ledger.record(ChangeKind.DELETED, level, identity, study_uid, series_uid, uid)
