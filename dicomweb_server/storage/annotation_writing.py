"""Changes of what clients added to resources, as functions of the writer's transaction."""

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.annotations import Attached, Expected
from dicomweb_server.ports.changes import ChangeKind
from dicomweb_server.ports.resources import Resource
from dicomweb_server.storage.resource_reading import TABLE
from dicomweb_server.storage.transaction import Transaction

_NOT_THERE = -1


def put_metadata(transaction: Transaction, resource: Resource, name: str, value: str, expected: Expected) -> int:
    """The new revision."""
    revision = _next_revision(transaction, "resource_metadata", resource, name, expected)
    transaction.connection.execute(
        "INSERT OR REPLACE INTO resource_metadata (level, owner, name, value, revision) VALUES (?, ?, ?, ?, ?)",
        (int(resource.level), resource.row, name, value, revision),
    )
    _log(transaction, ChangeKind.METADATA, resource)
    return revision


def remove_metadata(transaction: Transaction, resource: Resource, name: str, expected: Expected) -> None:
    """NOT_FOUND if it is not there."""
    _check_removal(transaction, "resource_metadata", resource, name, expected)
    transaction.connection.execute(
        "DELETE FROM resource_metadata WHERE level = ? AND owner = ? AND name = ?",
        (int(resource.level), resource.row, name),
    )
    _log(transaction, ChangeKind.METADATA, resource)


def put_label(transaction: Transaction, resource: Resource, label: str) -> None:
    """Once is enough."""
    _check_there(transaction, resource)
    transaction.connection.execute(
        "INSERT OR IGNORE INTO label (level, owner, label) VALUES (?, ?, ?)",
        (int(resource.level), resource.row, label),
    )


def remove_label(transaction: Transaction, resource: Resource, label: str) -> None:
    """Nothing happens if it is not there."""
    transaction.connection.execute(
        "DELETE FROM label WHERE level = ? AND owner = ? AND label = ?", (int(resource.level), resource.row, label)
    )


def put_attachment(transaction: Transaction, resource: Resource, attached: Attached, expected: Expected) -> int:
    """The new revision."""
    revision = _next_revision(transaction, "attachment", resource, attached.name, expected)
    _leave_blob(transaction, resource, attached.name)
    transaction.connection.execute(
        "INSERT OR REPLACE INTO attachment (level, owner, name, key, size, md5, revision) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (int(resource.level), resource.row, attached.name, attached.key, attached.size, attached.md5, revision),
    )
    _log(transaction, ChangeKind.ATTACHMENT, resource)
    return revision


def remove_attachment(transaction: Transaction, resource: Resource, name: str, expected: Expected) -> None:
    """NOT_FOUND if it is not there."""
    _check_removal(transaction, "attachment", resource, name, expected)
    _leave_blob(transaction, resource, name)
    transaction.connection.execute(
        "DELETE FROM attachment WHERE level = ? AND owner = ? AND name = ?", (int(resource.level), resource.row, name)
    )
    _log(transaction, ChangeKind.ATTACHMENT, resource)


def protect(transaction: Transaction, patient: Resource, *, protected: bool) -> None:
    """A row says that it is."""
    _check_there(transaction, patient)
    statement = (
        "INSERT OR IGNORE INTO protected_patient (patient) VALUES (?)"
        if protected
        else "DELETE FROM protected_patient WHERE patient = ?"
    )
    transaction.connection.execute(statement, (patient.row,))


def _log(transaction: Transaction, kind: ChangeKind, resource: Resource) -> None:
    uids = (resource.study_uid, resource.series_uid, resource.instance_uid)[: resource.level]
    transaction.ledger.record(kind, resource.level, resource.identity, *uids)


def _leave_blob(transaction: Transaction, resource: Resource, name: str) -> None:
    transaction.connection.execute(
        "INSERT OR IGNORE INTO garbage (key, time) SELECT key, ? FROM attachment "
        "WHERE level = ? AND owner = ? AND name = ?",
        (transaction.ledger.time, int(resource.level), resource.row, name),
    )


def _revision(transaction: Transaction, table: str, resource: Resource, name: str) -> int:
    row = transaction.connection.execute(
        f"SELECT revision FROM {table} WHERE level = ? AND owner = ? AND name = ?",  # noqa: S608 - ours
        (int(resource.level), resource.row, name),
    ).fetchone()
    return _NOT_THERE if row is None else int(row[0])


def _next_revision(transaction: Transaction, table: str, resource: Resource, name: str, expected: Expected) -> int:
    _check_there(transaction, resource)
    revision = _revision(transaction, table, resource, name)
    _check_expected(revision, expected)
    return revision + 1


def _check_removal(transaction: Transaction, table: str, resource: Resource, name: str, expected: Expected) -> None:
    revision = _revision(transaction, table, resource, name)
    if revision == _NOT_THERE:
        raise ServerError(Reason.NOT_FOUND, "the resource has nothing of that name")
    _check_expected(revision, expected)


def _check_expected(revision: int, expected: Expected) -> None:
    if expected.revision is not None and expected.revision != revision:
        raise ServerError(
            Reason.CONFLICT, "somebody else changed this meanwhile: get it again, and say its ETag in If-Match"
        )


def _check_there(transaction: Transaction, resource: Resource) -> None:
    table = TABLE[Level(resource.level)]
    found = transaction.connection.execute(
        f"SELECT 1 FROM {table} WHERE id = ?",  # noqa: S608 - ours
        (resource.row,),
    ).fetchone()
    if found is None:
        raise ServerError(Reason.NOT_FOUND, "the resource was deleted meanwhile")
