"""Search in the index: a Query → one page of matches, by SQL alone where it can, verified by `dicom.matching` else.

Runs in a reader thread. Never opens files; what would take too long is refused.
"""

import logging
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

import orjson

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.matching import matches
from dicomweb_server.dicom.query import Query
from dicomweb_server.dicom.timezone import PARTNERS, TIMEZONE
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Page
from dicomweb_server.storage.query_answer import Field, all_fields, fields_of
from dicomweb_server.storage.query_documents import Addition, JsonObject, loaded
from dicomweb_server.storage.query_plan import Plan, plan
from dicomweb_server.storage.query_statement import (
    SEPARATOR,
    Statement,
    candidates_statement,
    count_statement,
    documents_statement,
    ids_statement,
    objects_statement,
    page_statement,
    rows_statement,
)
from dicomweb_server.storage.sqlite import Connection

_log = logging.getLogger(__name__)

# How long a search may compare stored metadata before it is refused.
PATIENCE = 10.0
_FETCHED = 100
_ENDLESS = -1  # LIMIT
# Matches that SQLite writes in one step; it can make no text of more than a gigabyte.
_CHUNK = 25_000
# How long matches beyond a page are verified to be counted.
_COUNTING = 1.0
# How many rows of series or instances are counted beyond a page, where only counting them one by one tells.
_COUNTED_BEYOND = 10_000


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
    if prepared.addition.is_needed or query.limit is None or query.limit > _CHUNK:
        with _snapshot(connection):
            return _long_page(connection, prepared)
    return _short_page(connection, prepared)


@contextmanager
def _snapshot(connection: Connection) -> Iterator[None]:
    """Several statements see the same state of the index."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


def _most(query: Query) -> int:
    """How far matches are counted that only counting tells."""
    is_bounded = query.limit is not None and not query.count_total
    return query.offset + (query.limit or 0) + _COUNTED_BEYOND if is_bounded else _ENDLESS


def _short_page(connection: Connection, prepared: _Prepared) -> Page:
    """SQLite writes the whole page and counts what is beyond it, in one statement and one step."""
    query, shape = prepared.plan.query, prepared.plan.shape
    statement = page_statement(shape, prepared.fields, query.order, is_counted=True)
    full = 0 if query.count_total else query.limit
    limits = {"limit": query.limit, "offset": query.offset, "full": full, "most": _most(query)}
    objects, total = connection.execute(statement.sql, statement.parameters(prepared.plan.values, **limits)).fetchone()
    return _page(query, objects.split(SEPARATOR) if objects else [], total)


def _page(query: Query, found: list[bytes], total: int | None) -> Page:
    if total is None:
        return Page(found)
    remaining = max(0, total - query.offset - len(found))
    if query.count_total:
        return Page(found, remaining, total)
    return Page(found, remaining, is_remaining_exact=query.level < Level.SERIES or remaining != _COUNTED_BEYOND)


def _long_page(connection: Connection, prepared: _Prepared) -> Page:
    """A page of any length, or one that is completed from stored metadata: chunk by chunk."""
    query = prepared.plan.query
    found: list[bytes] = []
    while query.limit is None or len(found) < query.limit:
        size = _CHUNK if query.limit is None else min(_CHUNK, query.limit - len(found))
        chunk = _chunk(connection, prepared, size, query.offset + len(found))
        found += chunk
        if len(chunk) < size:
            break
    total = None
    if query.count_total or (query.limit is not None and len(found) >= query.limit):
        count = count_statement(prepared.plan.shape)
        (total,) = connection.execute(count.sql, count.parameters(prepared.plan.values, most=_most(query))).fetchone()
    return _page(query, found, total)


def _chunk(connection: Connection, prepared: _Prepared, limit: int, offset: int) -> list[bytes]:
    query, found = prepared.plan.query, prepared.plan
    if prepared.addition.is_needed:
        statement = rows_statement(found.shape, prepared.fields, query.order, by_ids=False, with_metadata=True)
        return _completed(connection, prepared, statement, limit=limit, offset=offset)
    statement = page_statement(found.shape, prepared.fields, query.order, is_counted=False)
    values = statement.parameters(found.values, limit=limit, offset=offset)
    objects, _ = connection.execute(statement.sql, values).fetchone()
    return objects.split(SEPARATOR) if objects else []


def _completed(connection: Connection, prepared: _Prepared, statement: Statement, **limits: object) -> list[bytes]:
    """Matches whose objects are completed from stored metadata, where there is something to complete."""
    cursor = connection.execute(statement.sql, statement.parameters(prepared.plan.values, **limits))
    found = []
    while rows := cursor.fetchmany(_FETCHED):
        for text, metadata, template in rows:
            if metadata is None:
                found.append(text.encode())
            else:
                found.append(prepared.addition.merged(text, _decoded(connection, metadata, template)))
    return found


def first_matches(
    connection: Connection, query: Query, count: int, patience: float = PATIENCE
) -> tuple[list[bytes], Sequence[int]]:
    """So many matches of a query, and the ids of all others, for `more_matches`; ServerError as `find`."""
    prepared = _prepared(query, connection.extra_paths.current, connection.extra_paths.configured)
    with _snapshot(connection):
        if prepared.plan.verified or prepared.addition.is_needed:
            ids = matching_ids(connection, query, time.monotonic() + patience)
            return more_matches(connection, query, ids[:count]), array("q", ids[count:])
        size = count if query.limit is None else min(count, query.limit)
        first = _chunk(connection, prepared, size, query.offset)
        if len(first) < size:
            return first, ()
        more = None if query.limit is None else query.limit - size
        return first, array("q", _ids(connection, prepared.plan, more, query.offset + size))


def more_matches(connection: Connection, query: Query, ids: Sequence[int]) -> list[bytes]:
    """The matches of a query that have these ids, in this order; those deleted meanwhile are left out."""
    prepared = _prepared(query, connection.extra_paths.current, connection.extra_paths.configured)
    listed = orjson.dumps(list(ids)).decode()
    if prepared.addition.is_needed:
        shape = prepared.plan.shape
        statement = rows_statement(shape, prepared.fields, query.order, by_ids=True, with_metadata=True)
        return _completed(connection, prepared, statement, ids=listed)
    statement = objects_statement(query.level, prepared.fields)
    (objects,) = connection.execute(statement.sql, statement.parameters((), ids=listed)).fetchone()
    return objects.split(SEPARATOR) if objects else []


def _verified_page(connection: Connection, prepared: _Prepared, deadline: float) -> Page:
    """What SQL left open is verified for each candidate; then the page is answered as any other."""
    query, shape = prepared.plan.query, prepared.plan.shape
    last = None if query.limit is None else query.offset + query.limit
    enough = min(deadline, time.monotonic() + _COUNTING)
    page_ids: list[int] = []
    total, is_exact = 0, True
    for found in _verified_ids(connection, prepared, deadline):
        if last is not None and total >= last:
            if not query.count_total and time.monotonic() > enough:
                is_exact = False
                total += 1
                break
        elif total >= query.offset:
            page_ids.append(found)
        total += 1
    with_metadata = prepared.addition.is_needed
    statement = rows_statement(shape, prepared.fields, query.order, by_ids=True, with_metadata=with_metadata)
    matched = _completed(connection, prepared, statement, ids=orjson.dumps(page_ids).decode())
    page = _page(query, matched, total)
    return page if is_exact else replace(page, is_remaining_exact=False)


def matching_ids(connection: Connection, query: Query, deadline: float, *, is_cut: bool = True) -> list[int]:
    """The ids of the rows that match, in order; if `is_cut`, to the query's offset and limit."""
    prepared = _prepared(query, connection.extra_paths.current, connection.extra_paths.configured)
    offset = query.offset if is_cut else 0
    limit = query.limit if is_cut else None
    if prepared.plan.verified:
        stop = None if limit is None else offset + limit
        return list(islice(_verified_ids(connection, prepared, deadline), offset, stop))
    return _ids(connection, prepared.plan, limit, offset)


