"""The log of what was sent to other servers; a declaration only, nothing here runs SQL."""

from sqlalchemy import REAL, Column, Integer, Table, Text

from dicomweb_server.storage.tables import metadata

export = Table(
    "export",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("time", REAL, nullable=False),
    Column("remote", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("public_id", Text, nullable=False),
    Column("patient_id", Text, nullable=False),
    Column("uids", Text, nullable=False),  # with backslashes between
    sqlite_autoincrement=True,
)
