"""SqliteWorkitems: workitems (Unified Procedure Steps) in the index's file."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence

import orjson

from dicomweb_server.dicom.comparable import comparable
from dicomweb_server.dicom.workitem import EXPIRATION, KEYS, START, Document, State, values_of
from dicomweb_server.ports.workitems import ALL, Changed, Subscriber, Watch, Workitem, WorkitemFilter
from dicomweb_server.storage.sqlite import Connection, Database
from dicomweb_server.storage.transaction import Transaction
from dicomweb_server.storage.workitem_watches import SUBSCRIBERS, watches
from dicomweb_server.storage.writer import Writer

_READ = "SELECT uid, state, document, transaction_uid, created, ended FROM"
_WORKITEM = f"{_READ} workitem"
_SOME = f"{_READ} json_each(?) CROSS JOIN workitem ON uid = value ORDER BY key"
_BETWEEN = "SELECT uid FROM workitem WHERE (start = '' OR start BETWEEN ? AND ?)"
_COLUMNS = ("uid", "start", *KEYS, "transaction_uid", "document", "created", "ended")
_ADD = f"INSERT OR IGNORE INTO workitem ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
_CHANGE = f"UPDATE workitem SET {', '.join(f'{name} = ?' for name in _COLUMNS[1:])} WHERE uid = ?"  # noqa: S608
_SUBSCRIBE = "INSERT INTO workitem_subscription (uid, ae_title, channel, is_locked) VALUES (?, ?, ?, ?)"
_ENDED = (
    "SELECT uid FROM workitem WHERE ended > 0 AND ended < ? AND NOT EXISTS "
    "(SELECT 1 FROM workitem_subscription WHERE workitem_subscription.uid = workitem.uid AND is_locked)"
)
_EXPIRATIONS = (
    "SELECT uid, json_extract(document, ?) AS expiration FROM workitem WHERE state = ? AND expiration IS NOT NULL"
)
_OF_EXPIRATION = f'$."{EXPIRATION}".Value[0]', State.SCHEDULED.value
_FORGET = "DELETE FROM removed_workitem WHERE number <= (SELECT MAX(number) FROM removed_workitem) - ?"
_MOST_REMOVED = 100_000
_LAST_START = "99999999"


class SqliteWorkitems:
    """Implements `ports.workitems.Workitems`."""

    def __init__(self, database: Database, writer: Writer) -> None:
        """Both belong to the store that made them."""
        self._database = database
        self._writer = writer

    async def add_workitem(
        self, workitem: Workitem, is_watched: Callable[[Watch], bool]
    ) -> Sequence[Subscriber] | None:
        """In the next transaction."""

        def add(transaction: Transaction) -> list[Subscriber] | None:
            connection = transaction.connection
            if not connection.execute(_ADD, _row(workitem)).rowcount:
                return None
            found = [each for each in watches(connection) if is_watched(each)]
            rows = [(workitem.uid, each.subscriber.ae_title, each.subscriber.channel, each.is_locked) for each in found]
            connection.executemany(_SUBSCRIBE, rows)
            return [each.subscriber for each in found]

        return await self._writer.change(add)

    async def workitem(self, uid: str) -> Workitem | None:
        """By its primary key."""
        return await self._database.read(lambda connection: _one(connection, uid))

    async def change_workitem(self, uid: str, change: Callable[[Workitem], Workitem]) -> Changed | None:
        """Read and written in one transaction."""

        def changed(transaction: Transaction) -> Changed | None:
            connection = transaction.connection
            found = _one(connection, uid)
            if found is None:
                return None
            new = change(found)
            if new is not found:
                connection.execute(_CHANGE, (*_row(new)[1:], uid))
            return Changed(found, new, tuple(Subscriber(*row) for row in connection.execute(SUBSCRIBERS, (uid,))))

        return await self._writer.change(changed)

    async def workitem_uids(self, wanted: WorkitemFilter = ALL) -> Sequence[str]:
        """In a reader thread."""
        equal = {name: wanted.equal[name] for name in KEYS if name in wanted.equal}
        conditions = "".join(f" AND ({name} = ? OR {name} IS NULL)" for name in equal)
        statement = f"{_BETWEEN}{conditions} ORDER BY start, uid"
        values = (wanted.first_start, wanted.last_start or _LAST_START, *equal.values())
        return await self._database.read(lambda connection: [row[0] for row in connection.execute(statement, values)])

    async def workitems(self, uids: Sequence[str], most_bytes: int) -> Sequence[Workitem]:
        """In a reader thread."""
        listed = orjson.dumps(list(uids)).decode()

        def read(connection: Connection) -> list[Workitem]:
            found, size = list[Workitem](), 0
            for each in map(_workitem, connection.execute(_SOME, (listed,))):
                size += each.size
                if found and size > most_bytes:
                    break
                found.append(each)
            return found

        return await self._database.read(read)

    async def expirations(self) -> Sequence[tuple[str, str]]:
        """In a reader thread."""
        return await self._database.read(lambda connection: connection.execute(_EXPIRATIONS, _OF_EXPIRATION).fetchall())

    async def remove_ended(self, moment: float) -> int:
        """In the next transaction."""

        def remove(transaction: Transaction) -> int:
            connection = transaction.connection
            rows = connection.execute(_ENDED, (moment,)).fetchall()
            connection.executemany("DELETE FROM workitem_subscription WHERE uid = ?", rows)
            connection.executemany("DELETE FROM workitem WHERE uid = ?", rows)
            connection.executemany("INSERT INTO removed_workitem (uid) VALUES (?)", rows)
            connection.execute(_FORGET, (_MOST_REMOVED,))
            return len(rows)

        return await self._writer.change(remove)

    async def was_removed(self, uid: str) -> bool:
        """By an index."""
        statement = "SELECT 1 FROM removed_workitem WHERE uid = ?"
        return await self._database.read(
            lambda connection: connection.execute(statement, (uid,)).fetchone() is not None
        )

    async def workitem_counts(self) -> Mapping[State, int]:
        """By the index of states."""

        def count(connection: Connection) -> dict[State, int]:
            found = dict(connection.execute("SELECT state, COUNT(*) FROM workitem GROUP BY state").fetchall())
            return {state: found.get(state.value, 0) for state in State}

        return await self._database.read(count)


def _one(connection: sqlite3.Connection, uid: str) -> Workitem | None:
    row = connection.execute(f"{_WORKITEM} WHERE uid = ?", (uid,)).fetchone()
    return _workitem(row) if row else None


def _workitem(row: tuple[str, str, str, str, float, float]) -> Workitem:
    uid, state, document, transaction_uid, created, ended = row
    return Workitem(uid, State(state), orjson.loads(document), transaction_uid, created, ended, len(document))


def _row(workitem: Workitem) -> tuple[object, ...]:
    document = workitem.document
    keys = [_key(document, f"{tag:08X}", vr) for tag, vr in KEYS.values()]
    return (
        workitem.uid, _key(document, START, "DT") or "", *keys, workitem.transaction_uid,
        orjson.dumps(document).decode(), workitem.created, workitem.ended,
    )  # fmt: skip


def _key(document: Document, tag: str, vr: str) -> str | None:
    """A value in the form in which it is compared; None if there is not exactly one."""
    values = values_of(document, tag)
    return comparable(vr, str(values[0])) or None if len(values) == 1 and values[0] is not None else None
