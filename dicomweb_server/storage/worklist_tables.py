"""The tables of the modality worklist; declarations only, nothing here runs SQL."""

from sqlalchemy import REAL, Column, ForeignKey, Index, PrimaryKeyConstraint, Table, Text

from dicomweb_server.dicom.scheduled import KEYS
from dicomweb_server.storage.tables import metadata

scheduled_step = Table(
    "scheduled_step",
    metadata,
    Column("id", Text, primary_key=True),
    Column("start_date", Text, nullable=False),  # YYYYMMDD; "" if it has none
    Column("start_time", Text, nullable=False),
    Column("study_uid", Text, nullable=False),
    Column("worklist", Text, nullable=False),
    *(Column(name, Text) for name in KEYS),  # NULL: none, or several
    Column("document", Text, nullable=False),  # DICOM JSON
    Column("created", REAL, nullable=False),  # seconds of the epoch
    Index("scheduled_step_by_start", "start_date", "start_time"),
    Index("scheduled_step_by_study", "study_uid"),
    Index("scheduled_step_by_patient", "patient_id"),
    Index("scheduled_step_by_accession_number", "accession_number"),
    sqlite_with_rowid=False,
)

performed_step = Table(
    "performed_step",
    metadata,
    Column("instance_uid", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("created", REAL, nullable=False),
    Column("updated", REAL, nullable=False),
    sqlite_with_rowid=False,
)

# Which scheduled steps, ours or not, a performed one refers to.
performed_reference = Table(
    "performed_reference",
    metadata,
    Column("study_uid", Text, nullable=False),
    Column("scheduled_step_id", Text, nullable=False),
    Column("performed_step", Text, ForeignKey("performed_step.instance_uid"), nullable=False),
    PrimaryKeyConstraint("study_uid", "scheduled_step_id", "performed_step"),
    sqlite_with_rowid=False,
)
