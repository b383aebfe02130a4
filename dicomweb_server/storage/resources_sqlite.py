"""SqliteResources: implements `ports.resources.Resources` on the index."""

from collections.abc import Sequence

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.ports.index import Scope, StoredInstance
from dicomweb_server.ports.resources import Resource
from dicomweb_server.storage import resource_reading as reading
from dicomweb_server.storage.sqlite import Database


class SqliteResources:
    """Reads in reader threads."""

    def __init__(self, database: Database) -> None:
        """The database belongs to the store that made it."""
        self._database = database

    async def find_resource(self, level: Level, digest: bytes) -> Resource | None:
        """By identifier."""
        return await self._database.read(lambda connection: reading.find_resource(connection, level, digest))

    async def scopes_below(self, resource: Resource) -> Sequence[Scope]:
        """Studies of a patient, or the resource itself."""
        return await self._database.read(lambda connection: reading.scopes_below(connection, resource))

    async def instances_below(self, resource: Resource) -> Sequence[StoredInstance]:
        """All instances."""
        return await self._database.read(lambda connection: reading.instances_below(connection, resource))