def _ids(connection: Connection, found: Plan, limit: int | None, offset: int) -> list[int]:
    statement = ids_statement(found.shape, found.query.order)
    values = statement.parameters(found.values, limit=_ENDLESS if limit is None else limit, offset=offset)
    (listed,) = connection.execute(statement.sql, values).fetchone()
    ids: list[int] = orjson.loads(listed)
    return ids


def _verified_ids(connection: Connection, prepared: _Prepared, deadline: float) -> Iterator[int]:
    """Ids of the rows that match, in the order of the answer."""
    statement = candidates_statement(prepared.plan.shape, prepared.plan.query.order)
    cursor = connection.execute(statement.sql, statement.parameters(prepared.plan.values))
    while rows := cursor.fetchmany(_FETCHED):
        if time.monotonic() > deadline:
            raise ServerError(
                Reason.TOO_LARGE,
                "the search compares attributes that are not indexed with too many instances: "
                "add a key that is indexed, such as StudyDate or PatientID",
            )
        ids = [row_id for (row_id,) in rows]
        verified = _verified(connection, prepared, ids)
        yield from (row_id for row_id in ids if row_id in verified)


def _verified(connection: Connection, prepared: _Prepared, ids: list[int]) -> set[int]:
    """Those of the ids that have a data set that matches."""
    found = prepared.plan
    question = replace(found.query, matches=found.verified)
    depth = max(found.depth, found.query.level)
    tags = {match.path[0] for match in found.verified}
    if found.query.timezone is not None:
        tags |= {PARTNERS[tag] for tag in tags if tag in PARTNERS} | {int(TIMEZONE, 16)}
    fields = tuple(field for field in all_fields(depth, prepared.odd_paths) if field.tag in tags)
    statement = documents_statement(found.shape, fields, depth, with_metadata=found.needs_metadata)
    first = len(found.values) - found.values_below
    values = statement.parameters(found.values[first:], ids=orjson.dumps(ids).decode())
    verified: set[int] = set()
    for row_id, text, metadata, template in connection.execute(statement.sql, values):
        if row_id not in verified and matches(_document(connection, text, metadata, template), question):
            verified.add(row_id)
    return verified


def _document(connection: Connection, text: str, metadata: bytes | None, template: int | None) -> JsonObject:
    columns = loaded(text)
    if metadata is None or template is None:
        return columns
    return loaded(_decoded(connection, metadata, template)) | columns


def _decoded(connection: Connection, metadata: bytes, template: int) -> bytes:
    """Stored metadata; nothing where it is damaged, so that the others are found all the same."""
    try:
        return connection.codec.decode(metadata, template)
    except ServerError as error:
        _log.error("a search passes over an instance: %s", error.detail)
        return b"{}"
