"""ChangeService: what happened, as clients are told; and the judgement when a resource is stable."""

import asyncio
import logging
import time
from collections.abc import Sequence

from dicomweb_server.errors import ServerError
from dicomweb_server.ports.changes import Change, ChangeFilter, ChangeKind, ChangeLog

__all__ = ["Change", "ChangeFilter", "ChangeKind", "ChangeService"]

_log = logging.getLogger(__name__)
_INTERVAL = 1.0


class ChangeService:
    """Reads the log, and adds to it that nothing more has come."""

    def __init__(self, changes: ChangeLog, *, stable_age: float = 60.0) -> None:
        """`stable_age`: seconds without anything new after which a patient, study or series is stable."""
        self._changes = changes
        self._stable_age = stable_age

    async def shown(self, asked: ChangeFilter, limit: int) -> Sequence[Change]:
        """Entries, oldest first."""
        return await self._changes.shown_changes(asked, limit)

    async def last(self) -> int:
        """The number of the last entry, whether it is shown or not."""
        return await self._changes.last_change()

    async def hide(self) -> None:
        """Show no entry that is there now."""
        await self._changes.hide_changes()

    async def judge(self) -> int:
        """Note who is stable by now; how many."""
        return await self._changes.announce_stable(time.time() - self._stable_age)

    async def judge_forever(self, interval: float = _INTERVAL) -> None:
        """Now and then; for a background task, ended by its cancellation."""
        while True:
            try:
                await self.judge()
            except ServerError as error:  # tried again at the next turn
                _log.warning("it could not be noted what is stable: %s", error.detail)
            await asyncio.sleep(interval)
