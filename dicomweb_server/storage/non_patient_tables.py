"""The table of instances that belong to no patient; a declaration only, nothing here runs SQL."""

from sqlalchemy import REAL, Column, Index, LargeBinary, Table, Text

from dicomweb_server.storage.tables import metadata

non_patient_instance = Table(
    "non_patient_instance",
    metadata,
    Column("instance_uid", Text, primary_key=True),
    Column("category", Text, nullable=False),
    Column("sop_class_uid", Text, nullable=False),
    Column("transfer_syntax_uid", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of the file
    Column("received", REAL, nullable=False),
    Column("metadata", LargeBinary, nullable=False),  # DICOM JSON, with the place of the root in it
    Column("file", LargeBinary, nullable=False),  # last: it is long, and seldom read
    Index("non_patient_instance_by_category", "category", "instance_uid"),
)
