"""Database: the SQLite file of the index; a few reader threads with a connection each, and one connection that writes.

SQL never runs on the event loop. Two connections must never write (SQLite before 3.51.3 may then damage its file).
"""

import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.storage import query_functions
from dicomweb_server.storage.extra_paths import ExtraPaths
from dicomweb_server.storage.metadata_codec import MetadataCodec
from dicomweb_server.storage.threads import Threads

_T = TypeVar("_T")

_READERS = 2
_MEMORY_MAP = 256 * 1024 * 1024
_LOG_KEPT = 64 * 1024 * 1024
_READER_CACHE_KIB = 8 * 1024
_WRITER_CACHE_KIB = 32 * 1024


class Connection(sqlite3.Connection):
    """A connection of one thread, with that thread's codec for `instance.metadata`.

    To read metadata select `instance.metadata, instance.template` and call `connection.codec.decode(*row)`.
    `extra_paths` is the same for all connections of a database.
    """

    codec: MetadataCodec
    extra_paths: ExtraPaths


def connect(path: Path, extra_paths: ExtraPaths, *, query_only: bool) -> Connection:
    """A tuned connection to the index; transactions are begun and committed by hand."""
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rwc",
        uri=True,
        factory=Connection,
        isolation_level=None,
        check_same_thread=False,  # closed by another thread than its own
        cached_statements=256,
        timeout=10,
    )
    try:
        _tune(connection, query_only=query_only)
    except BaseException:
        connection.close()
        raise
    connection.codec = MetadataCodec(lambda template_id: _load_template(connection, template_id))
    connection.extra_paths = extra_paths
    query_functions.register(connection)
    return connection


def _tune(connection: Connection, *, query_only: bool) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    # The sync of a commit is ours (`durability`), for blobs and log at once.
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")  # checkpoints are the writer's
    connection.execute(f"PRAGMA journal_size_limit={_LOG_KEPT}")
    connection.execute("PRAGMA temp_store=MEMORY")
    # An index made for one query reads a whole table, which may have millions of rows.
    connection.execute("PRAGMA automatic_index=OFF")
    connection.execute(f"PRAGMA mmap_size={_MEMORY_MAP}")
    connection.execute(f"PRAGMA cache_size=-{_READER_CACHE_KIB if query_only else _WRITER_CACHE_KIB}")
    connection.execute(f"PRAGMA query_only={int(query_only)}")


def _load_template(connection: Connection, template_id: int) -> bytes:
    row: tuple[bytes] | None = connection.execute(
        "SELECT content FROM template WHERE id = ?", (template_id,)
    ).fetchone()
    if row is None:
        raise ServerError(Reason.STORAGE_DAMAGED, "the template of stored metadata is missing")
    return row[0]


class Database:
    """Reads by several threads; the writing connection is for `writer.Writer` alone."""

    def __init__(self, path: Path, readers: int = _READERS) -> None:
        """Opens, and if need be makes, the file; its tables are the matter of `schema.prepare`."""
        self._path = path
        self.extra_paths = ExtraPaths()
        self.writing = connect(path, self.extra_paths, query_only=False)
        self._threads = Threads(readers, "index-reader")
        self._own = threading.local()
        self._readers: list[Connection] = []
        self.before_reading: Callable[[], Awaitable[None]] | None = None  # what a read has to see is committed by it

    def connect(self) -> Connection:
        """One more connection that reads, for a thread of one's own, which closes it."""
        return connect(self._path, self.extra_paths, query_only=True)

    async def read(self, function: Callable[[Connection], _T]) -> _T:
        """Run a function of a read-only connection in a reader thread. It sees all that is committed when it starts.

        Every statement has a snapshot of its own; a function that needs one for several begins a transaction.
        """
        if self.before_reading is not None:
            await self.before_reading()
        return await self._threads.run(lambda: function(self._reader()))

    def close(self) -> None:
        """Close all connections; waits for reads under way."""
        self._threads.close()
        for connection in (*self._readers, self.writing):
            connection.close()

    def _reader(self) -> Connection:
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = self.connect()
            self._readers.append(connection)
        return connection
