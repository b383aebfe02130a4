"""Annotations: what clients add to a resource, by its level and row: metadata, labels, attachments, protection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.ports.index import Scope
from dicomweb_server.ports.resources import Resource


@dataclass(frozen=True, slots=True)
class Noted:
    """The value of metadata, and how often it was changed since it was first given."""

    value: str
    revision: int


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that was added to a resource. `key`: of its blob."""

    name: str
    key: str
    size: int
    md5: str
    revision: int


@dataclass(frozen=True, slots=True)
class Expected:
    """What a client believes to be there: a revision; None that it does not care, -1 that there is nothing."""

    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Descent:
    """An instance that was made of another one."""

    source: Scope
    made: Scope


class Annotations(Protocol):
    """Writes fail with ServerError: NOT_FOUND if the resource is gone, CONFLICT if something else was expected."""

    async def metadata(self, resource: Resource) -> Mapping[str, Noted]:
        """All metadata of a resource."""

    async def put_metadata(self, resource: Resource, name: str, value: str, expected: Expected) -> int:
        """Set it; the new revision."""

    async def remove_metadata(self, resource: Resource, name: str, expected: Expected) -> None:
        """Remove it; NOT_FOUND if it is not there."""

    async def note_descent(self, name: str, descents: Sequence[Descent], *, with_labels: bool = False) -> None:
        """Metadata of instances and of their parents: Orthanc's identifiers of what they were made of.

        `with_labels`: they get the labels of those too. What is gone is passed over.
        """

    async def labels(self, resource: Resource) -> Sequence[str]:
        """All labels of a resource, sorted."""

    async def all_labels(self) -> Sequence[str]:
        """All labels in use, sorted."""

    async def put_label(self, resource: Resource, label: str) -> None:
        """Add it; nothing happens if it is there."""

    async def remove_label(self, resource: Resource, label: str) -> None:
        """Remove it; nothing happens if it is not there."""

    async def attachments(self, resource: Resource) -> Sequence[Attached]:
        """All attachments of a resource, by name."""

    async def put_attachment(self, resource: Resource, attached: Attached, expected: Expected) -> int:
        """Add or replace one whose blob is placed; the new revision. A replaced blob becomes garbage."""

    async def remove_attachment(self, resource: Resource, name: str, expected: Expected) -> None:
        """Remove it; NOT_FOUND if it is not there. Its blob becomes garbage."""

    async def is_protected(self, patient: Resource) -> bool:
        """Whether a patient is never removed to make room."""

    async def protect(self, patient: Resource, *, protected: bool) -> None:
        """Say so, or not."""

    async def attached_size(self, level: Level | None = None) -> int:
        """Bytes of all attachments."""
