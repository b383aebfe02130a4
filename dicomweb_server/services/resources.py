"""ResourceService: patients, studies, series and instances by Orthanc's identifiers."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TypeVar

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.orthanc_id import parse
from dicomweb_server.dicom.query import Query
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Index, Scope, StoredInstance
from dicomweb_server.ports.resources import Described, FileFacts, Named, Outline, Resource, Resources, Restriction

__all__ = [
    "Described",
    "FileFacts",
    "Named",
    "Outline",
    "Resource",
    "ResourceService",
    "Restriction",
    "Scope",
    "StoredInstance",
]

T = TypeVar("T")

# Most instances below identifiers are asked for at once, so the lowest level is looked up first.
_LEVELS = (Level.INSTANCE, Level.SERIES, Level.STUDY, Level.PATIENT)
_HELD = 8192
_STEP = 200
_OUTLINED = 1000


class ResourceService:
    """Knows what an identifier names, and what is there."""

    def __init__(self, resources: Resources, index: Index) -> None:
        self._resources = resources
        self._index = index
        self._held: OrderedDict[str, Resource] = OrderedDict()  # instances by identifier, for the path of files

    async def identify(self, level: Level, public_id: str) -> Resource:
        """The resource of an identifier; ServerError(NOT_FOUND) if there is none at this level."""
        digest = parse(public_id)
        found = None if digest is None else await self._resources.find_resource(level, digest)
        if found is None:
            raise ServerError(Reason.NOT_FOUND, f"there is no such {level.name.lower()}")
        return found

    async def identify_any(self, public_id: str) -> Resource:
        """The resource of an identifier at whatever level; ServerError(NOT_FOUND) if there is none."""
        found = await self.find_any(public_id)
        if found is None:
            raise ServerError(Reason.NOT_FOUND, "there is no such patient, study, series or instance")
        return found

    async def find_any(self, public_id: str) -> Resource | None:
        """The resource of an identifier at whatever level, if there is one."""
        digest = parse(public_id)
        for level in _LEVELS if digest is not None else ():
            assert digest is not None
            found = await self._resources.find_resource(level, digest)
            if found is not None:
                return found
        return None

    def peek_instance(self, public_id: str) -> StoredInstance | None:
        """The stored instance of an identifier, without waiting; None where `instance` must be asked."""
        held = self._held.get(public_id)
        return None if held is None else self._index.peek_instance(held.scope)

    async def instance(self, public_id: str) -> StoredInstance:
        """The stored instance of an identifier; ServerError(NOT_FOUND) if there is none."""
        resource = await self.identify(Level.INSTANCE, public_id)
        found = await self._index.instance(resource.scope)
        if found is None:
            raise ServerError(Reason.NOT_FOUND, "there is no such instance")
        self._held[public_id] = resource
        if len(self._held) > _HELD:
            self._held.popitem(last=False)
        return found

    async def of_scopes(self, scopes: Sequence[Scope]) -> Sequence[Resource | None]:
        """The instances that DICOM identifies so; None for those that are not there."""
        return await self._resources.of_scopes(scopes)

    async def scopes(self, resource: Resource) -> Sequence[Scope]:
        """What DICOM identifies it by: the studies of a patient, or itself."""
        return await self._resources.scopes_below(resource)

    async def instances(self, resource: Resource) -> Sequence[StoredInstance]:
        """All its instances, by study, series number and instance number."""
        return await self._resources.instances_below(resource)

    async def listed(self, level: Level, since: int = 0, limit: int | None = None) -> Sequence[int]:
        """Rows of a level in the order of arrival, for `ids` and `describe`."""
        return await self._resources.listed(level, since, limit)

    async def matching(self, query: Query, restriction: Restriction) -> Sequence[int]:
        """Rows that match, for `ids` and `describe`."""
        return await self._resources.matching(query, restriction)

    async def related(self, resource: Resource, level: Level) -> Sequence[int]:
        """Rows below the resource, or the one above it, for `ids` and `describe`."""
        return await self._resources.related(resource, level)

    async def ids(self, level: Level, rows: Sequence[int]) -> Sequence[str]:
        """Orthanc's identifiers of rows."""
        return await self._resources.ids(level, rows)

    async def describe(self, resource: Resource, convert: Callable[[Described], T]) -> T:
        """What is shown of a resource; ServerError(NOT_FOUND) if it went meanwhile."""
        found = await self._resources.describe(resource.level, [resource.row], convert)
        if not found:
            raise ServerError(Reason.NOT_FOUND, "there is no such resource")
        return found[0]

    async def describe_all(
        self, level: Level, rows: Sequence[int], convert: Callable[[Described], T]
    ) -> AsyncIterator[Sequence[T]]:
        """What is shown of rows, in batches of bounded size."""
        for start in range(0, len(rows), _STEP):
            yield await self._resources.describe(level, rows[start : start + _STEP], convert)

    def is_outlined(self, level: Level, tag: int) -> bool:
        """Whether an attribute can be in an outline at a level."""
        return self._resources.is_outlined(level, tag)

    async def outline_all(
        self, level: Level, rows: Sequence[int], groups: Sequence[Named], convert: Callable[[Outline], T]
    ) -> AsyncIterator[Sequence[T]]:
        """Outlines of patients or studies, in batches of bounded size."""
        for start in range(0, len(rows), _OUTLINED):
            yield await self._resources.outlines(level, rows[start : start + _OUTLINED], groups, convert)

    async def documents(self, resource: Resource, convert: Callable[[Resource, bytes], T]) -> Sequence[T]:
        """The DICOM JSON of every instance below, converted where it is read."""
        return await self._resources.documents_below(resource, convert)

    async def lookup(self, tags: Iterable[int], value: str) -> list[Resource]:
        """Resources that an identifier of DICOM names: a UID, Patient ID or accession number."""
        return [one for tag in tags for one in await self._resources.lookup(tag, value)]

    async def remaining_ancestor(self, resource: Resource) -> Resource | None:
        """The nearest parent that a deletion has left."""
        return await self._resources.lowest_ancestor(resource)
