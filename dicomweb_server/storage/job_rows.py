"""Rows of jobs: reads and writes them on a connection; the writes run inside the writer's transaction."""

import sqlite3
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from typing import Any

import orjson

from dicomweb_server.errors import Reason
from dicomweb_server.ports.jobs import Job, JobState

_FIELDS = (
    *("id", "type", "created", "priority", "user", "parameters", "content", "cursor", "outputs", "state", "progress"),
    *("runtime", "attempts", "not_before", "changed", "completed", "reason", "details"),
)
_LIST = ", ".join(_FIELDS)
_SELECT = f"SELECT {_LIST} FROM job"  # noqa: S608
_READ: Mapping[str, Callable[[Any], Any]] = {
    "parameters": orjson.loads,
    "content": orjson.loads,
    "cursor": orjson.loads,
    "outputs": lambda text: tuple(orjson.loads(text)),
    "state": JobState,
    "reason": lambda name: None if name is None else Reason[name],
}
_JSON = frozenset({"parameters", "content", "cursor", "outputs"})
_SAVED = ("progress", "runtime", "cursor", "content", "outputs")
_FINISHED = (*_SAVED, "state", "attempts", "not_before", "changed", "completed", "reason", "details")
# Each state by itself, so that the many that are pending are found in the order of the index.
_FIRST_OF = (
    "SELECT * FROM (SELECT priority, sequence FROM job WHERE state = '{}'{} AND "
    "type IN (SELECT value FROM json_each(:types)) ORDER BY priority DESC, sequence LIMIT 1)"
)
_DUE = {
    "Pending": " AND (not_before IS NULL OR not_before <= :now)",
    "Retry": " AND not_before <= :now",
    "Running": " AND leased_until < :now",
}
_FIRST = (
    " UNION ALL ".join(_FIRST_OF.format(state, due) for state, due in _DUE.items())
    + " ORDER BY priority DESC, sequence LIMIT 1"
)
_FINAL = tuple(state.value for state in JobState if state.is_final)


def insert(connection: sqlite3.Connection, job: Job) -> None:
    """A new job."""
    marks = ", ".join("?" * len(_FIELDS))
    connection.execute(f"INSERT INTO job ({_LIST}) VALUES ({marks})", _values(job, _FIELDS))  # noqa: S608


def claim(
    connection: sqlite3.Connection, owner: str, types: Collection[str], now: float, leased_until: float
) -> Job | None:
    """The first that waits and is due; it is RUNNING and the owner's from then on."""
    row = connection.execute(_FIRST, {"types": orjson.dumps(list(types)).decode(), "now": now}).fetchone()
    if row is None:
        return None
    taken = connection.execute(
        "UPDATE job SET state = 'Running', owner = ?, leased_until = ?, not_before = NULL, "  # noqa: S608
        f"changed = CASE state WHEN 'Running' THEN changed ELSE ? END WHERE sequence = ? RETURNING {_LIST}",
        (owner, leased_until, now, row[1]),
    ).fetchone()
    return _job(taken)


def next_due(connection: sqlite3.Connection) -> float | None:
    """The earliest time of an attempt or end of a lease."""
    found = connection.execute(
        "SELECT (SELECT min(not_before) FROM job WHERE not_before IS NOT NULL), "
        "(SELECT min(leased_until) FROM job WHERE leased_until IS NOT NULL)"
    ).fetchone()
    return min((float(due) for due in found if due is not None), default=None)


def save(connection: sqlite3.Connection, job: Job, owner: str, leased_until: float) -> bool:
    """How far a claimed job is."""
    return _update(
        connection, job.id, [*_pairs(job, _SAVED), ("leased_until", leased_until)], [JobState.RUNNING], owner
    )


def finish(connection: sqlite3.Connection, job: Job, owner: str) -> bool:
    """A claimed job has another state."""
    return _update(
        connection,
        job.id,
        [*_pairs(job, _FINISHED), ("owner", None), ("leased_until", None)],
        [JobState.RUNNING],
        owner,
    )


