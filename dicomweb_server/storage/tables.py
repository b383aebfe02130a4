"""The tables of the index, generated from `attributes.ATTRIBUTES`; declarations only, nothing here runs SQL.

One column per indexed attribute, named as `Attribute.column`, in the table of the attribute's level. `study` also has
the patient's columns, as its own instances gave them: two studies under one Patient ID may name the patient
differently, and a search for studies needs no join. Person names have a second column, `<column>_folded`, made by
`searchable.folded_name`. An absent or empty attribute is NULL. Integer attributes (IS, US) have INTEGER affinity: a
number is compared as a number, several values stay text. Everything stored is ONLINE, so no column says so.
"""

from collections.abc import Iterator

from sqlalchemy import (
    BLOB,
    REAL,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from dicomweb_server.dicom.attributes import BY_LEVEL, Attribute, Level

FOLDED = "_folded"
INTEGER_VRS = frozenset({"IS", "SL", "SS", "UL", "US"})
_REQUIRED = frozenset({"study_uid", "series_uid", "instance_uid", "sop_class_uid"})

metadata = MetaData()


def _columns(*levels: Level) -> Iterator[Column[object]]:
    for level in levels:
        for attribute in BY_LEVEL[level]:
            kind = Integer if attribute.vr in INTEGER_VRS else Text
            yield Column(attribute.column, kind, nullable=attribute.column not in _REQUIRED)
            if attribute.vr == "PN":
                yield Column(attribute.column + FOLDED, Text)


def _id() -> Column[int]:
    # Never used twice: a deleted row's number must stay below the `verified` mark of `state`.
    return Column("id", Integer, primary_key=True, autoincrement=True)


def _orthanc_id() -> Column[int]:
    # `orthanc_id.prefix`: what REST finds a resource by; the rest of the identifier is compared when it is found.
    return Column("orthanc_id", Integer, nullable=False)


def _reference(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, Integer, ForeignKey(f"{name}.id"), nullable=nullable)


patient = Table(
    "patient",
    metadata,
    _id(),
    # The Patient ID, or for want of one U+001F and the patient's folded name.
    Column("identity", Text, nullable=False, unique=True),
    _orthanc_id(),
    *_columns(Level.PATIENT),
    Index("patient_by_name", "patient_name_folded"),
    Index("patient_by_orthanc_id", "orthanc_id"),
    sqlite_autoincrement=True,
)

study = Table(
    "study",
    metadata,
    _id(),
    _reference("patient"),
    *_columns(Level.PATIENT, Level.STUDY),
    Column("series_count", Integer, nullable=False),
    Column("instance_count", Integer, nullable=False),
    Column("size", Integer, nullable=False),  # bytes of all its blobs
    Column("modalities", Text, nullable=False),  # of its series, sorted: \CT\SR\ ; a lone \ if none has one
    Column("sop_classes", Text, nullable=False),  # of its instances, likewise
    Column("created", REAL, nullable=False),  # seconds of the epoch
    Column("updated", REAL, nullable=False),
    Column("revision", Integer, nullable=False),  # grows with every change below it, never repeats
    _orthanc_id(),
    UniqueConstraint("study_uid"),
    Index("study_by_orthanc_id", "orthanc_id"),
    Index("study_by_patient", "patient"),
    Index("study_by_patient_id", "patient_id"),
    Index("study_by_patient_name", "patient_name_folded"),
    # Studies in the order of the answer, with what work lists look for: a page is found without reading the rows.
    Index(
        "study_by_date",
        *("study_date", "study_time", "id", "modalities", "patient_name_folded", "patient_id", "accession_number"),
        "study_description",
    ),
    Index("study_by_accession_number", "accession_number"),
    sqlite_autoincrement=True,
)

# The metadata of a series' first instance: the zstd dictionary of all others (`metadata_codec`).
template = Table(
    "template",
    metadata,
    _id(),
    Column("content", BLOB, nullable=False),
    sqlite_autoincrement=True,
)

series = Table(
    "series",
    metadata,
    _id(),
    _reference("study"),
    *_columns(Level.SERIES),
    Column("instance_count", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    _reference("template"),
    Column("created", REAL, nullable=False),
    Column("updated", REAL, nullable=False),
    Column("revision", Integer, nullable=False),
    _orthanc_id(),
    UniqueConstraint("study", "series_uid"),
    Index("series_by_orthanc_id", "orthanc_id"),
    Index("series_by_uid", "series_uid"),
    sqlite_autoincrement=True,
)

origin = Table(
    "origin",
    metadata,
    _id(),
    Column("protocol", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("calling_ae_title", Text, nullable=False),
    Column("called_ae_title", Text, nullable=False),
    Column("user", Text, nullable=False),
    UniqueConstraint("protocol", "address", "calling_ae_title", "called_ae_title", "user"),
)

instance = Table(
    "instance",
    metadata,
    _id(),
    _reference("series"),
    *_columns(Level.INSTANCE),
    Column("transfer_syntax_uid", Text, nullable=False),
    Column("key", Text, nullable=False, unique=True),  # of its blob
    Column("size", Integer, nullable=False),
    Column("digest", BLOB, nullable=False),
    _reference("origin"),
    Column("received", REAL, nullable=False),
    Column("revision", Integer, nullable=False),
    _reference("template"),
    _orthanc_id(),
    # The wide ones last, so that a scan of the others does not follow their overflow pages.
    Column("metadata", BLOB, nullable=False),  # `metadata_codec`
    Column("frames", BLOB, nullable=False),  # packed `frames.FrameIndex`
    UniqueConstraint("series", "instance_uid"),
    Index("instance_by_uid", "instance_uid"),
    Index("instance_by_orthanc_id", "orthanc_id"),
    sqlite_autoincrement=True,
)

# What `dicom.searchable.extra_forms` says of the row `owner` of the table of `level` (STUDY, SERIES or INSTANCE).
extra_value = Table(
    "extra_value",
    metadata,
    Column("path", Text, nullable=False),  # `searchable.path_text`
    Column("form", Text, nullable=False),  # as `comparable.comparable` makes it
    Column("level", Integer, nullable=False),
    Column("owner", Integer, nullable=False),
    PrimaryKeyConstraint("path", "form", "level", "owner"),
    Index("extra_value_by_owner", "level", "owner"),
    sqlite_with_rowid=False,
)

# The attributes indexed by setting. Until `complete` is 1, `extra_value` has them only for what came after the setting.
extra_attribute = Table(
    "extra_attribute",
    metadata,
    Column("path", Text, primary_key=True),
    Column("level", Integer, nullable=False),
    Column("vr", Text, nullable=False),
    Column("complete", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# The log of what happened, in order of commit and without gaps; written in the transaction it tells about.
change = Table(
    "change",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("kind", Integer, nullable=False),  # `ChangeKind`
    Column("level", Integer, nullable=False),  # `attributes.Level`
    Column("patient_identity", Text, nullable=False),
    Column("study_uid", Text),
    Column("series_uid", Text),
    Column("instance_uid", Text),
    Column("time", REAL, nullable=False),
    sqlite_autoincrement=True,
)

# Blobs whose rows are gone, to be removed by the sweep.
garbage = Table(
    "garbage",
    metadata,
    Column("key", Text, primary_key=True),
    Column("time", REAL, nullable=False),
    sqlite_with_rowid=False,
)

# Facts about the whole: `verified` (the last instance id known to be durable with its blob), `epoch` (made with the
# database, part of every revision token), `clean` (1 while closed properly).
state = Table(
    "state",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

TABLE_OF_LEVEL: dict[Level, Table] = {
    Level.PATIENT: patient,
    Level.STUDY: study,
    Level.SERIES: series,
    Level.INSTANCE: instance,
}


def column_of(attribute: Attribute, level: Level) -> Column[object]:
    """The column of an attribute in a search at `level` (below the patient level: the patient's in `study`)."""
    home = Level.STUDY if attribute.level == Level.PATIENT and level != Level.PATIENT else attribute.level
    column: Column[object] = TABLE_OF_LEVEL[home].columns[attribute.column]
    return column
