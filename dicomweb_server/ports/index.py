"""Index: what is stored, under which identifiers, and where; the port that SQLite implements."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.origin import Origin
from dicomweb_server.dicom.query import Query
from dicomweb_server.dicom.record import ParsedInstance
from dicomweb_server.ports.blobs import Placement


@dataclass(frozen=True, slots=True)
class Scope:
    """A study, a series of it, or an instance of that: the target of a retrieve or delete."""

    study_uid: str
    series_uid: str | None = None
    instance_uid: str | None = None


class OnDuplicate(Enum):
    """What to do with other bytes under a SOP Instance UID (in the same series) that is stored already."""

    KEEP = "keep"
    REPLACE = "replace"
    REJECT = "reject"


class Added(Enum):
    """What became of one added instance."""

    STORED = "stored"
    IDENTICAL = "identical"  # the same bytes were there: nothing was written
    KEPT = "kept"  # other bytes were there and were kept (policy `keep`)
    REPLACED = "replaced"
    REFUSED = "refused"  # other bytes were there (policy `reject`)


class NewInstance(NamedTuple):
    """One instance to add. Its blob is under `key`, not yet durable; if that is "", `placement` writes it.

    The index calls `placement` if it really adds the instance, so that nothing is written for what is known. `digest`:
    SHA-256; b"" if the index is to compute it of the bytes that `placement` has in memory. `when_stored`: perhaps
    called in another thread, as soon as it is certain that `Index.add` will answer STORED.
    """

    parsed: ParsedInstance
    key: str
    size: int
    digest: bytes
    origin: Origin
    received: float | None = None  # seconds of the epoch; None: now
    placement: Placement | None = None
    when_stored: Callable[[], None] | None = None

    def placed(self) -> str:
        """The key, after the blob was written if need be."""
        if self.key:
            return self.key
        assert self.placement is not None
        return self.placement.place()


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """Where one instance rests and how its frames lie in it."""

    study_uid: str
    series_uid: str
    instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    key: str
    size: int
    digest: bytes
    frames: bytes  # packed frames.FrameIndex
    received: float  # seconds of the epoch


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to a Query: a DICOM JSON object (UTF-8 bytes) per match, already cut to offset and limit.

    Retrieve URLs in `matches` start with the byte 0x01, as bulk data URIs do. `remaining`: matches after this page, or
    at least so many, if `is_remaining_exact` is false; `total`: all matches, when the query asked for it.
    """

    matches: Sequence[bytes]
    remaining: int = 0
    total: int | None = None
    is_remaining_exact: bool = True


class Index(Protocol):
    """Rows about instances and their parents. Methods are safe to call concurrently."""

    async def add(self, instances: Sequence[NewInstance], on_duplicate: OnDuplicate) -> list[Added]:
        """Make rows and blobs durable together; returns when both are, so that the sender may be answered."""

    async def find(self, query: Query) -> Page:
        """Matches of a query at its level."""

    def matches(self, query: Query) -> AsyncIterator[Sequence[bytes]]:
        """The same matches in batches, the first one small. Which they are is settled at the start.

        Each is answered as it is when its batch is read, and left out if it was deleted before.
        """

    async def instance(self, scope: Scope) -> StoredInstance | None:
        """One instance; the hot path of frames and single retrieves."""

    def peek_instance(self, scope: Scope) -> StoredInstance | None:
        """The same without waiting: None where it is not at hand, which says nothing about whether it is stored."""

    def instances(self, scope: Scope) -> AsyncIterator[Sequence[StoredInstance]]:
        """All instances below a scope in batches, by series number, instance number, UID; nothing if unknown."""

    def metadata(self, scope: Scope) -> AsyncIterator[Sequence[bytes]]:
        """`ParsedInstance.metadata` of all instances below a scope, in the order of `instances`, in batches.

        Empty for an instance whose stored metadata is damaged.
        """

    async def revision(self, scope: Scope) -> str | None:
        """A token that changes whenever anything below the scope changes (for ETag); None if unknown."""

    async def delete(self, scope: Scope) -> int:
        """Remove a scope's rows (and parents left empty); blobs become garbage. Returns how many instances went."""

    async def forget_absent(self, study_uid: str) -> None:
        """What none of a study's instances says any more goes from what is found of study, series and patient."""

    async def garbage(self, limit: int, before: float) -> list[str]:
        """Keys of blobs whose rows went before a time (seconds of the epoch), for the sweep."""

    async def forget_garbage(self, keys: Sequence[str]) -> None:
        """These garbage blobs are removed."""

    async def counts(self) -> Mapping[str, int]:
        """patients, studies, series, instances, bytes."""

    async def known_keys(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that an instance or attachment refers to, or that are garbage waiting for the sweep."""

    async def close(self) -> None:
        """Finish what is queued and close."""


class IndexUpkeep(Protocol):
    """What the upkeep of a store needs of its index, beside `Index`."""

    async def by_key(self, after: str, limit: int) -> list[StoredInstance]:
        """Instances in the order of their blobs' keys, those after a key; metadata and frames are not checked."""

    async def drop(self, keys: Sequence[str]) -> int:
        """Remove the instances whose blobs these were, because the blobs are lost. Returns how many went."""

    async def refresh(self, read: Sequence[tuple[StoredInstance, ParsedInstance]]) -> int:
        """Write the rows of instances anew from what was read of their files; how many are still there."""

    async def recount(self) -> list[str]:
        """What is wrong in the rows themselves: counters, parents without children, children without parents."""

    async def repair_counts(self) -> None:
        """Put right what `recount` finds."""


LEVEL_OF_SCOPE = (Level.STUDY, Level.SERIES, Level.INSTANCE)
