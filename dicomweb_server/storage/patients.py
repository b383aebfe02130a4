"""Patients: finds or makes the patient of a study, inside the writer's transaction; the first to say something wins."""

import sqlite3
from collections.abc import Iterable, Mapping

import orjson

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.orthanc_id import prefix_of
from dicomweb_server.dicom.searchable import folded_name
from dicomweb_server.ports.changes import ChangeKind
from dicomweb_server.storage.ledger import Ledger
from dicomweb_server.storage.statements import INSERT_PATIENT, PATIENT, Row

_NAMELESS = "\x1f"
_FILL = (
    f"UPDATE patient SET {', '.join(f'{column} = coalesce({column}, ?)' for column in PATIENT.all)} "  # noqa: S608
    f"WHERE id = ? AND ({' OR '.join(f'{column} IS NULL' for column in PATIENT.all)})"
)


def identity_of(values: Mapping[str, str]) -> str:
    """The Patient ID; without one, the name tells patients apart."""
    return values.get("patient_id") or _NAMELESS + folded_name(values.get("patient_name", ""))


class Patients:
    """The patients that the transaction under way has met."""

    def __init__(self, connection: sqlite3.Connection, ledger: Ledger) -> None:
        self._connection = connection
        self._ledger = ledger
        self._known: dict[str, int] = {}
        self._new: list[Row] = []
        self._perhaps_empty: set[int] = set()

    def forget_all(self) -> None:
        """A transaction has ended."""
        self._known.clear()
        self._new.clear()
        self._perhaps_empty.clear()

    def load(self, identities: Iterable[str]) -> None:
        """Find those that exist, in one query."""
        wanted = [identity for identity in identities if identity not in self._known]
        if wanted:
            rows = self._connection.execute(
                "SELECT identity, id FROM patient WHERE identity IN (SELECT value FROM json_each(?))",
                (orjson.dumps(wanted).decode(),),
            )
            self._known.update(rows.fetchall())

    def of(self, values: Mapping[str, str]) -> tuple[int, str]:
        """The id and identity of the patient that a record names; made if new. `load` was called with its identity."""
        identity = identity_of(values)
        patient_id = self._known.get(identity)
        if patient_id is None:
            patient_id = self._known[identity] = self._ledger.next_id("patient")
            self._new.append((patient_id, identity, prefix_of(identity), *PATIENT.row(values)))
            self._ledger.record(ChangeKind.ADDED, Level.PATIENT, identity)
        else:
            self._connection.execute(_FILL, (*PATIENT.row(values), patient_id))
        return patient_id, identity

    def write(self) -> None:
        """Write the rows of new ones."""
        INSERT_PATIENT.run(self._connection, self._new)
        self._new.clear()

    def left_by_study(self, patient_id: int) -> None:
        """One of its studies is gone; if it was the last, `drop_empty` removes the patient."""
        self._perhaps_empty.add(patient_id)

    def drop_empty(self) -> None:
        """Remove patients who have no study left. At the end of a transaction: only then all new studies have rows."""
        for patient_id in self._perhaps_empty:
            row = self._connection.execute(
                "DELETE FROM patient WHERE id = ? AND NOT EXISTS (SELECT 1 FROM study WHERE patient = ?) "
                "RETURNING identity",
                (patient_id, patient_id),
            ).fetchone()
            if row is not None:
                self._ledger.record(ChangeKind.DELETED, Level.PATIENT, row[0])
        self._perhaps_empty.clear()
