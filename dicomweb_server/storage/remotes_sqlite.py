"""SqliteRemotes: remotes that were told at run time, in the index's file."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from dicomweb_server.ports.remotes import RemoteKind
from dicomweb_server.storage.sqlite import Connection, Database
from dicomweb_server.storage.transaction import Transaction
from dicomweb_server.storage.writer import Writer

_SELECT = "SELECT name, document FROM remote WHERE kind = ? ORDER BY name"
_PUT = "INSERT OR REPLACE INTO remote (kind, name, document) VALUES (?, ?, ?)"
_REMOVE = "DELETE FROM remote WHERE kind = ? AND name = ?"


class SqliteRemotes:
    """Implements `ports.remotes.RemoteTable`."""

    def __init__(self, database: Database, writer: Writer) -> None:
        """Both belong to the store that made them."""
        self._database = database
        self._writer = writer

    async def remotes(self, kind: RemoteKind) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """All of a kind, by name."""

        def read(connection: Connection) -> list[tuple[str, Mapping[str, Any]]]:
            return [(name, orjson.loads(document)) for name, document in connection.execute(_SELECT, (kind.value,))]

        return await self._database.read(read)

    async def put_remote(self, kind: RemoteKind, name: str, document: Mapping[str, Any]) -> None:
        """Insert or replace in the next transaction."""
        row = (kind.value, name, orjson.dumps(document).decode())
        await self._writer.change(lambda transaction: _execute(transaction, _PUT, row))

    async def remove_remote(self, kind: RemoteKind, name: str) -> None:
        """Delete in the next transaction."""
        await self._writer.change(lambda transaction: _execute(transaction, _REMOVE, (kind.value, name)))


def _execute(transaction: Transaction, statement: str, row: tuple[str, ...]) -> None:
    transaction.connection.execute(statement, row)
