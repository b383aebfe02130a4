"""Tells nodes what they subscribed to (PS3.4 §CC.2.4): on an association of theirs, else on one of ours."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from dicomweb_server.dicom.workitem_events import WorkitemEvent
from dicomweb_server.dimse.admission import with_title
from dicomweb_server.dimse.answers import attribute_list
from dicomweb_server.dimse.contexts import UPS_EVENT, UPS_PUSH
from dicomweb_server.dimse.ending import AssociationLostError, AssociationRefusedError, ContextRefusedError
from dicomweb_server.dimse.exchange import Exchange
from dicomweb_server.dimse.items import RoleSelection
from dicomweb_server.dimse.message import Command, CommandField
from dicomweb_server.dimse.negotiation import Context
from dicomweb_server.dimse.options import DimseOptions
from dicomweb_server.dimse.scu import IDENTIFIER_SYNTAXES, ServiceUser
from dicomweb_server.errors import ServerError
from dicomweb_server.services.workitems import WorkitemService

logger = logging.getLogger("dicomweb_server.dimse")
_STOPPING = 1.0  # seconds in which what is on its way may arrive
_MOST_PENDING = 10_000  # reports for one node; what is older is dropped
Way = tuple[Exchange, Context]
FindWay = Callable[[str], Way | None]
"""AE title → an association of theirs on which they take event reports."""


class WorkitemReports:
    """Takes events from the queue of the service and sends each node its own, in their order, once (§CC.2.4.3)."""

    def __init__(self, workitems: WorkitemService, options: DimseOptions, user: ServiceUser, find_way: FindWay) -> None:
        self._workitems = workitems
        self._options = options
        self._user = user
        self._find_way = find_way
        self._pending: dict[str, deque[WorkitemEvent]] = {}
        self._taking: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin, and tell all who are subscribed that the server is there again."""
        self._taking = asyncio.create_task(self._take(), name="workitem-reports")

    async def stop(self) -> None:
        """What is not sent soon is lost."""
        if self._taking is not None:
            self._taking.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_STOPPING)
        for task in list(self._tasks):
            task.cancel()
        ending = [*self._tasks, *([self._taking] if self._taking is not None else ())]
        await asyncio.gather(*ending, return_exceptions=True)

    def is_reachable(self, ae_title: str) -> bool:
        """Whether a node can be told anything."""
        return bool(with_title(ae_title, self._options)) or self._find_way(ae_title) is not None

    async def _take(self) -> None:
        queue = self._workitems.events.listen("dimse")
        try:
            await self._workitems.announce("RESTARTED")
        except ServerError as error:
            logger.warning("subscribers were not told of the start", extra={"detail": error.detail})
        while True:
            report = await queue.get()
            ae_title = report.subscriber.ae_title
            pending = self._pending.get(ae_title)
            if pending is None:
                pending = self._pending[ae_title] = deque(maxlen=_MOST_PENDING)
                task = asyncio.create_task(self._tell(ae_title, pending))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            pending.append(report.event)

    async def _tell(self, ae_title: str, pending: deque[WorkitemEvent]) -> None:
        """Send a node what is pending; what it does not take is dropped."""
        try:
            while pending:  # more may come while an association is released
                way = self._find_way(ae_title)
                if way is None or not await self._sent(pending, *way):
                    await self._sent_anew(ae_title, pending)
        except (AssociationRefusedError, AssociationLostError, ContextRefusedError) as error:
            extra = {"peer": ae_title, "reports": len(pending), "detail": str(error)}
            logger.warning("event reports were dropped", extra=extra)
        finally:
            del self._pending[ae_title]

    async def _sent_anew(self, ae_title: str, pending: deque[WorkitemEvent]) -> None:
        modality = next(iter(with_title(ae_title, self._options).values()), None)
        if modality is None:
            raise AssociationRefusedError("the node is not known")
        # We are the SCP although we request the association (PS3.7 §D.3.3.4).
        role = RoleSelection(UPS_EVENT, scu=False, scp=True)
        association = await self._user.associate(modality, [(UPS_EVENT, IDENTIFIER_SYNTAXES)], (role,))
        try:
            if not await self._sent(pending, association.exchange, association.context(UPS_EVENT)):
                raise AssociationLostError("the association was lost")
        except BaseException:
            await association.abort("the event reports were given up")
            raise
        await association.release()

    async def _sent(self, pending: deque[WorkitemEvent], exchange: Exchange, context: Context) -> bool:
        """Send all; False if the association was lost before its end."""
        while pending:
            try:
                event = pending[0]
                await self._send(event, exchange, context)
            except AssociationLostError:
                return False
            if pending[0] is event:  # not dropped meanwhile, for too many came
                pending.popleft()
        return True

    async def _send(self, event: WorkitemEvent, exchange: Exchange, context: Context) -> None:
        command = Command(
            field=CommandField.N_EVENT_REPORT_RQ,
            has_dataset=True,
            affected_sop_class_uid=UPS_PUSH,
            affected_sop_instance_uid=event.workitem_uid,
            message_id=exchange.next_message_id(),
            event_type_id=event.kind,
        )
        outgoing = exchange.outgoing(
            context.context_id, command, [attribute_list(event.document, context.transfer_syntax)]
        )
        async with exchange.turn() as turn:
            answer = await exchange.request(outgoing, self._options.timeouts.response, turn)
        if answer.command.status:
            logger.warning(
                "an event report was refused",
                extra={"workitem": event.workitem_uid, "status": f"{answer.command.status:04X}H"},
            )
