"""ResourceService: patients, studies, series and instances by Orthanc's identifiers."""

from collections.abc import Sequence

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.orthanc_id import parse
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Scope, StoredInstance
from dicomweb_server.ports.resources import Resource, Resources

__all__ = ["Resource", "ResourceService"]

# Most instances below identifiers are asked for at once, so the lowest level is looked up first.
_LEVELS = (Level.INSTANCE, Level.SERIES, Level.STUDY, Level.PATIENT)


class ResourceService:
    """Knows what an identifier names."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def identify(self, level: Level, public_id: str) -> Resource:
        """The resource of an identifier; ServerError(NOT_FOUND) if there is none at this level."""
        digest = parse(public_id)
        found = None if digest is None else await self._resources.find_resource(level, digest)
        if found is None:
            raise ServerError(Reason.NOT_FOUND, f"there is no such {level.name.lower()}")
        return found

    async def identify_any(self, public_id: str) -> Resource:
        """The resource of an identifier at whatever level; ServerError(NOT_FOUND) if there is none."""
        digest = parse(public_id)
        for level in _LEVELS if digest is not None else ():
            assert digest is not None
            found = await self._resources.find_resource(level, digest)
            if found is not None:
                return found
        raise ServerError(Reason.NOT_FOUND, "there is no such patient, study, series or instance")

    async def scopes(self, resource: Resource) -> Sequence[Scope]:
        """What DICOM identifies it by: the studies of a patient, or itself."""
        return await self._resources.scopes_below(resource)

    async def instances(self, resource: Resource) -> Sequence[StoredInstance]:
        """All its instances, by study, series number and instance number."""
        return await self._resources.instances_below(resource)
