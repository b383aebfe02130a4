"""The tables of storage commitment; declarations only, nothing here runs SQL."""

from sqlalchemy import REAL, Column, Index, Integer, LargeBinary, Table, Text, text

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
    Column("number", Integer, primary_key=True),
    Column("transaction_uid", Text, nullable=False, unique=True),
    Column("answered", Integer, nullable=False),
    Column("created", REAL, nullable=False),
    Column("size", Integer, nullable=False),  # of the document
    # JSON: [[SOP Class UID, SOP Instance UID, Study Instance UID, Series Instance UID(, Failure Reason)], ...]
    Column("document", LargeBinary),  # NULL: forgotten
    # Tells what is to be forgotten without a look at any document.
    Index("commitment_request_kept", "number", "size", sqlite_where=text("document IS NOT NULL AND answered")),
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
