"""The statements of the writer, compiled once from `tables`: SQL text and the order of its parameters, nothing else."""

import sqlite3
from collections.abc import Mapping, Sequence

from sqlalchemy import Table

from dicomweb_server.dicom.attributes import BY_LEVEL, Level
from dicomweb_server.dicom.searchable import folded_name
from dicomweb_server.storage import tables

Row = Sequence[object]

_LARGEST_INSERT = 64  # rows in one statement


class MultiInsert:
    """Inserts rows by statements of 64, 32, …, 1 rows, each compiled once.

    Many rows in one statement, because every statement lets go of the interpreter's lock and must win it back.
    """

    def __init__(self, table: Table, columns: Sequence[str], *, or_ignore: bool = False) -> None:
        """`columns` in the order of the rows' values."""
        names = ", ".join(f'"{table.columns[name].name}"' for name in columns)
        head = f"INSERT {'OR IGNORE ' if or_ignore else ''}INTO {table.name} ({names}) VALUES "  # noqa: S608
        values = f"({', '.join('?' * len(columns))})"
        self._sql = {1 << power: head + ", ".join([values] * (1 << power)) for power in range(7)}

    def run(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
        """Insert all of them."""
        start, left = 0, len(rows)
        while left:
            count = min(_LARGEST_INSERT, 1 << (left.bit_length() - 1))
            parameters = rows[start] if count == 1 else [v for row in rows[start : start + count] for v in row]
            connection.execute(self._sql[count], parameters)
            start += count
            left -= count


def _values(*levels: Level) -> tuple[str, ...]:
    """The columns that hold values of a record, without UIDs, which have their own place."""
    return tuple(a.column for level in levels for a in BY_LEVEL[level] if a.vr != "UI")


def _names(*levels: Level) -> tuple[str, ...]:
    return tuple(a.column for level in levels for a in BY_LEVEL[level] if a.vr == "PN")


class OwnColumns:
    """The columns of one table that come from a record's values: `plain` as they are, then `names` folded."""

    def __init__(self, *levels: Level) -> None:
        self.plain = _values(*levels)
        self.names = _names(*levels)
        self.all = (*self.plain, *(name + tables.FOLDED for name in self.names))

    def row(self, values: Mapping[str, str]) -> Row:
        """The values of `all` for a record."""
        names = [values.get(name) for name in self.names]
        return [*map(values.get, self.plain), *[name if name is None else folded_name(name) for name in names]]

    def update(self, table: Table, values: Mapping[str, str]) -> tuple[str, list[str]]:
        """The UPDATE of those columns of one row that have a value, and its parameters but for the row's id."""
        pairs = [(column, values[column]) for column in self.plain if column in values]
        pairs += [(name + tables.FOLDED, folded_name(values[name])) for name in self.names if name in values]
        settings = ", ".join(f'"{table.columns[column].name}" = ?' for column, _ in pairs)
        return f"UPDATE {table.name} SET {settings} WHERE id = ?", [value for _, value in pairs]  # noqa: S608


PATIENT = OwnColumns(Level.PATIENT)
STUDY = OwnColumns(Level.PATIENT, Level.STUDY)
SERIES = OwnColumns(Level.SERIES)
INSTANCE = OwnColumns(Level.INSTANCE)

INSERT_PATIENT = MultiInsert(tables.patient, ("id", "identity", "orthanc_id", *PATIENT.all))
INSERT_STUDY = MultiInsert(
    tables.study,
    (
        *("id", "patient", "study_uid", *STUDY.all, "series_count", "instance_count", "size"),
        *("modalities", "sop_classes", "created", "updated", "revision", "orthanc_id"),
    ),
)
INSERT_TEMPLATE = MultiInsert(tables.template, ("id", "content"))
INSERT_SERIES = MultiInsert(
    tables.series,
    (
        *("id", "study", "series_uid", *SERIES.all, "instance_count", "size", "template"),
        *("created", "updated", "revision", "orthanc_id"),
    ),
)
INSERT_INSTANCE = MultiInsert(
    tables.instance,
    (
        *("id", "series", "instance_uid", "sop_class_uid", *INSTANCE.all, "transfer_syntax_uid", "key", "size"),
        *("digest", "origin", "received", "revision", "template", "orthanc_id", "metadata", "frames"),
    ),
)
INSERT_CHANGE = MultiInsert(
    tables.change,
    ("sequence", "kind", "level", "patient_identity", "study_uid", "series_uid", "instance_uid", "time"),
)
INSERT_EXTRA_VALUE = MultiInsert(tables.extra_value, ("path", "form", "level", "owner"), or_ignore=True)
INSERT_GARBAGE = MultiInsert(tables.garbage, ("key", "time"), or_ignore=True)
