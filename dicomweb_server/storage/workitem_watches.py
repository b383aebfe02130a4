"""SqliteSubscriptions: who wants to be told about which workitems, in the index's file."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import orjson

from dicomweb_server.dicom.query import Match, MatchKind
from dicomweb_server.ports.workitems import Subscriber, Watch
from dicomweb_server.storage.sqlite import Database
from dicomweb_server.storage.transaction import Transaction
from dicomweb_server.storage.writer import Writer

SUBSCRIBERS = "SELECT ae_title, channel FROM workitem_subscription WHERE uid = ? ORDER BY ae_title"
_SUBSCRIBE = (
    "INSERT INTO workitem_subscription (uid, ae_title, channel, is_locked) SELECT uid, ?, ?, ? FROM workitem "
    "WHERE uid = ? ON CONFLICT DO UPDATE SET channel = excluded.channel, is_locked = excluded.is_locked"
)
_MISSING = (
    "SELECT uid FROM workitem WHERE NOT EXISTS (SELECT 1 FROM workitem_subscription "
    "WHERE workitem_subscription.uid = workitem.uid AND ae_title = ?)"
)
_AMONG = " AND uid IN (SELECT value FROM json_each(?))"
_WATCH = "INSERT OR REPLACE INTO workitem_watch (ae_title, channel, is_locked, matches) VALUES (?, ?, ?, ?)"
_OTHERS = "SELECT COUNT(*) FROM workitem_watch WHERE ae_title <> ?"
_WATCHES = "SELECT ae_title, channel, is_locked, matches FROM workitem_watch"
_EVERYBODY = "SELECT ae_title, channel FROM workitem_watch UNION SELECT ae_title, channel FROM workitem_subscription"


class SqliteSubscriptions:
    """Implements `ports.workitems.Subscriptions`."""

    def __init__(self, database: Database, writer: Writer) -> None:
        """Both belong to the store that made them."""
        self._database = database
        self._writer = writer

    async def subscribers(self, uid: str) -> Sequence[Subscriber]:
        """By the primary key."""
        return await self._read(SUBSCRIBERS, uid)

    async def all_subscribers(self) -> Sequence[Subscriber]:
        """Each once."""
        return await self._read(_EVERYBODY)

    async def subscribe(self, subscriber: Subscriber, uid: str, *, is_locked: bool) -> bool:
        """In the next transaction."""
        row = (subscriber.ae_title, subscriber.channel, is_locked, uid)
        return await self._writer.change(
            lambda transaction: bool(transaction.connection.execute(_SUBSCRIBE, row).rowcount)
        )

    async def unsubscribe(self, ae_title: str, uid: str) -> bool:
        """In the next transaction."""

        def remove(transaction: Transaction) -> bool:
            connection = transaction.connection
            if connection.execute("SELECT 1 FROM workitem WHERE uid = ?", (uid,)).fetchone() is None:
                return False
            connection.execute("DELETE FROM workitem_subscription WHERE uid = ? AND ae_title = ?", (uid, ae_title))
            return True

        return await self._writer.change(remove)

    async def watch(self, watch: Watch, most: int) -> bool:
        """In the next transaction."""
        row = (watch.subscriber.ae_title, watch.subscriber.channel, watch.is_locked, _written(watch.matches))

        def add(transaction: Transaction) -> bool:
            others = transaction.connection.execute(_OTHERS, row[:1]).fetchone()[0]
            if others < most:
                _run(transaction, _WATCH, row)
            return bool(others < most)

        return await self._writer.change(add)

    async def subscribe_to(self, watch: Watch, uids: Sequence[str] | None) -> Sequence[str]:
        """In the next transaction."""
        subscriber = watch.subscriber
        values = (subscriber.ae_title,) if uids is None else (subscriber.ae_title, orjson.dumps(list(uids)).decode())

        def add(transaction: Transaction) -> list[str]:
            connection = transaction.connection
            missing = connection.execute(_MISSING if uids is None else _MISSING + _AMONG, values).fetchall()
            rows = [(subscriber.ae_title, subscriber.channel, watch.is_locked, uid) for (uid,) in missing]
            connection.executemany(_SUBSCRIBE, rows)
            return [uid for (uid,) in missing]

        return await self._writer.change(add)

    async def suspend(self, ae_title: str) -> None:
        """In the next transaction."""
        statement = "DELETE FROM workitem_watch WHERE ae_title = ?"
        await self._writer.change(lambda transaction: _run(transaction, statement, (ae_title,)))

    async def forget(self, ae_title: str) -> None:
        """In the next transaction."""

        def remove(transaction: Transaction) -> None:
            for table in ("workitem_watch", "workitem_subscription"):
                _run(transaction, f"DELETE FROM {table} WHERE ae_title = ?", (ae_title,))  # noqa: S608

        await self._writer.change(remove)

    async def _read(self, statement: str, *values: str) -> list[Subscriber]:
        return await self._database.read(
            lambda connection: [Subscriber(*row) for row in connection.execute(statement, values)]
        )


def watches(connection: sqlite3.Connection) -> list[Watch]:
    """All global subscriptions."""
    return [
        Watch(Subscriber(ae_title, channel), bool(is_locked), tuple(map(_match, orjson.loads(matches))))
        for ae_title, channel, is_locked, matches in connection.execute(_WATCHES)
    ]


def _run(transaction: Transaction, statement: str, row: tuple[object, ...]) -> None:
    transaction.connection.execute(statement, row)


def _written(matches: Sequence[Match]) -> str:
    return orjson.dumps(matches).decode()


def _match(raw: dict[str, Any]) -> Match:
    return Match(
        tuple(raw["path"]),
        raw["vr"],
        MatchKind(raw["kind"]),
        tuple(raw["values"]),
        raw["private_creator"],
        tuple(map(_match, raw["alternatives"])),
    )
