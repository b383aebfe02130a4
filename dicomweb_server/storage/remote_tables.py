"""The table of remotes that were told at run time; a declaration only, nothing here runs SQL."""

from sqlalchemy import Column, PrimaryKeyConstraint, Table, Text

from dicomweb_server.storage.tables import metadata

remote = Table(
    "remote",
    metadata,
    Column("kind", Text, nullable=False),  # of `RemoteKind`
    Column("name", Text, nullable=False),
    Column("document", Text, nullable=False),  # JSON; it may have passwords, which nobody is shown
    PrimaryKeyConstraint("kind", "name"),
    sqlite_with_rowid=False,
)
