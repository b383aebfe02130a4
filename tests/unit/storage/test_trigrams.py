import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from dicomweb_server.storage import schema
from dicomweb_server.storage.tables import study
from dicomweb_server.storage.trigrams import question


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        schema.prepare(connection)
        yield connection


def _store(connection: sqlite3.Connection, study_id: int, **texts: str) -> None:
    row: dict[str, object] = {
        column.name: 0 for column in study.c if not column.nullable and column.name not in ("id", "study_uid")
    }
    row |= {"id": study_id, "study_uid": f"1.2.{study_id}", **texts}
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO study ({', '.join(row)}) VALUES ({marks})", list(row.values()))


def _found(connection: sqlite3.Connection, piece: str) -> list[int]:
    rows = connection.execute("SELECT rowid FROM study_trigram WHERE study_trigram MATCH ?", (question([piece]),))
    return sorted(row[0] for row in rows)


def test_rows_are_found_by_pieces_of_each_column(connection: sqlite3.Connection) -> None:
    _store(connection, 1, patient_name_folded="smith^anna", accession_number="ACC7")
    _store(connection, 2, patient_id="ANNA-2", accession_number='CT "7"')
    assert _found(connection, "mith^a") == [1]
    assert _found(connection, "CC7") == [1]
    assert _found(connection, 'T "7') == [2]
    # Case does not narrow: the comparison that follows decides.
    assert _found(connection, "anna") == [1, 2]
    assert _found(connection, "nobody") == []


def test_all_pieces_are_asked_for(connection: sqlite3.Connection) -> None:
    _store(connection, 1, patient_name_folded="smith^anna")
    _store(connection, 2, patient_name_folded="smith^bea")
    rows = connection.execute(
        "SELECT rowid FROM study_trigram WHERE study_trigram MATCH ?", (question(["smi", "bea"]),)
    )
    assert rows.fetchall() == [(2,)]
    assert question("x" * n for n in range(3, 2000)) == '"xxx"'
    assert question([str(10**300 + n) for n in range(1000)]).count("AND") < 64


def test_pieces_do_not_reach_from_one_column_into_the_next(connection: sqlite3.Connection) -> None:
    _store(connection, 1, accession_number="ABC", patient_id="DEF")
    assert _found(connection, "BCD") == []


def test_changed_and_deleted_rows_are_not_found_by_what_they_were(connection: sqlite3.Connection) -> None:
    _store(connection, 1, patient_name_folded="smith^anna")
    connection.execute("UPDATE study SET patient_name_folded = 'müller^anna' WHERE id = 1")
    assert _found(connection, "smith") == []
    assert _found(connection, "üller") == [1]
    connection.execute("DELETE FROM study WHERE id = 1")
    assert _found(connection, "anna") == []


def test_a_change_of_other_columns_leaves_the_index_alone(connection: sqlite3.Connection) -> None:
    _store(connection, 1, patient_id="P100")
    connection.execute("UPDATE study SET instance_count = 7, patient_sex = 'F' WHERE id = 1")
    assert _found(connection, "P100") == [1]
