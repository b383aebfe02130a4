"""SqliteCommitmentRequests: what others want us to answer for, and what we said, in the index's file."""

import time
from collections.abc import Sequence
from typing import Any

import orjson

from dicomweb_server.ports.commitment import Judged, KeptRequest, Wanted
from dicomweb_server.ports.peers import Reference
from dicomweb_server.storage.sqlite import Connection, Database
from dicomweb_server.storage.transaction import Transaction
from dicomweb_server.storage.writer import Writer

MOST_ANSWERS = 1000
MOST_UIDS = 10 * MOST_ANSWERS
MOST_BYTES = 256 << 20  # of all answers

_ADD = (
    "INSERT OR IGNORE INTO commitment_request (transaction_uid, answered, created, size, document) "
    "SELECT ?, 0, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM owed_report WHERE transaction_uid = ?)"
)
_ANSWER = "UPDATE commitment_request SET document = ?, size = ?, answered = 1 WHERE transaction_uid = ?"
_NOTE = (
    "INSERT OR IGNORE INTO commitment_request (document, size, transaction_uid, answered, created) "
    "VALUES (?, ?, ?, 1, ?)"
)
_KEPT = (
    "SELECT number, row_number() OVER newest AS place, sum(size) OVER newest AS total FROM commitment_request "
    "WHERE document IS NOT NULL AND answered WINDOW newest AS (ORDER BY number DESC)"
)
_OLD = f"SELECT number FROM ({_KEPT}) WHERE place > ? OR total > ?"  # noqa: S608
_FORGET = f"UPDATE commitment_request SET document = NULL WHERE number IN ({_OLD})"  # noqa: S608
_REMOVE = "DELETE FROM commitment_request WHERE answered AND number <= (SELECT max(number) FROM commitment_request) - ?"
_READ = "SELECT transaction_uid, document, answered, created FROM commitment_request"
_OWED = "SELECT created FROM owed_report WHERE transaction_uid = ? ORDER BY number LIMIT 1"


class SqliteCommitmentRequests:
    """Implements `ports.commitment.CommitmentRequests`."""

    def __init__(
        self, database: Database, writer: Writer, most_answers: int = MOST_ANSWERS, most_uids: int = MOST_UIDS
    ) -> None:
        """Both belong to the store that made them. `most_uids`: of transactions that are known to have been."""
        self._database = database
        self._writer = writer
        self._most_answers = most_answers
        self._most_uids = most_uids

    async def add_request(self, request: KeptRequest) -> bool:
        """In the next transaction."""
        uid, document = request.transaction_uid, orjson.dumps([_row(each) for each in request.wanted])
        row = (uid, request.created, len(document), document, uid)
        return await self._writer.change(lambda transaction: transaction.connection.execute(_ADD, row).rowcount == 1)

    async def answer_request(self, transaction_uid: str, judged: Sequence[Judged]) -> None:
        """In the next transaction."""
        await self._answered(_ANSWER, judged, transaction_uid)

    async def note_answered(self, transaction_uid: str, judged: Sequence[Judged]) -> None:
        """In the next transaction."""
        await self._answered(_NOTE, judged, transaction_uid, time.time())

    async def request(self, transaction_uid: str) -> KeptRequest | None:
        """By its primary key, or among the reports that are owed."""

        def read(connection: Connection) -> KeptRequest | None:
            row = connection.execute(f"{_READ} WHERE transaction_uid = ?", (transaction_uid,)).fetchone()
            if row is not None:
                return _kept(*row)
            owed = connection.execute(_OWED, (transaction_uid,)).fetchone()
            return KeptRequest(transaction_uid, created=owed[0]) if owed else None

        return await self._database.read(read)

    async def unanswered(self) -> Sequence[KeptRequest]:
        """By their numbers."""
        statement = f"{_READ} WHERE NOT answered ORDER BY number"
        return await self._database.read(lambda connection: [_kept(*row) for row in connection.execute(statement)])

    async def _answered(self, statement: str, judged: Sequence[Judged], *row: object) -> None:
        document = orjson.dumps([[*_row(each.wanted), each.failure] for each in judged])

        def change(transaction: Transaction) -> None:
            transaction.connection.execute(statement, (document, len(document), *row))
            transaction.connection.execute(_FORGET, (self._most_answers, MOST_BYTES))
            transaction.connection.execute(_REMOVE, (self._most_uids,))

        await self._writer.change(change)


def _kept(uid: str, document: bytes | None, answered: int, created: float) -> KeptRequest:
    if document is None:
        return KeptRequest(uid, created=created, is_forgotten=True)
    rows: list[Any] = orjson.loads(document)
    if answered:
        return KeptRequest(uid, (), created, tuple(Judged(_wanted(*row), failure) for *row, failure in rows))
    return KeptRequest(uid, tuple(_wanted(*row) for row in rows), created)


def _row(wanted: Wanted) -> list[str]:
    named = wanted.reference or Reference("", "")
    return [named.sop_class_uid, named.instance_uid, wanted.study_uid, wanted.series_uid]


def _wanted(sop_class_uid: str, instance_uid: str, study_uid: str, series_uid: str) -> Wanted:
    return Wanted(Reference(sop_class_uid, instance_uid) if instance_uid else None, study_uid, series_uid)
