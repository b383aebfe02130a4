"""Store: opens a data folder and hands out its blobs and index; knows the order of starting and stopping."""

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dicomweb_server.dicom.attributes import Attribute
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.storage import carried_annotations, recovery, schema
from dicomweb_server.storage.annotations_sqlite import SqliteAnnotations
from dicomweb_server.storage.archives_sqlite import SqliteTitles
from dicomweb_server.storage.blobs_filesystem import MEMORY_BUDGET, FilesystemBlobs
from dicomweb_server.storage.carried_over import carry_over
from dicomweb_server.storage.commitment_requests_sqlite import SqliteCommitmentRequests
from dicomweb_server.storage.commitment_sqlite import SqliteCommitments
from dicomweb_server.storage.commits import Commits
from dicomweb_server.storage.data_folder import DataFolder
from dicomweb_server.storage.derived_files import DerivedFiles
from dicomweb_server.storage.durability import SyncMode, durability
from dicomweb_server.storage.exports_sqlite import SqliteExports
from dicomweb_server.storage.extra_indexing import ExtraIndexing, reconcile
from dicomweb_server.storage.failure import storage_failure
from dicomweb_server.storage.index_sqlite import SqliteIndex
from dicomweb_server.storage.jobs_sqlite import SqliteJobs
from dicomweb_server.storage.journal import JOURNAL_SIZE, Journal
from dicomweb_server.storage.non_patient_sqlite import SqliteNonPatient
from dicomweb_server.storage.remotes_sqlite import SqliteRemotes
from dicomweb_server.storage.reserve import RESERVE, Reserve
from dicomweb_server.storage.resources_sqlite import SqliteResources
from dicomweb_server.storage.routing_sqlite import SqliteRouting
from dicomweb_server.storage.run_mark import Leftovers, RunMark
from dicomweb_server.storage.sqlite import Database
from dicomweb_server.storage.transaction import Transaction
from dicomweb_server.storage.workitem_watches import SqliteSubscriptions
from dicomweb_server.storage.workitems_sqlite import SqliteWorkitems
from dicomweb_server.storage.worklist_sqlite import SqliteWorklist
from dicomweb_server.storage.writer import Writer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """How to open a store.

    `memory_budget`: bytes of instances on their way in that may be in memory; `reserve`: bytes that stay free on the
    disk; `index_folder`: of the index, if not the data folder; `extra`: attributes to index beside the usual ones;
    `derived_limit`: bytes of what was made of blobs and is kept, such as thumbnails; `transcoded_limit`: the same of
    frames and instances in other transfer syntaxes; `journal`: bytes of the journal, if there is one.
    """

    sync: SyncMode = SyncMode.FULL
    readers: int = 2
    memory_budget: int = MEMORY_BUDGET
    reserve: int = RESERVE
    index_folder: Path | None = None
    extra: Sequence[Attribute] = field(default=())
    derived_limit: int = 1 << 30
    transcoded_limit: int = 1 << 30
    journal: int = JOURNAL_SIZE


