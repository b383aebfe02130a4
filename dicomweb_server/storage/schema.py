"""The schema's version: makes a new index, brings an older one up to date, refuses a newer one. Forward only."""

import secrets
import sqlite3
from collections.abc import Callable, Sequence

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.storage import (
    annotation_tables,
    commitment_tables,
    export_tables,
    job_tables,
    non_patient_tables,
    remote_tables,
    tables,
    trigrams,
    workitem_tables,
    worklist_tables,
)

# A step of a migration: SQL, or a function where SQL does not suffice.
Step = str | Callable[[sqlite3.Connection], None]

# Each module of tables is imported here, or its tables were missing.
assert annotation_tables.label.metadata is tables.metadata
assert job_tables.job.metadata is tables.metadata
assert remote_tables.remote.metadata is tables.metadata
assert export_tables.export.metadata is tables.metadata
assert commitment_tables.owed_report.metadata is tables.metadata
assert non_patient_tables.non_patient_instance.metadata is tables.metadata
assert workitem_tables.workitem.metadata is tables.metadata
assert worklist_tables.scheduled_step.metadata is tables.metadata

_DIALECT = sqlite.dialect()


def _making(*made: Table) -> list[str]:
    """The statements that make tables, unless they are there: a version may have had them before its number said so."""
    statements = []
    for table in made:
        statements.append(str(CreateTable(table, if_not_exists=True).compile(dialect=_DIALECT)))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        statements += [str(CreateIndex(index, if_not_exists=True).compile(dialect=_DIALECT)) for index in indexes]
    return statements


# MIGRATIONS[n] leads from version n + 1 to n + 2, each in its own transaction. Version 1 is what `tables` said first.
MIGRATIONS: Sequence[Sequence[Step]] = (
    _making(workitem_tables.workitem, workitem_tables.workitem_subscription, workitem_tables.workitem_watch),
    _making(commitment_tables.commitment_request),
    _making(non_patient_tables.non_patient_instance),
    _making(workitem_tables.removed_workitem),
)


def definition() -> list[str]:
    """The statements that make a new index of the newest version."""
    return [*_making(*tables.metadata.sorted_tables), *trigrams.definition(), *annotation_tables.triggers()]


def version(connection: sqlite3.Connection) -> int:
    """The version of the index; 0 for an empty file."""
    number: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return number


def prepare(connection: sqlite3.Connection, migrations: Sequence[Sequence[Step]] = MIGRATIONS) -> None:
    """Make or migrate; ServerError(INTERNAL) for an index of a newer version of this program."""
    newest = len(migrations) + 1
    found = version(connection)
    if found > newest:
        raise ServerError(
            Reason.INTERNAL,
            f"the index has schema version {found}, this program knows versions up to {newest}: "
            "use the newer program that wrote it, or rebuild the index with `reindex`",
        )
    if found == 0:
        _run(connection, [*definition(), _first_state], newest)
    for number in range(max(found, 1), newest) if found else ():
        _run(connection, migrations[number - 1], number + 1)


def _first_state(connection: sqlite3.Connection) -> None:
    rows = [("epoch", secrets.token_hex(4)), ("verified", "0"), ("clean", "1"), ("trusted", "1")]
    connection.executemany("INSERT INTO state (name, value) VALUES (?, ?)", rows)


def _run(connection: sqlite3.Connection, steps: Sequence[Step], reached: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in steps:
            if callable(step):
                step(connection)
            else:
                connection.execute(step)
        connection.execute(f"PRAGMA user_version={reached}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
