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


class ChangeLog(Protocol):
    """Reading only: entries are written with what they tell about."""

    async def changes(self, after: int, limit: int) -> Sequence[Change]:
        """The entries after a sequence number, oldest first."""

    async def last_change(self) -> int:
        """The highest sequence number; 0 if nothing has happened yet."""
