"""The tables of workitems (Unified Procedure Steps); declarations only, nothing here runs SQL."""

from sqlalchemy import REAL, Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table, Text

from dicomweb_server.dicom.workitem import KEYS
from dicomweb_server.storage.tables import metadata

workitem = Table(
    "workitem",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("start", Text, nullable=False),  # as it is compared; "" if it has none
    *(Column(name, Text) for name in KEYS),  # NULL: none, or several
    Column("transaction_uid", Text, nullable=False),
    Column("document", Text, nullable=False),  # DICOM JSON
    Column("created", REAL, nullable=False),  # seconds of the epoch
    Column("ended", REAL, nullable=False),  # 0: it has not
    Index("workitem_by_start", "start"),
    Index("workitem_by_state", "state"),
    Index("workitem_by_patient", "patient_id"),
    Index("workitem_by_end", "ended"),
    sqlite_with_rowid=False,
)

workitem_subscription = Table(
    "workitem_subscription",
    metadata,
    Column("uid", Text, ForeignKey("workitem.uid"), nullable=False),
    Column("ae_title", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("is_locked", Integer, nullable=False),
    PrimaryKeyConstraint("uid", "ae_title"),
    Index("workitem_subscription_by_subscriber", "ae_title"),
    sqlite_with_rowid=False,
)

# The last ones that were there.
removed_workitem = Table(
    "removed_workitem",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("uid", Text, nullable=False),
    Index("removed_workitem_by_uid", "uid"),
)

# Global subscriptions: one for each AE (PS3.4 §CC.2.3.1).
workitem_watch = Table(
    "workitem_watch",
    metadata,
    Column("ae_title", Text, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("is_locked", Integer, nullable=False),
    Column("matches", Text, nullable=False),  # JSON
    sqlite_with_rowid=False,
)
