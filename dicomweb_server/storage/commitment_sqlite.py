"""SqliteCommitments: storage commitment in the index's file."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from dicomweb_server.ports.commitment import AskedCommitment, OwedReport
from dicomweb_server.ports.peers import Reference
from dicomweb_server.storage.sqlite import Connection, Database
from dicomweb_server.storage.transaction import Transaction
from dicomweb_server.storage.writer import Writer

_ADD_OWED = (
    "INSERT INTO owed_report (transaction_uid, ae_title, document, created, attempts) VALUES (?, ?, ?, ?, 0) "
    "RETURNING number"
)
_OWED = "SELECT number, transaction_uid, ae_title, document, created, attempts FROM owed_report ORDER BY number"
_NOTE = "UPDATE owed_report SET attempts = ? WHERE number = ?"
_REMOVE_OWED = "DELETE FROM owed_report WHERE number = ?"
_PUT_ASKED = (
    "INSERT OR REPLACE INTO asked_commitment (transaction_uid, ae_title, document, created) VALUES (?, ?, ?, ?)"
)
_TRIM_ASKED = (
    "DELETE FROM asked_commitment WHERE transaction_uid IN "
    "(SELECT transaction_uid FROM asked_commitment ORDER BY created DESC, transaction_uid LIMIT -1 OFFSET ?)"
)
_REMOVE_ASKED = "DELETE FROM asked_commitment WHERE transaction_uid = ?"
_ASKED = "SELECT transaction_uid, ae_title, document, created FROM asked_commitment WHERE transaction_uid = ?"


class SqliteCommitments:
    """Implements `ports.commitment.CommitmentTable`."""

    def __init__(self, database: Database, writer: Writer) -> None:
        """Both belong to the store that made them."""
        self._database = database
        self._writer = writer

    async def add_owed(
        self, transaction_uid: str, ae_title: str, references: Sequence[Reference], local_ae_title: str = ""
    ) -> OwedReport:
        """In the next transaction."""
        created = time.time()
        document = {"local": local_ae_title, "references": _pairs(references)} if local_ae_title else _pairs(references)
        row = (transaction_uid, ae_title, orjson.dumps(document).decode(), created)

        def add(transaction: Transaction) -> int:
            number: int = transaction.connection.execute(_ADD_OWED, row).fetchone()[0]
            return number

        number = await self._writer.change(add)
        return OwedReport(number, transaction_uid, ae_title, tuple(references), created, local_ae_title=local_ae_title)

    async def owed(self) -> Sequence[OwedReport]:
        """By their numbers."""

        def read(connection: Connection) -> list[OwedReport]:
            return [_owed(*row) for row in connection.execute(_OWED)]

        return await self._database.read(read)

    async def note_attempts(self, number: int, attempts: int) -> None:
        """In the next transaction."""
        await self._change(_NOTE, (attempts, number))

    async def remove_owed(self, number: int) -> None:
        """In the next transaction."""
        await self._change(_REMOVE_OWED, (number,))

    async def put_asked(self, asked: AskedCommitment, most: int) -> None:
        """In the next transaction."""
        document = {
            "asked": _pairs(asked.references),
            "answered": asked.is_answered,
            "committed": _pairs(asked.committed),
            "failed": [[each.sop_class_uid, each.instance_uid, reason] for each, reason in asked.failed],
        }
        row = (asked.transaction_uid, asked.ae_title, orjson.dumps(document).decode(), asked.created)

        def put(transaction: Transaction) -> None:
            transaction.connection.execute(_PUT_ASKED, row)
            transaction.connection.execute(_TRIM_ASKED, (most,))

        await self._writer.change(put)

    async def remove_asked(self, transaction_uid: str) -> None:
        """In the next transaction."""
        await self._change(_REMOVE_ASKED, (transaction_uid,))

    async def asked(self, transaction_uid: str) -> AskedCommitment | None:
        """By its primary key."""
        row = await self._database.read(lambda connection: connection.execute(_ASKED, (transaction_uid,)).fetchone())
        if row is None:
            return None
        uid, ae_title, text, created = row
        document: dict[str, Any] = orjson.loads(text)
        failed = tuple((Reference(*pair), reason) for *pair, reason in document["failed"])
        return AskedCommitment(
            uid, ae_title, _references(document["asked"]), created, document["answered"],
            _references(document["committed"]), failed,
        )  # fmt: skip

    async def _change(self, statement: str, row: tuple[object, ...]) -> None:
        def change(transaction: Transaction) -> None:
            transaction.connection.execute(statement, row)

        await self._writer.change(change)


def _owed(number: int, uid: str, ae_title: str, text: str, created: float, attempts: int) -> OwedReport:
    document: Any = orjson.loads(text)
    if isinstance(document, list):
        return OwedReport(number, uid, ae_title, _references(document), created, attempts)
    return OwedReport(number, uid, ae_title, _references(document["references"]), created, attempts, document["local"])


def _pairs(references: Iterable[Reference]) -> list[list[str]]:
    return [[each.sop_class_uid, each.instance_uid] for each in references]


def _references(pairs: Iterable[Sequence[str]]) -> tuple[Reference, ...]:
    return tuple(Reference(*pair) for pair in pairs)
