"""Store: opens a data folder and hands out its blobs and index; knows the order of starting and stopping."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dicomweb_server.dicom.attributes import Attribute
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.storage import recovery, schema
from dicomweb_server.storage.blobs_filesystem import MEMORY_BUDGET, FilesystemBlobs
from dicomweb_server.storage.data_folder import DataFolder
from dicomweb_server.storage.durability import Durability, SyncMode, durability
from dicomweb_server.storage.extra_indexing import ExtraIndexing, reconcile
from dicomweb_server.storage.index_sqlite import SqliteIndex
from dicomweb_server.storage.run_mark import Leftovers, RunMark
from dicomweb_server.storage.sqlite import Database
from dicomweb_server.storage.transaction import Transaction
from dicomweb_server.storage.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """How to open a store. `index_folder`: of the index, if not the data folder."""

    sync: SyncMode = SyncMode.FULL
    readers: int = 2
    memory_budget: int = MEMORY_BUDGET
    index_folder: Path | None = None
    extra: Sequence[Attribute] = field(default=())


class Store:
    """Blobs and index of one data folder, both recovered from whatever stopped the last server."""

    def __init__(self, root: Path, options: StoreOptions | None = None, *, rebuild: bool = False) -> None:
        """Blocks while it recovers. ServerError if the folder is in use, unwritable, or its index is newer or missing.

        `rebuild`: an index that is missing is made, even where there are blobs (`MaintenanceService.reindex` fills it).
        """
        options = options or StoreOptions()
        self._folder = DataFolder(root, options.index_folder)
        try:
            self._open(options, rebuild=rebuild)
        except BaseException:
            self._folder.close()
            raise

    def _open(self, options: StoreOptions, *, rebuild: bool) -> None:
        folder = self._folder
        folder.empty_spool()
        database = Database(folder.index, options.readers)
        try:
            if not rebuild and schema.version(database.writing) == 0 and any(folder.blobs.iterdir()):
                raise ServerError(
                    Reason.STORAGE_DAMAGED,
                    f"there are blobs in {folder.blobs} but the index {folder.index} is empty: "
                    "restore the index, or rebuild it with `reindex`",
                )
            schema.prepare(database.writing)
            reconcile(database.writing, options.extra)
            database.extra_paths.load(database.writing)
            self._durability = self._open_durability(options)
            transaction = Transaction(database.writing, options.extra)
            recovery.verify(transaction, folder.blobs, self._durability)
            self._transaction = transaction
            self._mark = RunMark(folder.root / "run", transaction, self._durability)
            self.leftovers = self._mark.begin()
        except BaseException:
            database.close()
            raise
        self._database = database
        self._writer = Writer(transaction, self._durability)
        self.extra_indexing = ExtraIndexing(self._writer, database.extra_paths)
        self.blobs = FilesystemBlobs(folder.blobs, folder.spool, self._durability, memory_budget=options.memory_budget)
        self.index = SqliteIndex(database, self._writer)

    async def trust_index(self) -> None:
        """Index and blobs were compared and agree: from now on, what no row refers to may be removed."""
        await self._writer.change(lambda transaction: transaction.set_state("trusted", "1"))
        self.leftovers = Leftovers.UNACKNOWLEDGED

    @property
    def damage(self) -> ServerError | None:
        """Why nothing can be written any more, if so; for the health check."""
        return self._writer.damage

    async def close(self) -> None:
        """Finish what is under way; the next start has nothing to check."""
        await self.blobs.close()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._writer.close()
        if self._writer.damage is None:
            self._mark.end()
            self._transaction.rest()
        self._database.close()
        self._durability.close()
        self._folder.close()

    def _open_durability(self, options: StoreOptions) -> Durability:
        return durability(options.sync, self._folder.blobs, Path(f"{self._folder.index}-wal"))
