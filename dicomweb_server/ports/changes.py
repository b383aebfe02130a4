"""ChangeLog: what happened to the store, in order and without gaps; the port that readers with cursors follow."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from dicomweb_server.dicom.attributes import Level


class ChangeKind(IntEnum):
    """What happened to a resource."""

    ADDED = 0
    REPLACED = 1  # other bytes under the same UID
    DELETED = 2
    STABLE = 3  # nothing was added to it for a while
    METADATA = 4  # what clients noted of it was changed
    ATTACHMENT = 5


@dataclass(frozen=True, slots=True)
class Change:
    """One entry. UIDs down to its level; `patient_identity` is the Patient ID, or U+001F and the name without one."""

    sequence: int
    kind: ChangeKind
    level: Level
    patient_identity: str
    study_uid: str | None
    series_uid: str | None
    instance_uid: str | None
    time: float  # seconds of the epoch


@dataclass(frozen=True, slots=True)
class ChangeFilter:
    """Which entries: after `since`, not after `to`; of these pairs of kind and level, or of all.

    Those of resources that are gone are left out, and those of deletions. `last`: the last so many, not the first.
    """

    since: int = 0
    to: int | None = None
    kinds: tuple[tuple[ChangeKind, Level], ...] = ()
    last: bool = False


class ChangeLog(Protocol):
    """Entries are written with what they tell about."""

    async def shown_changes(self, asked: ChangeFilter, limit: int) -> Sequence[Change]:
        """Entries as clients see them, oldest first, without those that were hidden."""

    async def hide_changes(self) -> None:
        """Clients see no entry that is there now."""

    async def announce_stable(self, before: float) -> int:
        """Log that those are stable to which nothing was added since a time; how many."""

    async def changes(self, after: int, limit: int) -> Sequence[Change]:
        """The entries after a sequence number, oldest first."""

    async def last_change(self) -> int:
        """The highest sequence number; 0 if nothing has happened yet."""