def change(
    connection: sqlite3.Connection, job_id: str, states: Collection[JobState], values: Mapping[str, Any]
) -> bool:
    """Fields of a job in one of the states."""
    return _update(connection, job_id, [(name, _value(name, values[name])) for name in values], states)


def release(connection: sqlite3.Connection) -> int:
    """What ran is pending."""
    return connection.execute(
        "UPDATE job SET state = 'Pending', owner = NULL, leased_until = NULL WHERE state = 'Running'"
    ).rowcount


def get(connection: sqlite3.Connection, job_id: str) -> Job | None:
    """One job."""
    row = connection.execute(f"{_SELECT} WHERE id = ?", (job_id,)).fetchone()
    return None if row is None else _job(row)


def extend(connection: sqlite3.Connection, job: Job) -> None:
    """New parameters and content of one that has not begun."""
    pairs = _pairs(job, ("parameters", "content"))
    _update(connection, job.id, pairs, [JobState.PENDING, JobState.RETRY])


def all_jobs(connection: sqlite3.Connection) -> list[Job]:
    """All, oldest first."""
    return [_job(row) for row in connection.execute(f"{_SELECT} ORDER BY sequence")]


def all_ids(connection: sqlite3.Connection) -> list[str]:
    """Their ids."""
    return [job_id for (job_id,) in connection.execute("SELECT id FROM job ORDER BY sequence")]


def counts(connection: sqlite3.Connection) -> dict[JobState, int]:
    """How many in each state."""
    found = dict(connection.execute("SELECT state, count(*) FROM job GROUP BY state"))
    return {state: found.get(state.value, 0) for state in JobState}


def delete(connection: sqlite3.Connection, job_id: str) -> bool:
    """Remove one that has ended."""
    return bool(connection.execute("DELETE FROM job WHERE id = ? AND state IN (?, ?)", (job_id, *_FINAL)).rowcount)


def trim(connection: sqlite3.Connection, keep: int) -> None:
    """Remove those that ended longest ago; failures are not pushed out by successes."""
    connection.executemany(
        "DELETE FROM job WHERE sequence IN (SELECT sequence FROM job WHERE state = ? "
        "ORDER BY completed DESC, sequence DESC LIMIT -1 OFFSET ?)",
        [(state, keep) for state in _FINAL],
    )


def clear(connection: sqlite3.Connection) -> None:
    """Remove all."""
    connection.execute("DELETE FROM job")


def _update(
    connection: sqlite3.Connection,
    job_id: str,
    pairs: Collection[tuple[str, Any]],
    states: Collection[JobState],
    owner: str | None = None,
) -> bool:
    # Names of columns are those above and of `Job`, never from outside.
    columns = ", ".join(f"{name} = ?" for name, _ in pairs)
    listed = orjson.dumps([state.value for state in states]).decode()
    condition, more = (" AND owner = ?", [owner]) if owner is not None else ("", [])
    statement = f"UPDATE job SET {columns} WHERE id = ? AND state IN (SELECT value FROM json_each(?)){condition}"  # noqa: S608
    return bool(connection.execute(statement, [*(value for _, value in pairs), job_id, listed, *more]).rowcount)


def _pairs(job: Job, names: Collection[str]) -> list[tuple[str, Any]]:
    return list(zip(names, _values(job, names), strict=True))


def _values(job: Job, names: Collection[str]) -> list[Any]:
    return [_value(name, getattr(job, name)) for name in names]


def _value(name: str, value: Any) -> Any:
    if name in _JSON:
        return orjson.dumps(value).decode()
    if isinstance(value, Reason):
        return value.name
    return value.value if isinstance(value, Enum) else value


def _job(row: tuple[Any, ...]) -> Job:
    return Job(**{name: _READ.get(name, _same)(value) for name, value in zip(_FIELDS, row, strict=True)})


def _same(value: Any) -> Any:
    return value
