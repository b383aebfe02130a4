"""Resources: patients, studies, series and instances under Orthanc's identifiers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.orthanc_id import orthanc_id
from dicomweb_server.dicom.query import LabelsConstraint, Query
from dicomweb_server.ports.index import Scope, StoredInstance

T = TypeVar("T")


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


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of the file of an instance beside its contents, and of who sent it."""

    key: str
    size: int
    digest: bytes
    transfer_syntax_uid: str
    sop_class_uid: str
    protocol: str
    address: str
    calling_ae_title: str
    called_ae_title: str
    user: str


@dataclass(frozen=True, slots=True)
class Described:
    """A resource with what is shown of it.

    `load`: gives the DICOM JSON of an instance below it, which speaks for all; only while it is being converted.
    `values`: those of its own columns and its parents', by tag, which win over it. `children`: Orthanc's identifiers,
    in the order of arrival. `counts`: of what is below it, by keyword. `updated`: seconds of the epoch. `instances`,
    `size`: below it.
    """

    resource: Resource
    load: Callable[[], bytes]
    values: Mapping[int, str]
    children: Sequence[str]
    updated: float
    instances: int
    size: int
    counts: Mapping[str, str] = field(default_factory=dict)
    labels: Sequence[str] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    attachments: Sequence[str] = ()
    is_protected: bool = False
    file: FileFacts | None = None

    @property
    def document(self) -> bytes:
        """What `load` gives."""
        return self.load()


Named = tuple[tuple[int, str, bool], ...]
"""Attributes by tag, with the name to show them under, and whether they are shown empty when nothing is known."""


class Outline(NamedTuple):
    """What lists show of a patient or study. `objects`: a JSON object for each group of attributes asked for."""

    identity: str
    study_uid: str
    updated: float
    child_uids: Sequence[str]
    labels: Sequence[str]
    metadata: Mapping[str, str]
    is_protected: bool
    objects: Sequence[str]


@dataclass(frozen=True, slots=True)
class Restriction:
    """What a search for resources asks beside a Query: what clients added, and parents by Orthanc's identifiers.

    `labels`, `labels_constraint`; `metadata`: pairs of a name and a pattern with * and ?.
    `patient`, `study`, `series`: rows of parents. `order`: metadata to sort by, and whether descending.
    """

    labels: tuple[str, ...] = ()
    labels_constraint: LabelsConstraint = LabelsConstraint.ALL
    metadata: tuple[tuple[str, str], ...] = ()
    patient: int | None = None
    study: int | None = None
    series: int | None = None
    metadata_order: tuple[tuple[str, bool], ...] = ()


class Resources(Protocol):
    """Finding by Orthanc's identifiers, which the index keeps beside DICOM's."""

    async def find_resource(self, level: Level, digest: bytes) -> Resource | None:
        """The resource at a level; None if there is none."""

    async def of_scopes(self, scopes: Sequence[Scope]) -> Sequence[Resource | None]:
        """The instances of scopes; None for those that are not there."""

    async def scopes_below(self, resource: Resource) -> Sequence[Scope]:
        """The studies of a patient in the order of their arrival; of anything else its own scope."""

    async def instances_below(self, resource: Resource) -> Sequence[StoredInstance]:
        """All its instances: by study, series number, instance number."""

    async def listed(self, level: Level, since: int, limit: int | None) -> Sequence[int]:
        """Rows of a level in the order of arrival, so many after the first `since`."""

    async def matching(self, query: Query, restriction: Restriction) -> Sequence[int]:
        """Rows of the query's level that match, cut to its offset and limit."""

    async def related(self, resource: Resource, level: Level) -> Sequence[int]:
        """Rows of a level that are below the resource, or the one above it."""

    async def ids(self, level: Level, rows: Sequence[int]) -> Sequence[str]:
        """Orthanc's identifiers of rows, in that order; those deleted meanwhile left out."""

    async def describe(self, level: Level, rows: Sequence[int], convert: Callable[[Described], T]) -> Sequence[T]:
        """What is shown of rows, each converted at once, in that order; those deleted meanwhile left out."""

    def is_outlined(self, level: Level, tag: int) -> bool:
        """Whether an attribute can be in an outline at a level."""

    async def outlines(
        self, level: Level, rows: Sequence[int], groups: Sequence[Named], convert: Callable[[Outline], T]
    ) -> Sequence[T]:
        """Outlines of patients or studies, each converted at once, in that order; those deleted meanwhile left out."""

    async def documents_below(self, resource: Resource, convert: Callable[[Resource, bytes], T]) -> Sequence[T]:
        """The DICOM JSON of every instance below, each converted at once."""

    async def lookup(self, tag: int, value: str) -> Sequence[Resource]:
        """Resources whose Patient ID, UID or accession number (the tag) is exactly this, folded as names are."""

    async def lowest_ancestor(self, resource: Resource) -> Resource | None:
        """The nearest of its parents that is still there."""
