"""What clients add to a resource: metadata, labels, attachments, protection. Deleted with it, by triggers.

`level` and `owner`: the resource's level and the id of its row, which is never used twice.
"""

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, Table, Text

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.storage.tables import TABLE_OF_LEVEL, metadata


def _owner() -> tuple[Column[int], Column[int]]:
    return Column("level", Integer, nullable=False), Column("owner", Integer, nullable=False)


resource_metadata = Table(
    "resource_metadata",
    metadata,
    *_owner(),
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    PrimaryKeyConstraint("level", "owner", "name"),
    Index("resource_metadata_by_name", "level", "name"),
    sqlite_with_rowid=False,
)

label = Table(
    "label",
    metadata,
    *_owner(),
    Column("label", Text, nullable=False),
    PrimaryKeyConstraint("level", "owner", "label"),
    Index("label_by_label", "level", "label"),
    sqlite_with_rowid=False,
)

attachment = Table(
    "attachment",
    metadata,
    *_owner(),
    Column("name", Text, nullable=False),
    Column("key", Text, nullable=False, unique=True),  # of its blob
    Column("size", Integer, nullable=False),
    Column("md5", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    PrimaryKeyConstraint("level", "owner", "name"),
    sqlite_with_rowid=False,
)

# Patients that are never removed to make room.
protected_patient = Table("protected_patient", metadata, Column("patient", Integer, primary_key=True))

_NOW = "(julianday('now') - 2440587.5) * 86400.0"


def triggers() -> list[str]:
    """The statements that make what is annotated go with its resource, however that goes."""
    return [_trigger(level, TABLE_OF_LEVEL[level].name) for level in Level]


def _trigger(level: Level, table: str) -> str:
    its = f"level = {int(level)} AND owner = OLD.id"
    steps = [
        f"INSERT OR IGNORE INTO garbage (key, time) SELECT key, {_NOW} FROM attachment WHERE {its}",  # noqa: S608
        *(f"DELETE FROM {name} WHERE {its}" for name in ("attachment", "label", "resource_metadata")),  # noqa: S608
    ]
    if level is Level.PATIENT:
        steps.append("DELETE FROM protected_patient WHERE patient = OLD.id")
    return f"CREATE TRIGGER {table}_annotations AFTER DELETE ON {table} BEGIN {'; '.join(steps)}; END"
