"""The schema's version: new, migrated, refused."""

import sqlite3
from collections.abc import Iterator, Sequence

import pytest

from dicomweb_server.dicom.attributes import ATTRIBUTES, Level
from dicomweb_server.errors import ServerError
from dicomweb_server.storage import schema, tables

LATER = (
    "workitem_subscription", "workitem_watch", "workitem", "commitment_request", "non_patient_instance",
    "removed_workitem",
)  # fmt: skip


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    yield opened
    opened.close()


def columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


def test_a_new_index_has_a_column_for_every_attribute(connection: sqlite3.Connection) -> None:
    schema.prepare(connection)
    assert schema.version(connection) == len(schema.MIGRATIONS) + 1
    for attribute in ATTRIBUTES:
        for level in (attribute.level, Level.STUDY) if attribute.level == Level.PATIENT else (attribute.level,):
            column = tables.column_of(attribute, level)
            found = columns(connection, column.table.name)
            assert attribute.column in found
            assert (attribute.column + "_folded" in found) == (attribute.vr == "PN")
    schema.prepare(connection)


def test_every_epoch_is_another(connection: sqlite3.Connection) -> None:
    schema.prepare(connection)
    other = sqlite3.connect(":memory:", isolation_level=None)
    schema.prepare(other)
    epochs = [one.execute("SELECT value FROM state WHERE name = 'epoch'").fetchone() for one in (connection, other)]
    other.close()
    assert epochs[0] != epochs[1]


def test_an_older_index_is_migrated_step_by_step(connection: sqlite3.Connection) -> None:
    schema.prepare(connection, ())
    migrations: list[list[schema.Step]] = [
        ["ALTER TABLE garbage ADD COLUMN note TEXT"],
        ["UPDATE state SET value = '5' WHERE name = 'verified'", lambda c: None],
    ]
    schema.prepare(connection, migrations[:1])
    assert schema.version(connection) == 2
    schema.prepare(connection, migrations)
    assert schema.version(connection) == 3
    assert "note" in columns(connection, "garbage")
    assert connection.execute("SELECT value FROM state WHERE name = 'verified'").fetchone() == ("5",)


@pytest.mark.parametrize("missing", [LATER, LATER[3:], LATER[4:], ()])
def test_an_older_index_gets_the_tables_that_it_lacks(connection: sqlite3.Connection, missing: Sequence[str]) -> None:
    schema.prepare(connection, ())
    made = {name: columns(connection, name) for name in LATER}
    for name in missing:
        connection.execute(f"DROP TABLE {name}")
    schema.prepare(connection)
    assert schema.version(connection) == len(schema.MIGRATIONS) + 1
    assert {name: columns(connection, name) for name in made} == made


def test_a_migration_that_fails_leaves_what_was_before(connection: sqlite3.Connection) -> None:
    schema.prepare(connection, ())
    with pytest.raises(sqlite3.OperationalError):
        schema.prepare(connection, [["ALTER TABLE garbage ADD COLUMN note TEXT", "NONSENSE"]])
    assert schema.version(connection) == 1
    assert "note" not in columns(connection, "garbage")


def test_a_newer_index_is_refused(connection: sqlite3.Connection) -> None:
    schema.prepare(connection, [["SELECT 1"], ["SELECT 1"]])
    with pytest.raises(ServerError, match="schema version 3, this program knows versions up to 1"):
        schema.prepare(connection, ())
