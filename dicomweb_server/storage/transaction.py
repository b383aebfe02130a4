"""Transaction: begins, commits, undoes; holds what the writer's thread knows between transactions."""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterator, Sequence

from dicomweb_server.dicom.attributes import Attribute, Level
from dicomweb_server.errors import ServerError
from dicomweb_server.ports.index import Added, Scope
from dicomweb_server.storage.additions import Addition, Additions
from dicomweb_server.storage.deletions import Deletions
from dicomweb_server.storage.ledger import Ledger
from dicomweb_server.storage.parents import Parents
from dicomweb_server.storage.patients import Patients
from dicomweb_server.storage.sqlite import Connection

_log = logging.getLogger(__name__)

# A checkpoint when about so many pages are in the log; until the next one, readers look into it for each page.
_CHECKPOINT_PAGES = 4000
_LOG_LIMIT_PAGES = 16_000
_PAGES_PER_COMMIT = 12
_PAGES_PER_INSTANCE = 2
# The mark of what need not be checked at the next start moves when so many instances are beyond it.
_UNMARKED_INSTANCES = 500


class Transaction:
    """The writing connection, one transaction after the other. A start without `close` is an unclean one."""

    def __init__(self, connection: Connection, extra: Sequence[Attribute] = ()) -> None:
        self.connection = connection
        self.ledger = Ledger(connection)
        self._patients = Patients(connection, self.ledger)
        self._parents = Parents(connection, _paths_by_level(extra))
        self._additions = Additions(connection, self.ledger, self._patients, self._parents, extra)
        self._deletions = Deletions(connection, self.ledger, self._patients, self._parents)
        self._verified = int(self.state("verified") or 0)
        self._durable = self._committed = self._verified
        self._pages = 0

    @contextlib.contextmanager
    def open(self, now: float) -> Iterator["Transaction"]:
        """Commit what the block does, or undo it. The commit is not durable yet."""
        self.ledger.time = now
        self.connection.execute("BEGIN IMMEDIATE")
        before = self.ledger.last_id("instance")
        try:
            yield self
            self._patients.drop_empty()
            self.ledger.write()
            if self._durable - self._verified >= _UNMARKED_INSTANCES:
                self._mark()
            self.connection.execute("COMMIT")
        except BaseException:
            self._undo()
            raise
        finally:
            self._patients.forget_all()
            self._parents.trim()
        self._committed = self.ledger.last_id("instance")
        self._pages += _PAGES_PER_COMMIT + _PAGES_PER_INSTANCE * (self._committed - before)
        if self._pages > _CHECKPOINT_PAGES:
            self.checkpoint()

    def add(self, additions: Sequence[Addition]) -> list[Added]:
        """Add instances; the outcomes, in order."""
        return self._additions.add(additions)

    def delete(self, scope: Scope) -> int:
        """Delete what is below a scope; how many instances went."""
        return self._deletions.delete(scope)

    def drop(self, keys: Sequence[str]) -> int:
        """Delete the instances of lost blobs; how many went."""
        return self._deletions.drop(keys)

    @property
    def promise(self) -> int:
        """The last promise that was kept: what its instances need is committed."""
        return int(self.state("promise") or 0)

    def keep(self, additions: Sequence[Addition], promise: int) -> None:
        """Add, in a transaction of its own, what all promises up to this one are about.

        One that the index cannot take, which only a fault of ours explains, must not hold up the others.
        """
        try:
            with self.open(time.time()):
                self.add(additions)
                self._set_promise(promise)
        except Exception as error:  # an edge
            if _may_go_later(error):
                raise
            for addition in additions:
                self._keep_alone(addition)
            with self.open(time.time()):
                self._set_promise(promise)

    def _keep_alone(self, addition: Addition) -> None:
        try:
            with self.open(time.time()):
                self.add([addition])
        except Exception as error:  # an edge
            if _may_go_later(error):
                raise
            _log.error("an instance that was acknowledged is not in the index: %s", type(error).__name__)

    def _set_promise(self, number: int) -> None:
        self.set_state("promise", str(number))

    def forget_parents(self) -> None:
        """Rows of studies or series were changed by other means."""
        self._parents.forget_all()

    @property
    def committed(self) -> int:
        """The id of the last instance that was committed."""
        return self._committed

    @property
    def revision(self) -> int:
        """The last revision that was given out, to whatever was added, changed or deleted."""
        return self.ledger.last_id("change")

    @property
    def verified(self) -> int:
        """The id of the last instance that the next start need not check."""
        return self._verified

    def is_durable(self, instance_id: int) -> None:
        """A sync that began after the commit of this instance has succeeded."""
        self._durable = max(self._durable, instance_id)

    def rest(self) -> None:
        """There is nothing to do: leave little to do for the next start."""
        if self._durable > self._verified:
            with self.open(self.ledger.time):
                self._mark()
        self.checkpoint()

    def checkpoint(self) -> None:
        """Move the log's pages into the database; where that fails (no room, say), they are safe in the log."""
        self._pages = 0
        try:
            _, logged, _ = self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if logged > _LOG_LIMIT_PAGES:
                # Under constant reading the log never empties by itself: wait for the readers, but not for long.
                self.connection.execute("PRAGMA busy_timeout=200")
                self.connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        except sqlite3.Error as error:
            _log.warning("the index's log could not be checkpointed: %s", error)
        finally:
            self.connection.execute("PRAGMA busy_timeout=10000")

    def set_state(self, name: str, value: str) -> None:
        """Note a fact about the whole; inside a transaction."""
        self.connection.execute("INSERT OR REPLACE INTO state (name, value) VALUES (?, ?)", (name, value))

    def state(self, name: str) -> str:
        """A fact about the whole; "" if it is not known."""
        row: tuple[str] | None = self.connection.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        return row[0] if row else ""

    def _mark(self) -> None:
        durable = self._durable  # which another thread may raise meanwhile
        self.set_state("verified", str(durable))
        self._verified = durable

    def _undo(self) -> None:
        # Some errors (no room, say) have SQLite itself roll back.
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        self.ledger.reload()
        self._parents.forget_all()
        self._additions.forget_all()
        self.connection.codec.forget()
        self._verified = int(self.state("verified") or 0)


def _paths_by_level(extra: Sequence[Attribute]) -> dict[Level, frozenset[str]]:
    return {
        level: frozenset(attribute.column for attribute in extra if max(attribute.level, Level.STUDY) == level)
        for level in Level
    }


def _may_go_later(error: Exception) -> bool:
    """Whether it is the fault of the machine, not of what was to be written."""
    of_the_machine = (ServerError, OSError, MemoryError, sqlite3.OperationalError)
    return isinstance(error, of_the_machine) or type(error) is sqlite3.DatabaseError  # a damaged file, for one
