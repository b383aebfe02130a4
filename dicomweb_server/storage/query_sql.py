"""Search in the index: a Query → one page of matches, by SQL alone where it can, verified by `dicom.matching` else.

Runs in a reader thread. Never opens files; what would take too long is refused.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from operator import itemgetter

import orjson

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.matching import matches
from dicomweb_server.dicom.query import Query
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Page
from dicomweb_server.storage.query_answer import Field, all_fields, fields_of
from dicomweb_server.storage.query_documents import Addition, loaded
from dicomweb_server.storage.query_plan import Plan, plan
from dicomweb_server.storage.query_statement import (
    SEPARATOR,
    candidates_statement,
    count_statement,
    page_statement,
    rows_statement,
)
from dicomweb_server.storage.sqlite import Connection

# How long a search may compare stored metadata before it is refused.
PATIENCE = 10.0
_FETCHED = 100
_ENDLESS = -1  # LIMIT


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What only depends on a query and on which attributes have odd values."""

    plan: Plan
    odd_paths: frozenset[str]
    fields: tuple[Field, ...]
    addition: Addition


@lru_cache(maxsize=512)
def _prepared(query: Query, extra_paths: frozenset[str], configured: tuple[tuple[str, Level], ...]) -> _Prepared:
    found = plan(query, extra_paths, dict(configured))
    return _Prepared(found, extra_paths, fields_of(query, extra_paths), Addition(query))


def find(connection: Connection, query: Query, patience: float = PATIENCE) -> Page:
    """The matches of a query, cut to its offset and limit; ServerError(TOO_LARGE) if it takes longer than allowed."""
    prepared = _prepared(query, connection.extra_paths.current, connection.extra_paths.configured)
    if prepared.plan.verified:
        with _snapshot(connection):
            return _verified_page(connection, prepared, time.monotonic() + patience)
    if prepared.addition.is_needed:
        with _snapshot(connection):
            return _merged_page(connection, prepared)
    return _plain_page(connection, prepared)


@contextmanager
def _snapshot(connection: Connection) -> Iterator[None]:
    """Several statements see the same state of the index."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


def _limits(query: Query) -> dict[str, object]:
    return {"limit": _ENDLESS if query.limit is None else query.limit, "offset": query.offset}


def _plain_page(connection: Connection, prepared: _Prepared) -> Page:
    """SQLite writes the whole page, in one statement and one step."""
    query, shape = prepared.plan.query, prepared.plan.shape
    is_counted = query.limit is not None or query.count_total
    statement = page_statement(shape, prepared.fields, query.order, is_counted=is_counted)
    full = 0 if query.count_total else query.limit
    values = statement.parameters(prepared.plan.values, **_limits(query), full=full)
    objects, total = connection.execute(statement.sql, values).fetchone()
    found = objects.split(SEPARATOR) if objects else []
    return _page(query, found, total)


def _page(query: Query, found: list[bytes], total: int | None) -> Page:
    if total is None:
        return Page(found)
    remaining = max(0, total - query.offset - len(found))
    return Page(found, remaining, total if query.count_total else None)


def _merged_page(connection: Connection, prepared: _Prepared) -> Page:
    """Each match is completed from its stored metadata."""
    query, shape = prepared.plan.query, prepared.plan.shape
    statement = rows_statement(shape, prepared.fields, query.order, by_ids=False, with_metadata=True)
    found = _merged(connection, prepared, statement.sql, statement.parameters(prepared.plan.values, **_limits(query)))
    total = None
    if query.count_total or (query.limit is not None and len(found) >= query.limit):
        count = count_statement(shape)
        (total,) = connection.execute(count.sql, count.parameters(prepared.plan.values)).fetchone()
    return _page(query, found, total)


def _merged(connection: Connection, prepared: _Prepared, sql: str, values: list[object]) -> list[bytes]:
    cursor = connection.execute(sql, values)
    found = []
    while rows := cursor.fetchmany(_FETCHED):
        for row, metadata, template in rows:
            found.append(prepared.addition.merged(row, connection.codec.decode(metadata, template)))
    return found


def _verified_page(connection: Connection, prepared: _Prepared, deadline: float) -> Page:
    """What SQL left open is verified for each candidate; then the page is answered as any other."""
    query, shape = prepared.plan.query, prepared.plan.shape
    last = None if query.limit is None else query.offset + query.limit
    page_ids: list[int] = []
    total = 0
    for found in _verified_ids(connection, prepared, deadline):
        if query.offset <= total and (last is None or total < last):
            page_ids.append(found)
        total += 1
    with_metadata = prepared.addition.is_needed
    statement = rows_statement(shape, prepared.fields, query.order, by_ids=True, with_metadata=with_metadata)
    values = statement.parameters((), ids=orjson.dumps(page_ids).decode())
    if with_metadata:
        return _page(query, _merged(connection, prepared, statement.sql, values), total)
    rows = connection.execute(statement.sql, values).fetchall()
    return _page(query, [row.encode() for row, _, _ in rows], total)


def _verified_ids(connection: Connection, prepared: _Prepared, deadline: float) -> Iterator[int]:
    """Ids of the rows that match, in the order of the answer."""
    open_plan = prepared.plan
    query = open_plan.query
    depth = max(open_plan.depth, query.level)
    fields = all_fields(depth, prepared.odd_paths)
    statement = candidates_statement(
        open_plan.shape, fields, query.order, depth, with_metadata=open_plan.needs_metadata
    )
    question = replace(query, matches=open_plan.verified)
    cursor = connection.execute(statement.sql, statement.parameters(open_plan.values))
    rows = (row for batch in iter(lambda: cursor.fetchmany(_FETCHED), []) for row in batch)
    for found, group in groupby(rows, key=itemgetter(0)):
        if time.monotonic() > deadline:
            raise ServerError(
                Reason.TOO_LARGE,
                "the search compares attributes that are not indexed with too many instances: "
                "add a key that is indexed, such as StudyDate or PatientID",
            )
        if any(_is_match(connection, row, question) for row in group):
            yield found


def _is_match(connection: Connection, row: tuple[int, str, bytes | None, int | None], question: Query) -> bool:
    _, text, metadata, template = row
    document = loaded(text)
    if metadata is not None and template is not None:
        document = loaded(connection.codec.decode(metadata, template)) | document
    return matches(document, question)
