"""SqliteIndex: the index on SQLite; reads in reader threads, writes by the one writer, nothing on the event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from dicomweb_server.dicom.query import Query
from dicomweb_server.dicom.record import ParsedInstance
from dicomweb_server.ports.changes import Change, ChangeFilter
from dicomweb_server.ports.index import Added, NewInstance, OnDuplicate, Page, Scope, StoredInstance
from dicomweb_server.storage import change_reading, query_sql, refreshing
from dicomweb_server.storage import index_reading as reading
from dicomweb_server.storage import index_upkeep as upkeep
from dicomweb_server.storage.absences import forget_absent
from dicomweb_server.storage.additions import Addition
from dicomweb_server.storage.instance_cache import InstanceCache
from dicomweb_server.storage.sqlite import Connection, Database
from dicomweb_server.storage.writer import Writer

_T = TypeVar("_T")

_BATCH = 1000
_FIRST_MATCHES = 100


class SqliteIndex:
    """Implements `ports.index.Index`, `ports.index.IndexUpkeep` and `ports.changes.ChangeLog`."""

    def __init__(self, database: Database, writer: Writer) -> None:
        """Both belong to the store that made them."""
        self._database = database
        self._writer = writer
        self._cache = InstanceCache()

    async def add(self, instances: Sequence[NewInstance], on_duplicate: OnDuplicate) -> list[Added]:
        """Add in the next transaction."""
        added = await self._writer.add([Addition(new, on_duplicate) for new in instances])
        if Added.REPLACED in added:
            pairs = zip(instances, added, strict=True)
            self._cache.forget([_scope_of(new) for new, outcome in pairs if outcome is Added.REPLACED])
        return added

    async def find(self, query: Query) -> Page:
        """Search in a reader thread."""
        return await self._database.read(lambda connection: query_sql.find(connection, query))

    async def matches(self, query: Query) -> AsyncIterator[Sequence[bytes]]:
        """A hundred, then the ids of all others, by which they are read a thousand at a time."""
        first, ids = await self._database.read(partial(query_sql.first_matches, query=query, count=_FIRST_MATCHES))
        if first:
            yield first
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            yield await self._database.read(partial(query_sql.more_matches, query=query, ids=batch))

    async def instance(self, scope: Scope) -> StoredInstance | None:
        """From the cache, or a query."""
        found = self._cache.get(scope)
        if found is None:
            generation = self._cache.generation
            found = await self._database.read(lambda connection: reading.instance(connection, scope))
            if found is not None:
                self._cache.put(scope, found, generation)
        return found

    def peek_instance(self, scope: Scope) -> StoredInstance | None:
        """From the cache only."""
        return self._cache.get(scope)

    def instances(self, scope: Scope) -> AsyncIterator[Sequence[StoredInstance]]:
        """A thousand at a time."""
        return self._batches(scope, reading.instances)

    def metadata(self, scope: Scope) -> AsyncIterator[Sequence[bytes]]:
        """A thousand at a time, the first in one hop."""
        return self._batches(scope, reading.metadata)

    async def revision(self, scope: Scope) -> str | None:
        """Changes with everything below the scope."""
        return await self._database.read(lambda connection: reading.revision(connection, scope))

    async def delete(self, scope: Scope) -> int:
        """Delete in the next transaction."""
        deleted = await self._writer.change(lambda transaction: transaction.delete(scope))
        self._cache.forget([scope])
        return deleted

    async def forget_absent(self, study_uid: str) -> None:
        """In the next transaction."""
        await self._writer.change(lambda transaction: forget_absent(transaction, study_uid))

    async def garbage(self, limit: int, before: float) -> list[str]:
        """Keys of blobs to remove."""
        return await self._database.read(lambda connection: reading.garbage(connection, limit, before))

    async def forget_garbage(self, keys: Sequence[str]) -> None:
        """These are removed; their removal is made durable first, or a power cut might leave them without any row."""
        await self._writer.change_after_sync(lambda transaction: upkeep.forget_garbage(transaction, keys))

    async def counts(self) -> Mapping[str, int]:
        """From the rows of the studies."""
        return await self._database.read(reading.counts)

    async def changes(self, after: int, limit: int) -> Sequence[Change]:
        """Entries of the change log."""
        return await self._database.read(lambda connection: reading.changes(connection, after, limit))

    async def last_change(self) -> int:
        """The highest sequence number."""
        return await self._database.read(reading.last_change)

    async def shown_changes(self, asked: ChangeFilter, limit: int) -> Sequence[Change]:
        """Entries as clients see them."""
        return await self._database.read(lambda connection: change_reading.shown(connection, asked, limit))

    async def hide_changes(self) -> None:
        """Note up to where they are hidden."""
        await self._writer.change(change_reading.hide)

    async def announce_stable(self, before: float) -> int:
        """In a transaction, if there is anybody to be judged."""
        if not await self._database.read(lambda connection: change_reading.is_judgement_due(connection, before)):
            return 0
        return await self._writer.change(lambda transaction: change_reading.announce_stable(transaction, before))

    async def by_key(self, after: str, limit: int) -> list[StoredInstance]:
        """Instances in the order of their keys."""
        return await self._database.read(lambda connection: reading.by_key(connection, after, limit))

    async def known_keys(self, keys: Sequence[str]) -> set[str]:
        """Keys of instances and of garbage."""
        return await self._database.read(lambda connection: reading.known_keys(connection, keys))

    async def drop(self, keys: Sequence[str]) -> int:
        """Delete the instances of lost blobs."""
        dropped = await self._writer.change(lambda transaction: transaction.drop(keys))
        self._cache.forget_all()
        return dropped

    async def refresh(self, read: Sequence[tuple[StoredInstance, ParsedInstance]]) -> int:
        """Write rows anew in the next transaction."""
        refreshed = await self._writer.change(lambda transaction: refreshing.refresh(transaction, read))
        self._cache.forget_all()
        return refreshed

    async def recount(self) -> list[str]:
        """Compare counters with rows; takes long on a large index."""
        return await self._database.read(upkeep.problems)

    async def repair_counts(self) -> None:
        """Write the counters anew."""
        await self._writer.change(upkeep.repair)
        self._cache.forget_all()

    async def close(self) -> None:
        """Finish what waits to be written. What is below belongs to `store.Store`, which closes it."""
        await asyncio.to_thread(self._writer.close)

    async def _batches(
        self, scope: Scope, load: Callable[[Connection, Sequence[int]], Sequence[_T]]
    ) -> AsyncIterator[Sequence[_T]]:
        ids, first = await self._database.read(lambda connection: _first_batch(connection, scope, load))
        if first:
            yield first
        for start in range(_BATCH, len(ids), _BATCH):
            batch = await self._database.read(partial(load, ids=ids[start : start + _BATCH]))  # type: ignore[call-arg]
            if batch:
                yield batch


def _first_batch(
    connection: Connection, scope: Scope, load: Callable[[Connection, Sequence[int]], Sequence[_T]]
) -> tuple[list[int], Sequence[_T]]:
    ids = reading.ordered_ids(connection, scope)
    return ids, load(connection, ids[:_BATCH])


def _scope_of(new: NewInstance) -> Scope:
    record = new.parsed.record
    return Scope(record.study_uid, record.series_uid, record.instance_uid)
