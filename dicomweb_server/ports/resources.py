"""Resources: patients, studies, series and instances under Orthanc's identifiers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.orthanc_id import orthanc_id
from dicomweb_server.ports.index import Scope, StoredInstance


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource, and its parents by their UIDs. `identity`: the Patient ID, or U+001F and the name without one.

    `row`: by which storage finds it at once; never shown.
    """

    level: Level
    row: int
    identity: str
    study_uid: str = ""
    series_uid: str = ""
    instance_uid: str = ""

    @property
    def id(self) -> str:
        """Orthanc's identifier."""
        return self.id_at(self.level)

    def id_at(self, level: Level) -> str:
        """Of itself, or of its parent at a level."""
        return orthanc_id(self.identity, *(self.study_uid, self.series_uid, self.instance_uid)[:level])

    @property
    def scope(self) -> Scope:
        """What DICOM identifies it by; of a study, series or instance."""
        return Scope(self.study_uid, self.series_uid or None, self.instance_uid or None)


class Resources(Protocol):
    """Finding by Orthanc's identifiers, which the index keeps beside DICOM's."""

    async def find_resource(self, level: Level, digest: bytes) -> Resource | None:
        """The resource at a level; None if there is none."""

    async def scopes_below(self, resource: Resource) -> Sequence[Scope]:
        """The studies of a patient in the order of their arrival; of anything else its own scope."""

    async def instances_below(self, resource: Resource) -> Sequence[StoredInstance]:
        """All its instances: by study, series number, instance number."""
