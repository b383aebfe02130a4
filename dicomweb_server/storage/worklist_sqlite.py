"""SqliteWorklist: scheduled and performed procedure steps in the index's file."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence

import orjson

from dicomweb_server.dicom.scheduled import KEYS, key_values, start_of, study_uid_of
from dicomweb_server.ports.worklist import ALL_STEPS, PerformedStep, ScheduledStep, StepFilter, StepReference, StepStart
from dicomweb_server.storage.sqlite import Connection, Database
from dicomweb_server.storage.transaction import Transaction
from dicomweb_server.storage.writer import Writer

_SCHEDULED = "SELECT id, document, created, worklist FROM scheduled_step"
_SOME = f"{_SCHEDULED} WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608
_BETWEEN = "SELECT start_date, start_time, id FROM scheduled_step WHERE (start_date = '' OR start_date BETWEEN ? AND ?)"
_BY_START = " ORDER BY start_date, start_time, id"
_COLUMNS = ("id", "start_date", "start_time", "study_uid", "worklist", "document", "created", *KEYS)
_PUT_SCHEDULED = (
    f"INSERT OR REPLACE INTO scheduled_step ({', '.join(_COLUMNS)}) "  # noqa: S608
    f"VALUES ({', '.join('?' * len(_COLUMNS))})"
)
_FINISHED = (
    "SELECT scheduled_step.id FROM scheduled_step JOIN study USING (study_uid) WHERE study.updated < ? "
    "ORDER BY scheduled_step.id"
)
_PERFORMED = "SELECT instance_uid, status, document, created, updated FROM performed_step"
_ADD_PERFORMED = (
    "INSERT OR IGNORE INTO performed_step (instance_uid, status, document, created, updated) VALUES (?, ?, ?, ?, ?)"
)
_CHANGE_PERFORMED = "UPDATE performed_step SET status = ?, document = ?, updated = ? WHERE instance_uid = ?"
_ADD_REFERENCE = (
    "INSERT OR IGNORE INTO performed_reference (study_uid, scheduled_step_id, performed_step) VALUES (?, ?, ?)"
)
_REFERENCES = "SELECT study_uid, scheduled_step_id FROM performed_reference WHERE performed_step = ?"
_STATUSES = (
    "SELECT status FROM performed_reference JOIN performed_step ON instance_uid = performed_step "
    "WHERE study_uid = ? AND scheduled_step_id = ? ORDER BY instance_uid"
)
_LAST_DATE = "99999999"


class SqliteWorklist:
    """Implements `ports.worklist.ScheduledSteps` and `ports.worklist.PerformedSteps`."""

    def __init__(self, database: Database, writer: Writer) -> None:
        """Both belong to the store that made them."""
        self._database = database
        self._writer = writer

    async def scheduled_starts(self, wanted: StepFilter = ALL_STEPS) -> Sequence[StepStart]:
        """In a reader thread."""
        equal = {name: wanted.equal[name] for name in KEYS if name in wanted.equal}
        # Two look-ups in the index for each: a step with that value, or with none.
        conditions = "".join(f" AND ({name} = ? OR {name} IS NULL)" for name in equal)
        statement = _BETWEEN + conditions + _BY_START
        values = (wanted.first_date, wanted.last_date or _LAST_DATE, *equal.values())
        return await self._database.read(lambda connection: connection.execute(statement, values).fetchall())

    async def scheduled_steps(self, step_ids: Sequence[str]) -> Sequence[ScheduledStep]:
        """In a reader thread."""
        listed = orjson.dumps(list(step_ids)).decode()
        return await self._database.read(lambda connection: list(map(_scheduled, connection.execute(_SOME, (listed,)))))

    async def scheduled_step(self, step_id: str) -> ScheduledStep | None:
        """By its primary key."""
        statement = f"{_SCHEDULED} WHERE id = ?"
        row = await self._database.read(lambda connection: connection.execute(statement, (step_id,)).fetchone())
        return _scheduled(row) if row else None

    async def put_scheduled_step(self, step: ScheduledStep) -> None:
        """In the next transaction."""
        row = (
            step.step_id, *start_of(step.document), study_uid_of(step.document), step.worklist,
            orjson.dumps(step.document).decode(), step.created, *key_values(step.document).values(),
        )  # fmt: skip
        await self._writer.change(lambda transaction: _execute(transaction, _PUT_SCHEDULED, row))

    async def remove_scheduled_steps(self, step_ids: Sequence[str]) -> int:
        """In the next transaction."""

        def remove(transaction: Transaction) -> int:
            statement = "DELETE FROM scheduled_step WHERE id = ?"
            return sum(transaction.connection.execute(statement, (each,)).rowcount for each in step_ids)

        return await self._writer.change(remove)

    async def finished_before(self, moment: float) -> Sequence[str]:
        """By a join with the studies."""
        return await self._database.read(
            lambda connection: [row[0] for row in connection.execute(_FINISHED, (moment,))]
        )

    async def add_performed_step(self, step: PerformedStep) -> bool:
        """In the next transaction."""

        def add(transaction: Transaction) -> bool:
            connection = transaction.connection
            document = orjson.dumps(step.document).decode()
            row = (step.instance_uid, step.status, document, step.created, step.updated)
            if not connection.execute(_ADD_PERFORMED, row).rowcount:
                return False
            rows = [(each.study_uid, each.scheduled_step_id, step.instance_uid) for each in step.references]
            connection.executemany(_ADD_REFERENCE, rows)
            return True

        return await self._writer.change(add)

    async def performed_step(self, instance_uid: str) -> PerformedStep | None:
        """By its primary key."""
        return await self._database.read(lambda connection: _performed_one(connection, instance_uid))

    async def performed_steps(self, limit: int, after: str = "") -> Sequence[PerformedStep]:
        """In the order of their UIDs."""
        statement = f"{_PERFORMED} WHERE instance_uid > ? ORDER BY instance_uid LIMIT ?"
        return await self._database.read(
            lambda connection: [_performed(connection, row) for row in connection.execute(statement, (after, limit))]
        )

    async def change_performed_step(
        self, instance_uid: str, change: Callable[[PerformedStep], PerformedStep]
    ) -> PerformedStep | None:
        """Read and written in one transaction."""

        def changed(transaction: Transaction) -> PerformedStep | None:
            found = _performed_one(transaction.connection, instance_uid)
            if found is None:
                return None
            new = change(found)
            row = (new.status, orjson.dumps(new.document).decode(), new.updated, instance_uid)
            transaction.connection.execute(_CHANGE_PERFORMED, row)
            return new

        return await self._writer.change(changed)

    async def statuses(self, references: Sequence[StepReference]) -> Mapping[StepReference, Sequence[str]]:
        """One look-up for each."""

        def read(connection: Connection) -> dict[StepReference, list[str]]:
            found = {}
            for each in dict.fromkeys(references):
                rows = connection.execute(_STATUSES, (each.study_uid, each.scheduled_step_id)).fetchall()
                if rows:
                    found[each] = [row[0] for row in rows]
            return found

        return await self._database.read(read)


def _scheduled(row: tuple[str, str, float, str]) -> ScheduledStep:
    step_id, document, created, worklist = row
    return ScheduledStep(step_id, orjson.loads(document), created, worklist)


def _performed_one(connection: sqlite3.Connection, instance_uid: str) -> PerformedStep | None:
    row = connection.execute(f"{_PERFORMED} WHERE instance_uid = ?", (instance_uid,)).fetchone()
    return _performed(connection, row) if row else None


def _performed(connection: sqlite3.Connection, row: tuple[str, str, str, float, float]) -> PerformedStep:
    instance_uid, status, document, created, updated = row
    references = tuple(StepReference(*each) for each in connection.execute(_REFERENCES, (instance_uid,)))
    return PerformedStep(instance_uid, status, orjson.loads(document), references, created, updated)


def _execute(transaction: Transaction, statement: str, row: tuple[object, ...]) -> None:
    transaction.connection.execute(statement, row)
