"""What clients added to resources, held through a rebuild by the identities of these until they have rows again.

The tables that hold it are in the new index from the beginning to the end of a rebuild, and at no other time.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Kind:
    """A table of annotations. `owned`: what to select from it; `columns`: those beside its owner."""

    table: str
    columns: tuple[str, ...]
    owned: str = "level, owner"


_KINDS = (
    _Kind("resource_metadata", ("name", "value", "revision")),
    _Kind("label", ("label",)),
    _Kind("attachment", ("name", "key", "size", "md5", "revision")),
    _Kind("protected_patient", (), "0 AS level, patient AS owner"),
)

# From the row of a resource to the identities of it and of what it is in, and back. The numbers are `attributes.Level`.
_IDENTITIES = """
    LEFT JOIN old.instance i ON a.level = 3 AND i.id = a.owner
    LEFT JOIN old.series e ON e.id = CASE a.level WHEN 3 THEN i.series WHEN 2 THEN a.owner END
    LEFT JOIN old.study s ON s.id = CASE WHEN a.level >= 2 THEN e.study WHEN a.level = 1 THEN a.owner END
    LEFT JOIN old.patient p ON a.level = 0 AND p.id = a.owner"""
_ROWS = """
    LEFT JOIN patient p ON p.identity = c.identity
    LEFT JOIN study s ON s.study_uid = c.study_uid
    LEFT JOIN series e ON e.study = s.id AND e.series_uid = c.series_uid
    LEFT JOIN instance i ON i.series = e.id AND i.instance_uid = c.instance_uid"""
_ROW = "CASE c.level WHEN 0 THEN p.id WHEN 1 THEN s.id WHEN 2 THEN e.id ELSE i.id END"
_NOW = "(julianday('now') - 2440587.5) * 86400.0"


def holding() -> Iterator[tuple[str, str]]:
    """What to call each kind, and the statement that takes it out of the attached database `old`."""
    for kind in _KINDS:
        annotation = (f"a.{name}" for name in ("level", *kind.columns))
        columns = ", ".join(("identity", "study_uid", "series_uid", "instance_uid", *annotation))
        inner = ", ".join((kind.owned, *kind.columns))
        yield (
            kind.table,
            f"CREATE TABLE IF NOT EXISTS main.carried_{kind.table} AS SELECT {columns} "  # noqa: S608 - all of it ours
            f"FROM (SELECT {inner} FROM old.{kind.table}) a {_IDENTITIES}",
        )


def held_attachments(connection: sqlite3.Connection) -> frozenset[str]:
    """The keys of blobs that are attachments, not instances."""
    if not _is_held(connection, "attachment"):
        return frozenset()
    return frozenset(key for (key,) in connection.execute("SELECT key FROM carried_attachment"))


def place(connection: sqlite3.Connection) -> None:
    """Give what is held to the resources that there are again; what was attached to others is garbage."""
    for kind in _KINDS:
        if not _is_held(connection, kind.table):
            continue
        owner = ("level", "owner") if kind.owned == "level, owner" else ("patient",)
        values = ", ".join((*(["c.level"] if "level" in owner else []), _ROW, *(f"c.{name}" for name in kind.columns)))
        connection.execute(
            f"INSERT OR IGNORE INTO {kind.table} ({', '.join((*owner, *kind.columns))}) SELECT {values} "  # noqa: S608
            f"FROM carried_{kind.table} c {_ROWS} WHERE {_ROW} IS NOT NULL"
        )
        if kind.table == "attachment":
            connection.execute(
                f"INSERT OR IGNORE INTO garbage (key, time) SELECT key, {_NOW} FROM carried_attachment "  # noqa: S608
                "WHERE key NOT IN (SELECT key FROM attachment)"
            )
        connection.execute(f"DROP TABLE carried_{kind.table}")


def _is_held(connection: sqlite3.Connection, table: str) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (f"carried_{table}",)).fetchone()
    return found is not None
