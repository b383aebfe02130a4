"""The table of jobs; a declaration only, nothing here runs SQL."""

from sqlalchemy import REAL, Column, Index, Integer, Table, Text, text

from dicomweb_server.storage.tables import metadata

job = Table(
    "job",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("created", REAL, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("user", Text, nullable=False),
    Column("parameters", Text, nullable=False),  # JSON, as are the next three
    Column("content", Text, nullable=False),
    Column("cursor", Text, nullable=False),
    Column("outputs", Text, nullable=False),
    Column("state", Text, nullable=False),  # of `JobState`
    Column("progress", REAL, nullable=False),
    Column("runtime", REAL, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", REAL),
    Column("changed", REAL, nullable=False),
    Column("completed", REAL),
    Column("reason", Text),  # name of a `Reason`
    Column("details", Text, nullable=False),
    Column("owner", Text),  # of the claim, while RUNNING
    Column("leased_until", REAL),
    # The next one to run, without a sort: the highest priority first, then the oldest.
    Index("job_by_priority", "state", text("priority DESC"), "sequence"),
    Index("job_by_completion", "state", "completed"),
    Index("job_by_attempt", "not_before", sqlite_where=text("not_before IS NOT NULL")),
    Index("job_by_lease", "leased_until", sqlite_where=text("leased_until IS NOT NULL")),
    sqlite_autoincrement=True,
)
