"""Rows of instances written anew from what their files say, in the writer's transaction; files stay as they are."""

from collections.abc import Sequence

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.record import ParsedInstance
from dicomweb_server.ports.changes import ChangeKind
from dicomweb_server.ports.index import StoredInstance
from dicomweb_server.storage import tables
from dicomweb_server.storage.statements import INSTANCE, SERIES, STUDY
from dicomweb_server.storage.transaction import Transaction

_FIND = (
    "SELECT instance.id, instance.template, series.id, study.id, patient.identity FROM instance "
    "JOIN series ON series.id = instance.series JOIN study ON study.id = series.study "
    "JOIN patient ON patient.id = study.patient WHERE instance.key = ?"
)
_COLUMNS = ", ".join(f'"{tables.instance.columns[name].name}" = ?' for name in INSTANCE.plain)
_UPDATE = (
    f"UPDATE instance SET {_COLUMNS}, transfer_syntax_uid = ?, metadata = ?, frames = ?, revision = ? "  # noqa: S608
    "WHERE id = ?"
)


def refresh(transaction: Transaction, read: Sequence[tuple[StoredInstance, ParsedInstance]]) -> int:
    """How many are still there, and now have in their rows what was read."""
    count = sum([_refresh_one(transaction, stored, parsed) for stored, parsed in read])
    transaction.forget_parents()
    return count


def _refresh_one(transaction: Transaction, stored: StoredInstance, parsed: ParsedInstance) -> bool:
    connection, record = transaction.connection, parsed.record
    row = connection.execute(_FIND, (stored.key,)).fetchone()
    if row is None:
        return False
    instance, template, series, study, identity = row
    revision = transaction.ledger.revision
    metadata = connection.codec.encode(parsed.metadata, template)
    own = [*map(record.values.get, INSTANCE.plain), record.transfer_syntax_uid, metadata, parsed.frames, revision]
    connection.execute(_UPDATE, (*own, instance))
    for table, columns, owner in ((tables.series, SERIES, series), (tables.study, STUDY, study)):
        statement, values = columns.update(table, record.values)
        if values:
            connection.execute(statement, (*values, owner))
        connection.execute(
            f"UPDATE {table.name} SET revision = ? WHERE id = ?",  # noqa: S608 - names of ours
            (revision, owner),
        )
    uids = (record.study_uid, record.series_uid, record.instance_uid)
    transaction.ledger.record(ChangeKind.METADATA, Level.INSTANCE, identity, *uids)
    return True
