"""SqliteResources: implements `ports.resources.Resources` on the index."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.query import Query
from dicomweb_server.ports.index import Scope, StoredInstance
from dicomweb_server.ports.resources import Described, Named, Outline, Resource, Restriction
from dicomweb_server.storage import resource_reading as reading
from dicomweb_server.storage.resource_describing import describe
from dicomweb_server.storage.resource_matching import matching
from dicomweb_server.storage.resource_outlines import is_outlined, outlines
from dicomweb_server.storage.sqlite import Connection, Database

_T = TypeVar("_T")

# Rows described in one step of a reader thread.
_STEP = 200


class SqliteResources:
    """Reads in reader threads."""

    def __init__(self, database: Database) -> None:
        """The database belongs to the store that made it."""
        self._database = database

    async def find_resource(self, level: Level, digest: bytes) -> Resource | None:
        """By identifier."""
        return await self._database.read(lambda connection: reading.find_resource(connection, level, digest))

    async def of_scopes(self, scopes: Sequence[Scope]) -> Sequence[Resource | None]:
        """By DICOM's identifiers."""
        return await self._database.read(lambda connection: reading.of_scopes(connection, scopes))

    async def scopes_below(self, resource: Resource) -> Sequence[Scope]:
        """Studies of a patient, or the resource itself."""
        return await self._database.read(lambda connection: reading.scopes_below(connection, resource))

    async def instances_below(self, resource: Resource) -> Sequence[StoredInstance]:
        """All instances."""
        return await self._database.read(lambda connection: reading.instances_below(connection, resource))

    async def listed(self, level: Level, since: int, limit: int | None) -> Sequence[int]:
        """In the order of arrival."""
        return await self._database.read(lambda connection: reading.listed(connection, level, since, limit))

    async def matching(self, query: Query, restriction: Restriction) -> Sequence[int]:
        """In the order of the query."""
        return await self._database.read(lambda connection: matching(connection, query, restriction))

    async def related(self, resource: Resource, level: Level) -> Sequence[int]:
        """Below or above."""
        return await self._database.read(lambda connection: reading.related(connection, resource, level))

    async def ids(self, level: Level, rows: Sequence[int]) -> Sequence[str]:
        """Identifiers."""
        return await self._database.read(lambda connection: reading.ids(connection, level, rows))

    async def describe(self, level: Level, rows: Sequence[int], convert: Callable[[Described], _T]) -> Sequence[_T]:
        """Described and converted in steps of a reader thread."""

        def read(connection: Connection) -> list[_T]:
            steps = (rows[start : start + _STEP] for start in range(0, len(rows), _STEP))
            return [convert(one) for step in steps for one in describe(connection, level, step)]

        return await self._database.read(read)

    def is_outlined(self, level: Level, tag: int) -> bool:
        """What columns tell."""
        return is_outlined(level, tag)

    async def outlines(
        self, level: Level, rows: Sequence[int], groups: Sequence[Named], convert: Callable[[Outline], _T]
    ) -> Sequence[_T]:
        """Written by SQLite, converted in a reader thread."""
        return await self._database.read(
            lambda connection: [convert(one) for one in outlines(connection, level, rows, groups)]
        )

    async def documents_below(self, resource: Resource, convert: Callable[[Resource, bytes], _T]) -> Sequence[_T]:
        """Of all instances."""
        return await self._database.read(lambda connection: reading.documents_below(connection, resource, convert))

    async def lookup(self, tag: int, value: str) -> Sequence[Resource]:
        """By an identifier of DICOM."""
        return await self._database.read(lambda connection: reading.lookup(connection, tag, value))

    async def lowest_ancestor(self, resource: Resource) -> Resource | None:
        """What is left above it."""
        return await self._database.read(lambda connection: reading.lowest_ancestor(connection, resource))
