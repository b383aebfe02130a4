"""Absences: what no instance of a study says any more goes from its rows, in the writer's transaction.

Rows are filled by whichever instance says something first; after instances were edited in place, what was taken out of
all of them must not be found in the rows of their parents, nor in the template that their documents are packed with.
"""

import orjson

from dicomweb_server.dicom.attributes import ATTRIBUTES
from dicomweb_server.dicom.instance import PLACE_OF_ROOT
from dicomweb_server.storage import tables
from dicomweb_server.storage.sqlite import Connection
from dicomweb_server.storage.statements import INSERT_TEMPLATE, PATIENT, SERIES, STUDY, OwnColumns
from dicomweb_server.storage.transaction import Transaction

_KEYS = {attribute.column: f"{attribute.tag:08X}" for attribute in ATTRIBUTES if attribute.vr != "UI"}


def forget_absent(transaction: Transaction, study_uid: str) -> None:
    """Empty the columns of a study, its series and its patient that none of its instances speaks for."""
    connection = transaction.connection
    row = connection.execute("SELECT id, patient FROM study WHERE study_uid = ?", (study_uid,)).fetchone()
    if row is None:
        return
    study, patient = row
    of_study: set[str] = set()
    for (series,) in connection.execute("SELECT id FROM series WHERE study = ?", (study,)).fetchall():
        present = _present(transaction, series)
        _clear(transaction, SERIES, "series", series, present)
        of_study |= present
    _clear(transaction, STUDY, "study", study, of_study)
    columns = ", ".join(PATIENT.all)
    connection.execute(
        f"UPDATE patient SET ({columns}) = (SELECT {columns} FROM study WHERE id = ?) WHERE id = ?",  # noqa: S608 - ours
        (study, patient),
    )
    transaction.forget_parents()


def _present(transaction: Transaction, series: int) -> set[str]:
    """The columns that some instance of a series has a value for; its documents get another template on the way."""
    connection = transaction.connection
    instances = connection.execute("SELECT id FROM instance WHERE series = ? ORDER BY id", (series,)).fetchall()
    present: set[str] = set()
    renewed = 0
    for (instance,) in instances:
        document = _document(connection, instance)
        present |= _spoken_for(document)
        if not renewed:
            renewed = _new_template(transaction, document)
        encoded = connection.codec.encode(document, renewed)
        connection.execute("UPDATE instance SET metadata = ?, template = ? WHERE id = ?", (encoded, renewed, instance))
    if renewed:
        (old,) = connection.execute("SELECT template FROM series WHERE id = ?", (series,)).fetchone()
        connection.execute("UPDATE series SET template = ? WHERE id = ?", (renewed, series))
        connection.execute("DELETE FROM template WHERE id = ?", (old,))
    return present


def _document(connection: Connection, instance: int) -> bytes:
    metadata, template = connection.execute(
        "SELECT metadata, template FROM instance WHERE id = ?", (instance,)
    ).fetchone()
    return connection.codec.decode(metadata, template)


def _spoken_for(document: bytes) -> set[str]:
    found = orjson.loads(document.replace(PLACE_OF_ROOT.encode("ascii"), b""))
    return {column for column, key in _KEYS.items() if found.get(key, {}).get("Value")}


def _new_template(transaction: Transaction, document: bytes) -> int:
    """A template without what was in the first document that the series ever had."""
    template = transaction.ledger.next_id("template")
    INSERT_TEMPLATE.run(transaction.connection, [(template, transaction.connection.codec.pack_template(document))])
    return template


def _clear(transaction: Transaction, columns: OwnColumns, table: str, row: int, present: set[str]) -> None:
    absent = [column for column in columns.plain if column in _KEYS and column not in present]
    absent += [name + tables.FOLDED for name in columns.names if name not in present]
    if absent:
        settings = ", ".join(f"{column} = NULL" for column in absent)
        transaction.connection.execute(f"UPDATE {table} SET {settings} WHERE id = ?", (row,))  # noqa: S608 - ours
