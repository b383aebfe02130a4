"""Writer: group commit. All that waits becomes one transaction, one sync makes it and its blobs durable.

Two threads take turns: while one waits for the disk, the other makes the next transaction. There is one connection that
writes, and only who has the turn uses it. A few small instances are promised instead (`Promises`) and written later.

Nobody is answered before what he waits for is durable (`Commits`). Where that fails, nothing is known about what is on
the disk, so the writer then refuses everything until the next start, which checks the rows.
"""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Added
from dicomweb_server.storage.additions import Addition, hashed
from dicomweb_server.storage.commits import Commits
from dicomweb_server.storage.failure import storage_failure
from dicomweb_server.storage.promises import Promises
from dicomweb_server.storage.sqlite import Connection
from dicomweb_server.storage.transaction import Transaction

_T = TypeVar("_T")

_log = logging.getLogger(__name__)

_THREADS = 2
# What one transaction takes, so that nobody waits long behind others.
_GROUP_LIMIT = 512
_GROUP_BYTES = 16 * 1024 * 1024
_IDLE = 0.5  # seconds without work before the log is checkpointed


@dataclass(slots=True, eq=False)
class Operation:
    """What one caller waits for: instances to add, any other change, or, without either, that promises are kept."""

    loop: asyncio.AbstractEventLoop | None = None  # None: nobody waits
    future: "asyncio.Future[Any] | None" = None
    additions: Sequence[Addition] = ()
    change: Callable[[Transaction], Any] | None = None
    result: Any = None
    error: BaseException | None = None

    @property
    def writes(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.additions) or self.change is not None

    def deliver(self) -> None:
        """Answer the caller; runs in the loop."""
        if self.future is None or self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Writer:
    """The only one who writes to the index."""

    def __init__(self, transaction: Transaction, commits: Commits, connect: Callable[[], Connection] | None) -> None:
        """`transaction` holds the writing connection; it is used in the writer's threads only.

        `connect`: for `Promises`.
        """
        self._transaction = transaction
        self._commits = commits
        self._promises = Promises(connect, commits, lambda: self._queue.put(Operation()))
        self._queue: SimpleQueue[Operation | None] = SimpleQueue()
        self._is_closed = False
        self._is_idle = False
        self._has_ended = False
        self._turn = threading.Lock()  # held from waiting for work to the commit
        self._threads = [
            threading.Thread(target=self._work, name=f"index-writer-{number}", daemon=True)
            for number in range(_THREADS)
        ]
        for thread in self._threads:
            thread.start()

    async def add(self, additions: Sequence[Addition]) -> list[Added]:
        """Add instances together with whatever else waits."""
        if not additions:
            return []
        offer = self._promises.offer(additions)
        if offer is not None:
            await offer.pause
        if offer is not None and offer.is_promised:
            return [Added.STORED] * len(additions)
        loop = asyncio.get_running_loop()
        added: list[Added] = await self._submit(Operation(loop, loop.create_future(), additions=additions))
        return added

    async def change(self, change: Callable[[Transaction], _T]) -> _T:
        """Run a change in a transaction, perhaps together with others; durable when it returns."""
        loop = asyncio.get_running_loop()
        result: _T = await self._submit(Operation(loop, loop.create_future(), change=change))
        return result

    async def change_after_sync(self, change: Callable[[Transaction], _T]) -> _T:
        """The same for a change that must not become durable before what was done to the files until now."""

        def synced(transaction: Transaction) -> _T:
            self._commits.sync_for_good()
            return change(transaction)

        return await self.change(synced)

    async def keep_promises(self) -> None:
        """Return when all that was answered is in the index, if that can be."""
        if self._promises.are_owed and not self._is_closed:
            loop = asyncio.get_running_loop()
            operation = Operation(loop, loop.create_future())
            self._queue.put(operation)
            await operation.future  # type: ignore[misc]

    @property
    def has_kept_promises(self) -> bool:
        """Whether the index has all that was answered; after `close`."""
        return not self._promises.are_owed

    @property
    def damage(self) -> ServerError | None:
        """Why nothing can be written any more, if so."""
        return self._commits.damage

    def close(self) -> None:
        """Finish what waits, then end; waits for it. Safe to call twice."""
        if self._is_closed:
            return
        self._is_closed = True
        self._promises.close()
        self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _submit(self, operation: Operation) -> "asyncio.Future[Any]":
        if self._is_closed:
            raise ServerError(Reason.BUSY, "the server is stopping")
        assert operation.future is not None
        self._promises.begin_other()
        self._queue.put(operation)
        return operation.future

    def _work(self) -> None:
        while not self._has_ended:
            with self._turn:
                group = self._gather()
                writing = [operation for operation in group if operation.writes]
                if self._commits.damage is None and self._keep_promises(writing):
                    self._commit(writing)
            if writing:
                self._flush(writing)
                self._promises.end_others(len(writing))
            self._answer(group)

    def _gather(self) -> list[Operation]:
        """Everything that waits, up to a limit; nothing if nothing came for a while."""
        group: list[Operation] = []
        count = size = 0
        try:
            while count < _GROUP_LIMIT and size < _GROUP_BYTES and not self._has_ended:
                operation = self._next() if not group else self._queue.get_nowait()
                if operation is None:
                    self._has_ended = True
                    break
                group.append(operation)
                count += len(operation.additions)
                size += sum([addition.new.size for addition in operation.additions])
        except Empty:
            pass
        return group

    def _next(self) -> Operation | None:
        """What comes next, None when the end has come. Empty if nothing came for a while, and once then."""
        try:
            operation = self._queue.get(timeout=None if self._is_idle else _IDLE)
        except Empty:
            self._rest()
            self._is_idle = not self._promises.are_owed
            raise
        self._is_idle = False
        return operation

    def _answer(self, group: list[Operation]) -> None:
        for loop in {operation.loop for operation in group}:
            mine = [operation for operation in group if operation.loop is loop]
            if loop is not None and not loop.is_closed():
                loop.call_soon_threadsafe(_deliver_all, mine)

    def _keep_promises(self, writing: list[Operation]) -> bool:
        """Write what was promised before anything else; False if that is not possible, and why to those who wait."""
        offers = self._promises.owed(all_offered=bool(writing))
        if not offers:
            return True
        try:
            additions = [hashed(addition) for offer in offers for addition in offer.additions]
            self._transaction.keep(additions, offers[-1].number)
        except (ServerError, OSError, MemoryError, sqlite3.Error) as error:
            if self._promises.not_kept():
                _log.warning(
                    "what was acknowledged is in the journal only, for writing it failed: %s", _as_answer(error)
                )
            for operation in writing:
                operation.error = _as_answer(error)
            return False
        self._promises.kept(offers)
        return True

    def _commit(self, group: list[Operation]) -> None:
        """One transaction for all; if it fails, one for each, so that nobody fails for another's fault."""
        if not group:
            return
        try:
            self._run(group)
        except Exception as error:  # an edge: belongs to the caller
            if len(group) == 1 or self._commits.damage is not None:
                for operation in group:
                    operation.error = _as_answer(error)
                return
            for operation in group:
                self._commit([operation])

    def _run(self, group: list[Operation]) -> None:
        additions = [hashed(addition) for operation in group for addition in operation.additions]
        with self._transaction.open(time.time()) as transaction:
            added = transaction.add(additions) if additions else []
            start = 0
            for operation in group:
                if operation.change is not None:
                    operation.result = operation.change(transaction)
                else:
                    operation.result = added[start : start + len(operation.additions)]
                    start += len(operation.additions)
            if Added.REPLACED in added:
                # The replaced row was acknowledged: it may go only when the blob of the new one is safe.
                self._commits.sync()
        if any(operation.change is not None for operation in group):
            self._commits.add_change()
        else:
            self._commits.add_stored(additions, added)

    def _flush(self, group: list[Operation]) -> None:
        if all(operation.error is not None for operation in group):
            return
        try:
            self._commits.flush()
        except ServerError as error:
            for operation in group:
                operation.error = operation.error or error

    def _rest(self) -> None:
        if self._commits.damage is None:
            try:
                self._commits.rest()
                self._transaction.rest()
            except (ServerError, sqlite3.Error) as error:
                _log.warning("the index could not be brought to rest: %s", error)


def _as_answer(error: Exception) -> Exception:
    return storage_failure(error, "writing the index") if isinstance(error, sqlite3.Error) else error


def _deliver_all(operations: Sequence[Operation]) -> None:
    for operation in operations:
        operation.deliver()
