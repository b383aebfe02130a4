"""WorkitemTidying: cancels the workitems that have expired, and removes those that ended long ago."""

import asyncio
import logging
import time

from dicomweb_server.dicom.comparable import comparable
from dicomweb_server.dicom.workitem import CANCELLATION_REASON, State
from dicomweb_server.errors import ServerError
from dicomweb_server.ports.workitems import Workitem, Workitems
from dicomweb_server.services.workitem_events import EventQueue
from dicomweb_server.services.workitems import canceled, canceled_events, dicom_now

_logger = logging.getLogger("dicomweb_server.workitems")
_EXPIRED = {CANCELLATION_REASON: {"vr": "LT", "Value": ["Expired"]}}
_INTERVAL = 60.0  # seconds between two looks for those that are to go


class WorkitemTidying:
    """`keep`: seconds that a workitem outlives its end by, 0 is for ever."""

    def __init__(self, workitems: Workitems, events: EventQueue, keep: float = 604800.0) -> None:
        """`events`: by which subscribers are told."""
        self._workitems = workitems
        self._events = events
        self._keep = keep

    async def cancel_expired(self) -> int:
        """Cancel what nobody has begun before its Scheduled Procedure Step Expiration DateTime; how many."""
        now, count = dicom_now(), 0

        def changed(found: Workitem) -> Workitem:
            return canceled(found, _EXPIRED, now) if found.state is State.SCHEDULED else found

        for uid, moment in await self._workitems.expirations():
            if not "" < comparable("DT", moment) < comparable("DT", now):
                continue
            done = await self._workitems.change_workitem(uid, changed)
            if done is not None and done.before.state is State.SCHEDULED:
                self._events.put(canceled_events(done), done.subscribers)
                count += 1
        return count

    async def tidy(self) -> int:
        """Remove the workitems that ended long ago and that nobody holds; how many."""
        return await self._workitems.remove_ended(time.time() - self._keep) if self._keep else 0

    async def tidy_forever(self) -> None:
        """Do both now and then."""
        while True:
            await asyncio.sleep(_INTERVAL)
            try:
                count, removed = await self.cancel_expired(), await self.tidy()
            except ServerError as error:  # the next time may go better
                _logger.warning("workitems could not be tidied", extra={"detail": error.detail})
                continue
            if count or removed:
                _logger.info("workitems were tidied", extra={"canceled": count, "removed": removed})
