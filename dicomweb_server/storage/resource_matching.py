"""Rows of resources that match a Query and what clients added to them; runs in a reader thread."""

import time
from collections.abc import Iterator, Sequence
from itertools import islice

import orjson

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.query import LabelsConstraint, Query
from dicomweb_server.dicom.wildcard import wildcard
from dicomweb_server.ports.resources import Restriction
from dicomweb_server.storage.query_sql import PATIENCE, matching_ids
from dicomweb_server.storage.resource_reading import FROM, TABLE
from dicomweb_server.storage.sqlite import Connection

_NOTHING = Restriction()
# Metadata that the server itself keeps: when something last came.
_TIMES = frozenset({"LastUpdate", "ReceptionDate"})
_MOMENTS = {
    Level.PATIENT: "SELECT patient, max(updated) FROM study GROUP BY patient",
    Level.STUDY: "SELECT id, updated FROM study",
    Level.SERIES: "SELECT id, updated FROM series",
    Level.INSTANCE: "SELECT id, received FROM instance",
}


def matching(connection: Connection, query: Query, restriction: Restriction) -> list[int]:
    """In the order of the query, or of metadata, cut to its offset and limit."""
    deadline = time.monotonic() + PATIENCE
    connection.execute("BEGIN")
    try:
        if restriction == _NOTHING:
            return matching_ids(connection, query, deadline)
        allowed = _allowed(connection, query.level, restriction)
        ids: Sequence[int] | Iterator[int] = matching_ids(connection, query, deadline, is_cut=False)
        ids = [row for row in ids if row in allowed] if allowed is not None else list(ids)
        for name, descending in reversed(restriction.metadata_order):
            ids = _sorted(connection, query.level, ids, name, descending=descending)
        stop = None if query.limit is None else query.offset + query.limit
        return list(islice(ids, query.offset, stop))
    finally:
        connection.execute("COMMIT")


def _allowed(connection: Connection, level: Level, restriction: Restriction) -> set[int] | None:
    """The rows that the restriction leaves; None for all."""
    sets = [*_parents(connection, level, restriction), *_with_metadata(connection, level, restriction)]
    if restriction.labels or restriction.labels_constraint is LabelsConstraint.NONE:
        sets.append(_labelled(connection, level, restriction))
    return set.intersection(*sets) if sets else None


def _parents(connection: Connection, level: Level, restriction: Restriction) -> Iterator[set[int]]:
    for parent, row in (
        (Level.PATIENT, restriction.patient),
        (Level.STUDY, restriction.study),
        (Level.SERIES, restriction.series),
    ):
        if row is not None and parent < level:
            rows = connection.execute(
                f"SELECT {TABLE[level]}.id {FROM[level]} WHERE {TABLE[parent]}.id = ?",
                (row,),
            )
            yield {found for (found,) in rows}
        elif row is not None:
            yield {row} if parent is level else set()


def _with_metadata(connection: Connection, level: Level, restriction: Restriction) -> Iterator[set[int]]:
    for name, pattern in restriction.metadata:
        asked = wildcard(pattern)
        rows = connection.execute(
            "SELECT owner, value FROM resource_metadata WHERE level = ? AND name = ?", (int(level), name)
        )
        yield {owner for owner, value in rows if value == pattern or asked.matches(value)}


def _labelled(connection: Connection, level: Level, restriction: Restriction) -> set[int]:
    listed = orjson.dumps(restriction.labels).decode()
    is_any = restriction.labels_constraint is not LabelsConstraint.ALL
    rows = connection.execute(
        "SELECT owner FROM label WHERE level = ? AND (label IN (SELECT value FROM json_each(?)) OR ?) "
        "GROUP BY owner HAVING count(*) >= ?",
        (int(level), listed, not restriction.labels, 1 if is_any else len(set(restriction.labels))),
    )
    found = {owner for (owner,) in rows}
    if restriction.labels_constraint is not LabelsConstraint.NONE:
        return found
    everything = connection.execute(f"SELECT id FROM {TABLE[level]}")  # noqa: S608
    return {row for (row,) in everything} - found


def _sorted(connection: Connection, level: Level, ids: Sequence[int], name: str, *, descending: bool) -> list[int]:
    if name in _TIMES:
        moments = dict(connection.execute(_MOMENTS[level]).fetchall())
        return sorted(ids, key=lambda row: moments.get(row) or 0.0, reverse=descending)
    rows = connection.execute(
        "SELECT owner, value FROM resource_metadata WHERE level = ? AND name = ?", (int(level), name)
    )
    values = dict(rows.fetchall())
    return sorted(ids, key=lambda row: values.get(row, ""), reverse=descending)
