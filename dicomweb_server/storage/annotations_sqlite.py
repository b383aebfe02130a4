"""SqliteAnnotations: implements `ports.annotations.Annotations` in the index's file."""

from collections.abc import Mapping, Sequence

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.ports.annotations import Attached, Descent, Expected, Noted
from dicomweb_server.ports.resources import Resource
from dicomweb_server.storage import annotation_writing as writing
from dicomweb_server.storage.descent import note_descent
from dicomweb_server.storage.sqlite import Connection, Database
from dicomweb_server.storage.writer import Writer

_OF_OWNER = "WHERE level = ? AND owner = ? ORDER BY 1"


class SqliteAnnotations:
    """Reads in reader threads, writes by the one writer."""

    def __init__(self, database: Database, writer: Writer) -> None:
        """Both belong to the store that made them."""
        self._database = database
        self._writer = writer

    async def metadata(self, resource: Resource) -> Mapping[str, Noted]:
        """All of it."""
        rows = await self._of("SELECT name, value, revision FROM resource_metadata", resource)
        return {str(name): Noted(str(value), int(str(revision))) for name, value, revision in rows}

    async def put_metadata(self, resource: Resource, name: str, value: str, expected: Expected) -> int:
        """In the next transaction."""
        return await self._writer.change(lambda change: writing.put_metadata(change, resource, name, value, expected))

    async def remove_metadata(self, resource: Resource, name: str, expected: Expected) -> None:
        """In the next transaction."""
        await self._writer.change(lambda change: writing.remove_metadata(change, resource, name, expected))

    async def note_descent(self, name: str, descents: Sequence[Descent], *, with_labels: bool = False) -> None:
        """In the next transaction."""
        await self._writer.change(lambda change: note_descent(change, name, descents, with_labels=with_labels))

    async def labels(self, resource: Resource) -> Sequence[str]:
        """Sorted."""
        return [str(label) for (label,) in await self._of("SELECT label FROM label", resource)]

    async def all_labels(self) -> Sequence[str]:
        """Sorted."""

        def read(connection: Connection) -> list[str]:
            return [label for (label,) in connection.execute("SELECT DISTINCT label FROM label ORDER BY 1")]

        return await self._database.read(read)

    async def put_label(self, resource: Resource, label: str) -> None:
        """In the next transaction."""
        await self._writer.change(lambda change: writing.put_label(change, resource, label))

    async def remove_label(self, resource: Resource, label: str) -> None:
        """In the next transaction."""
        await self._writer.change(lambda change: writing.remove_label(change, resource, label))

    async def attachments(self, resource: Resource) -> Sequence[Attached]:
        """By name."""
        rows = await self._of("SELECT name, key, size, md5, revision FROM attachment", resource)
        return [Attached(*row) for row in rows]  # type: ignore[arg-type]

    async def put_attachment(self, resource: Resource, attached: Attached, expected: Expected) -> int:
        """In the next transaction, whose sync covers the blob."""
        return await self._writer.change(lambda change: writing.put_attachment(change, resource, attached, expected))

    async def remove_attachment(self, resource: Resource, name: str, expected: Expected) -> None:
        """In the next transaction."""
        await self._writer.change(lambda change: writing.remove_attachment(change, resource, name, expected))

    async def is_protected(self, patient: Resource) -> bool:
        """Whether there is a row."""

        def read(connection: Connection) -> bool:
            row = connection.execute("SELECT 1 FROM protected_patient WHERE patient = ?", (patient.row,)).fetchone()
            return row is not None

        return await self._database.read(read)

    async def protect(self, patient: Resource, *, protected: bool) -> None:
        """In the next transaction."""
        await self._writer.change(lambda change: writing.protect(change, patient, protected=protected))

    async def attached_size(self, level: Level | None = None) -> int:
        """Bytes of all attachments, or of those of a level."""

        def read(connection: Connection) -> int:
            wanted = -1 if level is None else int(level)
            statement = "SELECT coalesce(sum(size), 0) FROM attachment WHERE level = ? OR ? = -1"
            return int(connection.execute(statement, (wanted, wanted)).fetchone()[0])

        return await self._database.read(read)

    async def _of(self, statement: str, resource: Resource) -> list[tuple[object, ...]]:
        parameters = (int(resource.level), resource.row)
        return await self._database.read(
            lambda connection: connection.execute(f"{statement} {_OF_OWNER}", parameters).fetchall()
        )
