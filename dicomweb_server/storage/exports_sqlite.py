"""SqliteExports: the log of what was sent, in the index's file."""

import time
from collections.abc import Sequence

from dicomweb_server.ports.exports import Export, Exported
from dicomweb_server.storage.sqlite import Connection, Database
from dicomweb_server.storage.transaction import Transaction
from dicomweb_server.storage.writer import Writer

_ADD = "INSERT INTO export (time, remote, level, public_id, patient_id, uids) VALUES (?, ?, ?, ?, ?, ?)"
_PAGE = (
    "SELECT sequence, time, remote, level, public_id, patient_id, uids FROM export "
    "WHERE sequence > ? ORDER BY sequence LIMIT ?"
)
_LAST = "SELECT coalesce(max(sequence), 0) FROM export"
_CLEAR = "DELETE FROM export"


class SqliteExports:
    """Implements `ports.exports.ExportLog`."""

    def __init__(self, database: Database, writer: Writer) -> None:
        """Both belong to the store that made them."""
        self._database = database
        self._writer = writer

    async def add_exports(self, remote: str, exported: Sequence[Exported]) -> None:
        """Insert in the next transaction."""
        now = time.time()
        rows = [(now, remote, one.level, one.public_id, one.patient_id, "\\".join(one.uids)) for one in exported]

        def add(transaction: Transaction) -> None:
            transaction.connection.executemany(_ADD, rows)

        await self._writer.change(add)

    async def exports(self, after: int, limit: int) -> Sequence[Export]:
        """A page of entries."""

        def read(connection: Connection) -> list[Export]:
            return [
                Export(sequence, when, remote, Exported(level, public_id, patient_id, tuple(uids.split("\\")[:level])))
                for sequence, when, remote, level, public_id, patient_id, uids in connection.execute(
                    _PAGE, (after, limit)
                )
            ]

        return await self._database.read(read)

    async def last_export(self) -> int:
        """The highest number."""
        return await self._database.read(_last)

    async def clear_exports(self) -> None:
        """Delete in the next transaction."""

        def clear(transaction: Transaction) -> None:
            transaction.connection.execute(_CLEAR)

        await self._writer.change(clear)


def _last(connection: Connection) -> int:
    number: int = connection.execute(_LAST).fetchone()[0]
    return number
