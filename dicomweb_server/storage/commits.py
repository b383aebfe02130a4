"""Commits: makes durable what was committed, in the order of the commits, by the journal or by a sync.

What the journal holds is durable by itself soon after: one sync of everything for many commits, in a thread of its own.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Added
from dicomweb_server.storage.additions import Addition
from dicomweb_server.storage.durability import Durability
from dicomweb_server.storage.failure import storage_failure
from dicomweb_server.storage.journal import Journal
from dicomweb_server.storage.journal_format import Entry, Group
from dicomweb_server.storage.transaction import Transaction
from dicomweb_server.storage.unplaced import Unplaced

# More than that is made durable cheaper by one sync than by writing it twice, unless who waits for it waits alone.
_LARGEST_APPEND = 256 * 1024


class Commits:
    """What was committed and is not durable yet."""

    def __init__(self, transaction: Transaction, durability: Durability, journal: Journal, unplaced: Unplaced) -> None:
        """`transaction` is asked what was committed, and told what is durable; `unplaced` has what was promised."""
        self._transaction = transaction
        self._durability = durability
        self._journal = journal
        self._unplaced = unplaced
        self._damage: ServerError | None = None
        self._waiting: deque[Group | None] = deque()  # None: more than the journal can tell
        self._flushing = threading.Lock()
        # One at a time: the kernel tells of a failed write once, and whoever syncs next must know of it.
        self._syncing = threading.Lock()
        self._freeing: threading.Thread | None = None
        self._keeping = threading.Condition()  # guards what follows
        self._promised = self._kept = transaction.promise  # the numbers of the last
        self._filled = 0  # the last that may be in the journal's full file
        self._is_closed = False

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
            entries.append(Entry(new.placed(), received, addition.on_duplicate, new.origin, data))
        if entries:
            self._waiting.append(Group(self._transaction.revision, entries))

    def flush(self) -> None:
        """Return when all that was added before the call is durable; ServerError if that cannot be known."""
        with self._flushing:
            self._refuse_if_damaged()
            groups, needs_sync = self._take()
            if needs_sync or not _is_small(groups) or (groups and not self._append(groups)):
                self._sync()

    @property
    def can_promise(self) -> bool:
        """Whether it makes sense to try."""
        return self._journal.is_usable and self._damage is None and not self._unplaced.is_stuck

    def promise(self, groups: Sequence[Sequence[Entry]]) -> int | None:
        """Have the journal say that these will be stored: the number of the first; None if that is not possible.

        Their files are made later. For the rows there is `keep`. Until both are durable, the journal is not begun anew.
        """
        with self._flushing:
            self._refuse_if_damaged()
            first = self._promised + 1
            revision = self._transaction.revision
            if not self._append([Group(revision, entries, number) for number, entries in enumerate(groups, first)]):
                return None
            with self._keeping:
                self._promised += len(groups)
            self._unplaced.add([(entry.key, entry.data) for entries in groups for entry in entries])
            return first

    def make_room(self, is_idle: Callable[[], bool]) -> None:
        """Make files of what was promised, if many wait; fewer where the caller is not idle."""
        self._unplaced.make_room(is_idle)

    def keep(self, number: int) -> None:
        """All up to this promise is committed."""
        with self._keeping:
            self._kept = number
            self._keeping.notify_all()

    def sync(self) -> None:
        """The same, and all files that were written or removed are durable too."""
        with self._flushing:
            self._refuse_if_damaged()
            self._take()
            self._sync()

    def sync_for_good(self) -> None:
        """The same, and the journal does not bring back what it has, not even to a new index."""
        with self._flushing:
            self._refuse_if_damaged()
            if not self._unplaced.place_all():
                raise ServerError(Reason.OUT_OF_RESOURCES, "files of acknowledged instances cannot be made now")
            self._take()
            self._sync()
            with contextlib.suppress(OSError):  # it would bring back what was deleted, to an index made anew
                self._journal.clear()

    def rest(self) -> None:
        """Nothing waits: leave nothing to the journal."""
        if self._journal.is_used:
            self._unplaced.place_all()
            self.sync()

    def lay_out_journal(self) -> bool:
        """A step of it, between what is appended; False if there is nothing to do."""
        with self._flushing:
            return not self._is_closed and self._journal.lay_out()

    def close(self) -> None:
        """Wait for the sync under way."""
        with self._flushing, self._keeping:
            self._is_closed = True
            self._keeping.notify_all()
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

    def _append(self, groups: Sequence[Group]) -> bool:
        was_full = self._journal.is_full
        is_appended = self._journal.append(groups)
        if self._journal.is_full:
            if not was_full:
                self._filled = self._promised
            if self._freeing is None:
                self._freeing = threading.Thread(target=self._free, name="journal-sync", daemon=True)
                self._freeing.start()
        return is_appended

    def _sync(self) -> None:
        with self._syncing:
            are_kept = self._kept == self._promised  # nothing is promised meanwhile
            committed = self._transaction.committed
            are_placed = not self._unplaced
            self._sync_all(committed if are_placed else 0)
            if are_kept and are_placed:
                self._journal.restart()

    def _free(self) -> None:
        """Make superfluous what fills the journal; runs in a thread of its own, while more is appended."""
        while self._journal.is_full and self._damage is None:
            with self._keeping:
                self._keeping.wait_for(lambda: self._kept >= self._filled or self._is_closed)
                if self._kept < self._filled:
                    break
            committed = self._transaction.committed
            if not self._unplaced.place_all():
                break  # tried again with the next append
            with self._syncing, contextlib.suppress(ServerError):
                if self._journal.is_full and self._kept >= self._filled:
                    self._sync_all(committed)
                    self._journal.free()
        self._freeing = None

    def _sync_all(self, placed: int) -> None:
        """`placed`: the files of all instances up to this one are made; of others the journal has what there is."""
        self._refuse_if_damaged()
        try:
            self._durability.sync()
        except OSError as error:
            self._damage = storage_failure(error, "syncing to disk")
            raise self._damage from error
        self._transaction.is_durable(placed)


def _is_small(groups: Sequence[Group]) -> bool:
    return sum([len(entry.data) for group in groups for entry in group.entries]) <= _LARGEST_APPEND
