"""Ledger: the numbers and the change log of the transaction under way; one per writer, used in its thread only."""

import sqlite3

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.ports.changes import ChangeKind
from dicomweb_server.storage.statements import INSERT_CHANGE, Row


class Ledger:
    """Gives out ids, which are never used twice, and collects the change log's rows."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Starts where the database ends."""
        self._connection = connection
        self._numbers: dict[str, int] = {}
        self._changes: list[Row] = []
        self.time = 0.0
        self.reload()

    def reload(self) -> None:
        """Forget what was not committed."""
        self._changes.clear()
        self._numbers = dict(self._connection.execute("SELECT name, seq FROM sqlite_sequence"))

    @property
    def revision(self) -> int:
        """The revision that this transaction gives to all it touches."""
        return self._numbers.get("change", 0) + 1

    def last_id(self, table: str) -> int:
        """The highest id given out for a table."""
        return self._numbers.get(table, 0)

    def next_id(self, table: str) -> int:
        """A new one."""
        number = self._numbers[table] = self._numbers.get(table, 0) + 1
        return number

    def record(
        self,
        kind: ChangeKind,
        level: Level,
        patient_identity: str,
        study_uid: str | None = None,
        series_uid: str | None = None,
        instance_uid: str | None = None,
    ) -> None:
        """One more entry of the change log."""
        self._changes.append((kind, level, patient_identity, study_uid, series_uid, instance_uid))

    def write(self) -> None:
        """Write the entries, numbered without gaps."""
        if self._changes:
            first = self.revision
            rows = [(first + position, *change, self.time) for position, change in enumerate(self._changes)]
            INSERT_CHANGE.run(self._connection, rows)
            self._numbers["change"] = first + len(rows) - 1
            self._changes.clear()
