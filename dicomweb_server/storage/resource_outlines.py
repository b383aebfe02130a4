"""Outlines of patients and studies: what lists show of them, with attributes as JSON that SQLite writes.

Thousands of them are shown at a time: SQLite does most of it without holding the interpreter's lock.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

import orjson

from dicomweb_server.dicom.attributes import BY_TAG, Level
from dicomweb_server.ports.resources import Named, Outline
from dicomweb_server.storage.resource_reading import FROM, TABLE
from dicomweb_server.storage.sqlite import Connection
from dicomweb_server.storage.tables import column_of

_ABSENT = re.compile(r',"\w+":null')
_CHILDREN = {
    Level.PATIENT: "(SELECT group_concat(study_uid, char(10)) FROM "
    "(SELECT study_uid FROM study WHERE study.patient = patient.id ORDER BY id))",
    Level.STUDY: "(SELECT group_concat(series_uid, char(10)) FROM "
    "(SELECT series_uid FROM series WHERE series.study = study.id ORDER BY id))",
}
_UPDATED = {
    Level.PATIENT: "(SELECT max(updated) FROM study AS own WHERE own.patient = patient.id)",
    Level.STUDY: "study.updated",
}
_UID = {Level.PATIENT: "''", Level.STUDY: "study.study_uid"}
_PROTECTED = {Level.PATIENT: "EXISTS (SELECT 1 FROM protected_patient WHERE patient = patient.id)", Level.STUDY: "0"}
# Of the counts of `resource_describing`, those that a row of a study has.
COUNTED = {
    0x00080056: "'ONLINE'",
    0x00080061: "trim(study.modalities, '\\')",
    0x00080062: "trim(study.sop_classes, '\\')",
    0x00201206: "CAST(study.series_count AS TEXT)",
    0x00201208: "CAST(study.instance_count AS TEXT)",
}


def outlines(connection: Connection, level: Level, rows: Sequence[int], groups: Sequence[Named]) -> list[Outline]:
    """In the order of the rows, those deleted meanwhile left out. Each group becomes a JSON object."""
    listed = orjson.dumps(list(rows)).decode()
    labels = _labels(connection, level, listed)
    metadata = _metadata(connection, level, listed)
    found = {}
    for row, identity, uid, updated, children, protected, *objects in connection.execute(
        _statement(level, tuple(groups)), (listed,)
    ):
        found[row] = Outline(
            identity,
            uid,
            updated or 0.0,
            children.split("\n") if children else [],
            labels.get(row, []),
            metadata.get(row, {}),
            bool(protected),
            [_ABSENT.sub("", text) if ":null" in text else text for text in objects],
        )
    return [found[row] for row in rows if row in found]


def is_outlined(level: Level, tag: int) -> bool:
    """Whether an attribute can be in an outline at a level."""
    if level is Level.STUDY and tag in COUNTED:
        return True
    known = BY_TAG.get(tag)
    return known is not None and known.level <= level <= Level.STUDY


def _labels(connection: Connection, level: Level, listed: str) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for owner, text in connection.execute(
        "SELECT owner, label FROM label WHERE level = ? AND owner IN (SELECT value FROM json_each(?)) ORDER BY 1, 2",
        (int(level), listed),
    ):
        found.setdefault(owner, []).append(text)
    return found


def _metadata(connection: Connection, level: Level, listed: str) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for owner, name, value in connection.execute(
        "SELECT owner, name, value FROM resource_metadata WHERE level = ? "
        "AND owner IN (SELECT value FROM json_each(?))",
        (int(level), listed),
    ):
        found.setdefault(owner, {})[name] = value
    return found


@lru_cache(maxsize=256)
def _statement(level: Level, groups: tuple[Named, ...]) -> str:
    parts = [
        f"{TABLE[level]}.id",
        "patient.identity",
        _UID[level],
        _UPDATED[level],
        _CHILDREN[level],
        _PROTECTED[level],
    ]
    parts += [_object(level, group) for group in groups]
    condition = f"{TABLE[level]}.id IN (SELECT value FROM json_each(?))"  # noqa: S608
    return f"SELECT {', '.join(parts)} {FROM[level]} WHERE {condition}"


def _object(level: Level, group: Named) -> str:
    # The first must be there: what is absent is cut out together with the comma before it.
    members = [f"'{name}', {_value(level, tag, is_shown=is_shown)}" for tag, name, is_shown in group]
    return f"json_object({', '.join(members)})"


def _value(level: Level, tag: int, *, is_shown: bool) -> str:
    if tag in COUNTED:
        return COUNTED[tag]
    column = column_of(BY_TAG[tag], level)
    text = f'{column.table.name}."{column.name}"'
    return f"coalesce({text}, '')" if is_shown else text
