"""Commits: makes durable what was committed, in the order of the commits, by the journal or by a sync.

What the journal holds is durable by itself soon after: one sync of everything for many commits, in a thread of its own.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Sequence

from dicomweb_server.errors import ServerError
from dicomweb_server.ports.index import Added
from dicomweb_server.storage.additions import Addition
from dicomweb_server.storage.durability import Durability
from dicomweb_server.storage.failure import storage_failure
from dicomweb_server.storage.journal import Journal
from dicomweb_server.storage.journal_format import Entry, Group
from dicomweb_server.storage.transaction import Transaction


class Commits:
    """What was committed and is not durable yet."""

    def __init__(self, transaction: Transaction, durability: Durability, journal: Journal) -> None:
        """`transaction` is asked what was committed, and told what is durable."""
        self._transaction = transaction
        self._durability = durability
        self._journal = journal
        self._damage: ServerError | None = None
        self._waiting: deque[Group | None] = deque()  # None: more than the journal can tell
        self._flushing = threading.Lock()
        # One at a time: the kernel tells of a failed write once, and whoever syncs next must know of it.
        self._syncing = threading.Lock()
        self._freeing: threading.Thread | None = None

    @property
    def damage(self) -> ServerError | None:
        """Why nothing can be made durable any more, if so."""
        return self._damage

    def add_change(self) -> None:
        """The last transaction did anything; called before the next one begins, as `add_stored`."""
        self._waiting.append(None)

    def add_stored(self, additions: Sequence[Addition], added: Sequence[Added]) -> None:
        """The last transaction added instances, with these outcomes."""
        entries: list[Entry] = []
        for addition, outcome in zip(additions, added, strict=True):
            if outcome not in (Added.STORED, Added.REPLACED):
                continue  # what is there instead waits before this, or is durable
            new = addition.new
            data = None if new.placement is None else new.placement.data
            if data is None:
                self._waiting.append(None)
                return
            received = self._transaction.ledger.time if new.received is None else new.received
            entries.append(Entry(new.placed(), new.digest, received, addition.on_duplicate, new.origin, data))
        if entries:
            self._waiting.append(Group(self._transaction.revision, entries))

    def flush(self) -> None:
        """Return when all that was added before the call is durable; ServerError if that cannot be known."""
        with self._flushing:
            self._refuse_if_damaged()
            groups, needs_sync = self._take()
            if needs_sync or (groups and not self._journal.append(groups)):
                self._sync()
            if self._journal.is_full and self._freeing is None:
                self._freeing = threading.Thread(target=self._free, name="journal-sync", daemon=True)
                self._freeing.start()

    def sync(self, *, for_good: bool = False) -> None:
        """The same, and all files that were written or removed are durable too.

        `for_good`: the journal is not to bring back what it has, not even to a new index.
        """
        with self._flushing:
            self._refuse_if_damaged()
            self._take()
            self._sync()
            if for_good:
                with contextlib.suppress(OSError):  # it would bring back what was deleted, to an index made anew
                    self._journal.clear()

    def rest(self) -> None:
        """Nothing waits: leave nothing to the journal."""
        if self._journal.is_used:
            self.sync()

    def close(self) -> None:
        """Wait for the sync under way."""
        thread = self._freeing
        if thread is not None:
            thread.join()

    def _take(self) -> tuple[list[Group], bool]:
        """All that waits; whether there is more than what the journal can tell."""
        groups, needs_sync = [], False
        while self._waiting:
            group = self._waiting.popleft()
            if group is None:
                needs_sync = True
            else:
                groups.append(group)
        return groups, needs_sync

    def _refuse_if_damaged(self) -> None:
        if self._damage is not None:
            raise self._damage

    def _sync(self) -> None:
        with self._syncing:
            self._sync_all()
            self._journal.restart()

    def _free(self) -> None:
        """Make superfluous what fills the journal; runs in a thread of its own, while more is appended."""
        with self._syncing, contextlib.suppress(ServerError):
            if self._journal.is_full:
                self._sync_all()
                self._journal.free()
        self._freeing = None

    def _sync_all(self) -> None:
        self._refuse_if_damaged()
        committed = self._transaction.committed
        try:
            self._durability.sync()
        except OSError as error:
            self._damage = storage_failure(error, "syncing to disk")
            raise self._damage from error
        self._transaction.is_durable(committed)
