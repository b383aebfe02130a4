"""OriginLabels: gives what is stored the labels of who sent it, in the transaction that stores it."""

import sqlite3

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.origin import Origin

_LABEL = {
    Level.PATIENT: "INSERT OR IGNORE INTO label (level, owner, label) SELECT 0, patient, ? FROM study WHERE id = ?",
    Level.STUDY: "INSERT OR IGNORE INTO label (label, level, owner) VALUES (?, 1, ?)",
    Level.SERIES: "INSERT OR IGNORE INTO label (label, level, owner) VALUES (?, 2, ?)",
    Level.INSTANCE: (
        "INSERT OR IGNORE INTO label (level, owner, label) SELECT 3, id, ? FROM instance "
        "WHERE series = ? AND instance_uid = ?"
    ),
}


class OriginLabels:
    """Notes who gets which label, and writes it when all rows are there."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._noted: dict[tuple[Level, tuple[object, ...]], None] = {}

    def note(self, origin: Origin, study: int, series: int, instance_uid: str) -> None:
        """An instance, new or known, was sent by this origin. `study`, `series`: ids of their rows."""
        for level, label in origin.labels:
            owner = (series, instance_uid) if level == Level.INSTANCE else (series if level == Level.SERIES else study,)
            self._noted[Level(level), (label, *owner)] = None

    def write(self) -> None:
        """Write what is noted."""
        for level, parameters in self._noted:
            self._connection.execute(_LABEL[level], parameters)
        self._noted.clear()

    def forget_all(self) -> None:
        """A transaction was undone."""
        self._noted.clear()
