"""ExportLog: what was sent to other servers, and when; a log that users may clear."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Exported:
    """A resource that was sent. `uids`: of its study, series and instance, as far as its level goes."""

    level: int  # of `attributes.Level`
    public_id: str
    patient_id: str
    uids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Export:
    """One entry of the log. `remote`: the name of whom it was sent to; `time`: seconds of the epoch."""

    sequence: int
    time: float
    remote: str
    exported: Exported


class ExportLog(Protocol):
    """Entries have growing numbers, which are not used again after `clear`."""

    async def add_exports(self, remote: str, exported: Sequence[Exported]) -> None:
        """Note what was sent just now; durable when it returns."""

    async def exports(self, after: int, limit: int) -> Sequence[Export]:
        """Entries after a number, in their order."""

    async def last_export(self) -> int:
        """The highest number; 0 if there is none."""

    async def clear_exports(self) -> None:
        """Forget all entries."""
