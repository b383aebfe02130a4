"""What is shown of resources, read for many rows of one level at a time."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson

from dicomweb_server.dicom.attributes import BY_LEVEL, Attribute, Level
from dicomweb_server.dicom.orthanc_id import orthanc_id
from dicomweb_server.errors import ServerError
from dicomweb_server.ports.resources import Described, FileFacts, Resource
from dicomweb_server.storage.metadata_codec import SAME_AS_TEMPLATE
from dicomweb_server.storage.resource_reading import FROM, TABLE, identifiers
from dicomweb_server.storage.sqlite import Connection
from dicomweb_server.storage.tables import column_of

_log = logging.getLogger(__name__)

_LISTED = "IN (SELECT value FROM json_each(?))"
_TEMPLATE = {
    Level.PATIENT: "(SELECT template FROM series JOIN study AS first ON first.id = series.study "
    "WHERE first.patient = patient.id ORDER BY series.id LIMIT 1)",
    Level.STUDY: "(SELECT template FROM series WHERE series.study = study.id ORDER BY series.id LIMIT 1)",
    Level.SERIES: "series.template",
    Level.INSTANCE: "instance.template",
}
_OF_PATIENT = "(SELECT {} FROM study AS own WHERE own.patient = patient.id)"
# updated, instances, size, and counters
_FACTS = {
    Level.PATIENT: (
        *(_OF_PATIENT.format(one) for one in ("max(updated)", "sum(instance_count)", "sum(size)")),
        *(_OF_PATIENT.format(one) for one in ("count(*)", "sum(series_count)", "sum(instance_count)")),
    ),
    Level.STUDY: (
        *("study.updated", "study.instance_count", "study.size"),
        *("study.series_count", "study.instance_count", "study.modalities", "study.sop_classes"),
    ),
    Level.SERIES: ("series.updated", "series.instance_count", "series.size", "series.instance_count"),
    Level.INSTANCE: ("instance.received", "1", "instance.size"),
}
_COUNTS = {
    Level.PATIENT: (
        *("NumberOfPatientRelatedStudies", "NumberOfPatientRelatedSeries", "NumberOfPatientRelatedInstances"),
    ),
    Level.STUDY: (
        *("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances", "ModalitiesInStudy", "SOPClassesInStudy"),
    ),
    Level.SERIES: ("NumberOfSeriesRelatedInstances",),
    Level.INSTANCE: (),
}
_CHILDREN = {
    Level.PATIENT: f"SELECT patient, study_uid FROM study WHERE patient {_LISTED} ORDER BY id",  # noqa: S608
    Level.STUDY: f"SELECT study, series_uid FROM series WHERE study {_LISTED} ORDER BY id",  # noqa: S608
    Level.SERIES: f"SELECT series, instance_uid FROM instance WHERE series {_LISTED} ORDER BY id",  # noqa: S608
}
_FILE = (
    f"SELECT instance.id, instance.metadata, key, size, digest, transfer_syntax_uid, sop_class_uid, protocol, address, "  # noqa: S608
    f'calling_ae_title, called_ae_title, "user" FROM instance JOIN origin ON origin.id = instance.origin '
    f"WHERE instance.id {_LISTED}"
)


def _columns(level: Level) -> tuple[Attribute, ...]:
    shown = [Level.PATIENT, Level.STUDY, Level.SERIES, Level.INSTANCE][: level + 1]
    return tuple(attribute for one in shown for attribute in BY_LEVEL[one] if attribute.vr != "SQ")


_COLUMNS = {level: _columns(level) for level in Level}


def _select(level: Level) -> str:
    columns = [f'{column.table.name}."{column.name}"' for column in (column_of(a, level) for a in _COLUMNS[level])]
    parts = [identifiers(level), _TEMPLATE[level], *_FACTS[level], *columns]
    return f"SELECT {', '.join(parts)} {FROM[level]} WHERE {TABLE[level]}.id {_LISTED}"


_SELECT = {level: _select(level) for level in Level}


class _Annotations(NamedTuple):
    labels: dict[int, list[str]]
    metadata: dict[int, dict[str, str]]
    attachments: dict[int, list[str]]
    protected: set[int]


def describe(connection: Connection, level: Level, rows: Sequence[int]) -> list[Described]:
    """In the order of the rows; those deleted meanwhile left out."""
    listed = orjson.dumps(list(rows)).decode()
    children: dict[int, list[str]] = defaultdict(list)
    for owner, uid in connection.execute(_CHILDREN[level], (listed,)) if level in _CHILDREN else ():
        children[owner].append(uid)
    files = {row[0]: row[1:] for row in connection.execute(_FILE, (listed,))} if level is Level.INSTANCE else {}
    annotations = _annotations(connection, level, listed)
    found = {}
    for values in connection.execute(_SELECT[level], (listed,)):
        described = _described(connection, level, values, children, files, annotations)
        if described is not None:
            found[described.resource.row] = described
    return [found[row] for row in rows if row in found]


def _described(
    connection: Connection,
    level: Level,
    row: Sequence[Any],
    children: dict[int, list[str]],
    files: dict[int, Sequence[Any]],
    notes: _Annotations,
) -> Described | None:
    row_id, identity, *rest = row
    uids, rest = rest[:level], rest[level:]
    template, updated, instances, size, *rest = rest
    counts, columns = rest[: len(_COUNTS[level])], rest[len(_COUNTS[level]) :]
    metadata, file = SAME_AS_TEMPLATE, None
    if level is Level.INSTANCE:
        if row_id not in files:
            return None
        metadata, *facts = files[row_id]
        file = FileFacts(*facts)
    pairs = zip(_COLUMNS[level], columns, strict=True)
    return Described(
        resource=Resource(level, row_id, identity, *uids),
        load=partial(_decoded, connection, metadata, template),
        values={attribute.tag: str(value) for attribute, value in pairs if value is not None},
        children=[orthanc_id(identity, *uids, uid) for uid in children.get(row_id, ())],
        updated=updated or 0.0,
        instances=instances or 0,
        size=size or 0,
        counts={name: str(value).strip("\\") for name, value in zip(_COUNTS[level], counts, strict=True)},
        labels=notes.labels.get(row_id, ()),
        metadata=notes.metadata.get(row_id, {}),
        attachments=notes.attachments.get(row_id, ()),
        is_protected=level is Level.PATIENT and row_id in notes.protected,
        file=file,
    )


def _decoded(connection: Connection, metadata: bytes, template: int | None) -> bytes:
    if template is None:
        return b"{}"
    try:
        return connection.codec.decode(metadata, template)
    except ServerError as error:
        _log.error("%s", error.detail)
        return b"{}"


def _annotations(connection: Connection, level: Level, listed: str) -> _Annotations:
    """What clients added to these rows."""
    parameters = (int(level), listed)
    labels: dict[int, list[str]] = defaultdict(list)
    for owner, text in connection.execute(_of("label", "label"), parameters):
        labels[owner].append(text)
    metadata: dict[int, dict[str, str]] = defaultdict(dict)
    for owner, name, value in connection.execute(_of("resource_metadata", "name, value"), parameters):
        metadata[owner][name] = value
    attachments: dict[int, list[str]] = defaultdict(list)
    for owner, name in connection.execute(_of("attachment", "name"), parameters):
        attachments[owner].append(name)
    protected: set[int] = set()
    if level is Level.PATIENT:
        protected = {row for (row,) in connection.execute("SELECT patient FROM protected_patient")}
    return _Annotations(labels, metadata, attachments, protected)


def _of(table: str, columns: str) -> str:
    return f"SELECT owner, {columns} FROM {table} WHERE level = ? AND owner {_LISTED} ORDER BY 1, 2"  # noqa: S608