class Store:
    """Blobs and index of one data folder, both recovered from whatever stopped the last server."""

    def __init__(self, root: Path, options: StoreOptions | None = None, *, rebuild: bool = False) -> None:
        """Blocks while it recovers. ServerError if the folder is in use, unwritable, or its index is newer or missing.

        `rebuild`: begin with an empty index, or go on where a rebuild was stopped, for `MaintenanceService.reindex`;
        the old index is set aside. `finish_rebuild` ends it; until then the store opens in no other way.
        """
        options = options or StoreOptions()
        self._is_closed = False
        self._folder = DataFolder(root, options.index_folder)
        try:
            if rebuild:
                self._folder.begin_rebuild()
            elif self._folder.is_rebuilding:
                raise ServerError(Reason.STORAGE_DAMAGED, "the index is not rebuilt to its end: run `reindex` again")
            self._open(options, rebuild=rebuild)
        except BaseException:
            self._folder.close()
            raise

    def _open(self, options: StoreOptions, *, rebuild: bool) -> None:
        self._folder.empty_spool()
        try:
            self._database = Database(self._folder.index, options.readers)
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error
        try:
            self._recover(options, rebuild=rebuild)
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise self._damaged(error) from error
        except OSError as error:
            self._database.close()
            raise storage_failure(error, f"opening the store {self._folder.root}") from error
        except BaseException:
            self._database.close()
            raise
        self.blobs = FilesystemBlobs(
            self._folder.blobs,
            self._folder.spool,
            self._durability,
            memory_budget=options.memory_budget,
            reserve=Reserve((self._folder.blobs, self._folder.index.parent), options.reserve),
        )
        self._commits = Commits(self._transaction, self._durability, self._journal, self.blobs.unplaced)
        # Without a reserve nobody knows that there will be room for what was promised.
        connect = self._database.connect if options.reserve else None
        self._writer = Writer(self._transaction, self._commits, connect)
        self._database.before_reading = self._writer.keep_promises
        self.extra_indexing = ExtraIndexing(self._writer, self._database.extra_paths)
        self.derived = DerivedFiles(self._folder.root / "derived", options.derived_limit)
        self.transcoded = DerivedFiles(self._folder.root / "transcoded", options.transcoded_limit)
        self.index = SqliteIndex(self._database, self._writer)
        self.remotes = SqliteRemotes(self._database, self._writer)
        self.exports = SqliteExports(self._database, self._writer)
        self.commitments = SqliteCommitments(self._database, self._writer)
        self.commitment_requests = SqliteCommitmentRequests(self._database, self._writer)
        self.non_patient = SqliteNonPatient(self._database, self._writer)
        self.worklist = SqliteWorklist(self._database, self._writer)
        self.workitems = SqliteWorkitems(self._database, self._writer)
        self.workitem_subscriptions = SqliteSubscriptions(self._database, self._writer)
        self.resources = SqliteResources(self._database)
        self.annotations = SqliteAnnotations(self._database, self._writer)
        self.jobs = SqliteJobs(self._database, self._writer)
        self.titles = SqliteTitles(self._database)
        self.routing = SqliteRouting(self._database, self._writer)

    def _recover(self, options: StoreOptions, *, rebuild: bool) -> None:
        folder, writing = self._folder, self._database.writing
        if not rebuild and schema.version(writing) == 0 and any(folder.blobs.iterdir()):
            raise ServerError(
                Reason.STORAGE_DAMAGED,
                f"there are blobs in {folder.blobs} but the index {folder.index} is empty: "
                "restore the index, or rebuild it with `reindex`",
            )
        schema.prepare(writing)
        if rebuild and folder.set_aside is not None:
            carry_over(writing, folder.set_aside)
        reconcile(writing, options.extra)
        self._database.extra_paths.load(writing)
        self._durability = durability(options.sync, folder.blobs, Path(f"{folder.index}-wal"))
        self._journal = Journal(folder.root, 0 if options.sync is SyncMode.OFF else options.journal)
        try:
            self._transaction = Transaction(writing, options.extra)
            recovery.recover(self._transaction, folder.blobs, self._durability, self._journal, options.extra)
            self._mark = RunMark(folder.root / "run", self._transaction, self._durability)
            self.leftovers = self._mark.begin()
        except BaseException:
            self._journal.close()
            self._durability.close()
            raise

    def _damaged(self, error: sqlite3.Error) -> ServerError:
        failure = storage_failure(error, f"opening the index {self._folder.index}")
        return ServerError(failure.reason, f"{failure.detail}: restore it, or rebuild it with `reindex`")

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self._folder.root

    async def held_attachments(self) -> frozenset[str]:
        """During a rebuild: the keys of blobs that are no instances, but were attached to some resource."""
        return await self._database.read(carried_annotations.held_attachments)

    async def finish_rebuild(self) -> None:
        """The index has all instances again."""
        await self._writer.change(lambda transaction: carried_annotations.place(transaction.connection))
        await self.trust_index()
        self._folder.finish_rebuild()

    async def trust_index(self) -> None:
        """Index and blobs were compared and agree: from now on, what no row refers to may be removed."""
        await self._writer.change(lambda transaction: transaction.set_state("trusted", "1"))
        self.leftovers = Leftovers.UNACKNOWLEDGED

    async def warm_up(self) -> None:
        """Lay the journal out, which the first senders would have to wait for."""
        while await asyncio.to_thread(self._commits.lay_out_journal):
            pass

    @property
    def damage(self) -> ServerError | None:
        """Why nothing can be written any more, if so; for the health check."""
        return self._writer.damage

    async def close(self) -> None:
        """Finish what is under way; the next start has nothing to check. Safe to call twice."""
        if self._is_closed:
            return
        self._is_closed = True
        await self.blobs.close()
        await self.derived.close()
        await self.transcoded.close()
        await asyncio.to_thread(self._close)

    def _leave_mark(self) -> None:
        try:
            self._mark.end()
            self._transaction.rest()
            self._journal.clear()
        except (OSError, sqlite3.Error) as error:  # no room, say; the next start then recovers as after a crash
            _log.warning("the store could not be closed cleanly: %s", storage_failure(error, "closing").detail)

    def _close(self) -> None:
        self._writer.close()
        self._commits.close()
        are_placed = self.blobs.unplaced.close()
        if self._writer.damage is None and self._writer.has_kept_promises and are_placed:
            self._leave_mark()
        self._database.close()
        self._journal.close()
        self._durability.close()
        self._folder.close()
