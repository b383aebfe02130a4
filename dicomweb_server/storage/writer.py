"""Writer: group commit. One thread turns all that waits into one transaction, one sync makes it and its blobs durable.

Nobody is answered before a sync that began after the commit has succeeded. After a failed sync nothing is known about
what is on the disk, so the writer then refuses everything until the next start, which checks the rows.
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
from dicomweb_server.storage.additions import Addition
from dicomweb_server.storage.durability import Durability
from dicomweb_server.storage.failure import storage_failure
from dicomweb_server.storage.transaction import Transaction

_T = TypeVar("_T")

_log = logging.getLogger(__name__)

_GROUP_LIMIT = 512  # instances in one transaction, so that nobody waits long behind others
_IDLE = 0.5  # seconds without work before the log is checkpointed


@dataclass(slots=True, eq=False)
class Operation:
    """What one caller waits for: instances to add, or any other change."""

    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]"
    additions: Sequence[Addition] = ()
    change: Callable[[Transaction], Any] | None = None
    result: Any = None
    error: BaseException | None = None

    def deliver(self) -> None:
        """Answer the caller; runs in the loop."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Writer:
    """The only one who writes to the index."""

    def __init__(self, transaction: Transaction, durability: Durability) -> None:
        """`transaction` holds the writing connection; it is used in the writer's thread only."""
        self._transaction = transaction
        self._durability = durability
        self._queue: SimpleQueue[Operation | None] = SimpleQueue()
        self._damage: ServerError | None = None
        self.durable = transaction.committed  # the id of the last instance that would survive a power cut
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="index-writer", daemon=True)
        self._thread.start()

    async def add(self, additions: Sequence[Addition]) -> list[Added]:
        """Add instances together with whatever else waits."""
        if not additions:
            return []
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
            self._flush()
            return change(transaction)

        return await self.change(synced)

    @property
    def damage(self) -> ServerError | None:
        """Why nothing can be written any more, if so."""
        return self._damage

    def close(self) -> None:
        """Finish what waits, then end; waits for it. Safe to call twice."""
        if self._is_closed:
            return
        self._is_closed = True
        self._queue.put(None)
        self._thread.join()

    def _submit(self, operation: Operation) -> "asyncio.Future[Any]":
        if self._is_closed:
            raise ServerError(Reason.BUSY, "the server is stopping")
        self._queue.put(operation)
        return operation.future

    def _work(self) -> None:
        idle = False
        while True:
            try:
                first = self._queue.get(timeout=None if idle else _IDLE)
            except Empty:
                self._rest()
                idle = True
                continue
            idle = False
            group, is_last = self._gather(first)
            if group:
                self._serve(group)
            if is_last:
                return

    def _gather(self, first: Operation | None) -> tuple[list[Operation], bool]:
        """Everything that waits, up to a limit."""
        group: list[Operation] = []
        count = 0
        current = first
        while current is not None:
            group.append(current)
            count += len(current.additions)
            if count >= _GROUP_LIMIT:
                return group, False
            try:
                current = self._queue.get_nowait()
            except Empty:
                return group, False
        return group, True

    def _serve(self, group: list[Operation]) -> None:
        if self._damage is None:
            self._commit(group)
            self._sync(group)
        else:
            for operation in group:
                operation.error = self._damage
        for loop in {operation.loop for operation in group}:
            mine = [operation for operation in group if operation.loop is loop]
            if not loop.is_closed():
                loop.call_soon_threadsafe(_deliver_all, mine)

    def _commit(self, group: list[Operation]) -> None:
        """One transaction for all; if it fails, one for each, so that nobody fails for another's fault."""
        try:
            self._run(group)
        except Exception as error:  # an edge: belongs to the caller
            if len(group) == 1 or self._damage is not None:
                for operation in group:
                    operation.error = _as_answer(error)
                return
            for operation in group:
                self._commit([operation])

    def _run(self, group: list[Operation]) -> None:
        with self._transaction.open(time.time()) as transaction:
            additions = [addition for operation in group for addition in operation.additions]
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
                self._flush()

    def _sync(self, group: list[Operation]) -> None:
        if all(operation.error is not None for operation in group):
            return
        committed = self._transaction.committed
        try:
            self._flush()
        except ServerError as error:
            for operation in group:
                operation.error = operation.error or error
        else:
            self._transaction.is_durable(committed)
            self.durable = committed

    def _flush(self) -> None:
        if self._damage is None:
            try:
                self._durability.sync()
            except OSError as error:
                self._damage = storage_failure(error, "syncing to disk")
        if self._damage is not None:
            raise self._damage

    def _rest(self) -> None:
        if self._damage is None:
            try:
                self._transaction.rest()
            except sqlite3.Error as error:
                _log.warning("the index could not be brought to rest: %s", error)


def _as_answer(error: Exception) -> Exception:
    return storage_failure(error, "writing the index") if isinstance(error, sqlite3.Error) else error


def _deliver_all(operations: Sequence[Operation]) -> None:
    for operation in operations:
        operation.deliver()
