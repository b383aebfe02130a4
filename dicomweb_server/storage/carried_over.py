"""Carried over: what no blob can tell is taken from the index that a rebuild set aside, as far as it can be read."""

import logging
import sqlite3
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Table

from dicomweb_server.storage import carried_annotations
from dicomweb_server.storage.commitment_tables import asked_commitment, commitment_request, owed_report
from dicomweb_server.storage.export_tables import export
from dicomweb_server.storage.job_tables import job
from dicomweb_server.storage.non_patient_tables import non_patient_instance
from dicomweb_server.storage.remote_tables import remote
from dicomweb_server.storage.workitem_tables import removed_workitem, workitem, workitem_subscription, workitem_watch
from dicomweb_server.storage.worklist_tables import performed_reference, performed_step, scheduled_step

_log = logging.getLogger(__name__)

# In an order in which what is referred to comes first. None of them has identifiers of rows that come from blobs.
TABLES: tuple[Table, ...] = (
    remote,
    export,
    job,
    scheduled_step,
    performed_step,
    performed_reference,
    workitem,
    workitem_subscription,
    workitem_watch,
    removed_workitem,
    owed_report,
    commitment_request,
    non_patient_instance,
    asked_commitment,
)


def carry_over(connection: sqlite3.Connection, old: Path) -> dict[str, int]:
    """Copy the rows of `TABLES` from an old index into a new one, and hold what clients added to resources.

    May be done again, as after a rebuild that was stopped. How many rows there were, by table.
    """
    try:
        connection.execute("ATTACH DATABASE ? AS old", (f"file:{quote(str(old))}?mode=ro",))
    except sqlite3.Error as error:
        _log.warning("nothing could be taken from the index that was set aside: %s", error)
        return {}
    try:
        statements = [*map(_copying, TABLES), *carried_annotations.holding()]
        return {name: count for name, sql in statements if (count := _run(connection, name, sql)) is not None}
    finally:
        connection.execute("DETACH DATABASE old")


def _copying(table: Table) -> tuple[str, str]:
    names = ", ".join(column.name for column in table.columns)
    return table.name, f"INSERT OR IGNORE INTO main.{table.name} ({names}) SELECT {names} FROM old.{table.name}"  # noqa: S608


def _run(connection: sqlite3.Connection, name: str, statement: str) -> int | None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        copied = connection.execute(statement).rowcount
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        _log.warning("the table %s could not be taken from the index that was set aside: %s", name, error)
        return None
    return copied
