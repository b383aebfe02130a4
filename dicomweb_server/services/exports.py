"""ExportService: notes what jobs sent to other servers, where that is wanted."""

from collections.abc import Iterable, Sequence
from typing import Any

from dicomweb_server.ports.exports import Export, Exported, ExportLog
from dicomweb_server.services.resources import Resource

__all__ = ["Export", "ExportService", "Exported", "written_exports"]


class ExportService:
    """The log; `is_kept`: whether anything is added to it."""

    def __init__(self, log: ExportLog, *, is_kept: bool = False) -> None:
        self._log = log
        self._is_kept = is_kept

    async def note(self, remote: str, written: Sequence[Sequence[Any]]) -> None:
        """What the parameters of a job name was sent."""
        if self._is_kept and written:
            await self._log.add_exports(
                remote,
                [Exported(level, public_id, patient_id, tuple(uids)) for level, public_id, patient_id, uids in written],
            )

    async def page(self, after: int, limit: int) -> Sequence[Export]:
        """Entries after a number, in their order."""
        return await self._log.exports(after, limit)

    async def last(self) -> int:
        """The highest number; 0 if there is none."""
        return await self._log.last_export()

    async def clear(self) -> None:
        """Forget all."""
        await self._log.clear_exports()


def written_exports(resources: Iterable[Resource]) -> list[list[Any]]:
    """Resources as the parameters of a job have them for `ExportService.note`."""
    return [
        [
            int(each.level),
            each.id,
            "" if each.identity.startswith("\x1f") else each.identity,
            [each.study_uid, each.series_uid, each.instance_uid][: each.level],
        ]
        for each in resources
    ]
