"""What the index reads about resources under Orthanc's identifiers, as functions of a reader's connection."""

import sqlite3

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.orthanc_id import digest_of, prefix
from dicomweb_server.ports.index import Scope, StoredInstance
from dicomweb_server.ports.resources import Resource
from dicomweb_server.storage import index_reading as reading

_BATCH = 1000

# A patient, and each level below it with its parents.
FROM = {
    Level.PATIENT: "FROM patient",
    Level.STUDY: "FROM study JOIN patient ON patient.id = study.patient",
    Level.SERIES: ("FROM series JOIN study ON study.id = series.study JOIN patient ON patient.id = study.patient"),
    Level.INSTANCE: (
        "FROM instance JOIN series ON series.id = instance.series JOIN study ON study.id = series.study "
        "JOIN patient ON patient.id = study.patient"
    ),
}
TABLE = {Level.PATIENT: "patient", Level.STUDY: "study", Level.SERIES: "series", Level.INSTANCE: "instance"}
UIDS = ("patient.identity", "study.study_uid", "series.series_uid", "instance.instance_uid")


def identifiers(level: Level) -> str:
    """The columns that `Resource` is made of, its level left out."""
    return ", ".join((f"{TABLE[level]}.id", *UIDS[: level + 1]))


def find_resource(connection: sqlite3.Connection, level: Level, digest: bytes) -> Resource | None:
    """By the prefix of the identifier; the whole of it decides among the few that it may name."""
    rows = connection.execute(
        f"SELECT {identifiers(level)} {FROM[level]} WHERE {TABLE[level]}.orthanc_id = ?", (prefix(digest),)
    )
    for row, identity, *uids in rows:
        if digest_of(identity, *uids) == digest:
            return Resource(level, row, identity, *uids)
    return None


def scopes_below(connection: sqlite3.Connection, resource: Resource) -> list[Scope]:
    """The studies of a patient, or what else the resource is."""
    if resource.level != Level.PATIENT:
        return [resource.scope]
    rows = connection.execute("SELECT study_uid FROM study WHERE patient = ? ORDER BY id", (resource.row,))
    return [Scope(uid) for (uid,) in rows]


def instances_below(connection: sqlite3.Connection, resource: Resource) -> list[StoredInstance]:
    """All instances below it."""
    found: list[StoredInstance] = []
    for scope in scopes_below(connection, resource):
        ids = reading.ordered_ids(connection, scope)
        for start in range(0, len(ids), _BATCH):
            found += reading.instances(connection, ids[start : start + _BATCH])
    return found
