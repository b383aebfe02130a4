"""The tables of storage commitment; declarations only, nothing here runs SQL."""

from sqlalchemy import REAL, Column, Index, Integer, Table, Text

from dicomweb_server.storage.tables import metadata

owed_report = Table(
    "owed_report",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("transaction_uid", Text, nullable=False),
    Column("ae_title", Text, nullable=False),
    Column("document", Text, nullable=False),  # JSON: [[SOP Class UID, SOP Instance UID], ...]
    Column("created", REAL, nullable=False),
    Column("attempts", Integer, nullable=False),
    sqlite_autoincrement=True,
)

commitment_request = Table(
    "commitment_request",
    metadata,
    Column("transaction_uid", Text, primary_key=True),
    # JSON: [[SOP Class UID, SOP Instance UID, Study Instance UID, Series Instance UID(, Failure Reason)], ...]
    Column("document", Text),  # NULL: forgotten
    Column("answered", Integer, nullable=False),
    Column("created", REAL, nullable=False),
    Index("commitment_request_by_age", "created"),
    sqlite_with_rowid=False,
)

asked_commitment = Table(
    "asked_commitment",
    metadata,
    Column("transaction_uid", Text, primary_key=True),
    Column("ae_title", Text, nullable=False),
    Column("document", Text, nullable=False),  # JSON: what was asked for, what was told
    Column("created", REAL, nullable=False),
    Index("asked_commitment_by_age", "created"),
    sqlite_with_rowid=False,
)
