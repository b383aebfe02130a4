"""Tells peers what became of their storage commitment requests: on their association, else on one of ours, again."""

import asyncio
import logging
from collections.abc import Sequence

from dicomweb_server.dimse.commitment import PUSH_MODEL_INSTANCE, CommitmentReport, CommitmentRequest
from dicomweb_server.dimse.contexts import STORAGE_COMMITMENT
from dicomweb_server.dimse.ending import AssociationLostError, AssociationRefusedError
from dicomweb_server.dimse.exchange import Exchange
from dicomweb_server.dimse.items import RoleSelection
from dicomweb_server.dimse.message import Command, CommandField
from dicomweb_server.dimse.negotiation import Context
from dicomweb_server.dimse.options import DimseOptions, Modality
from dicomweb_server.dimse.scu import IDENTIFIER_SYNTAXES, ServiceUser
from dicomweb_server.errors import ServerError
from dicomweb_server.services import Services
from dicomweb_server.services.commitment import refused

logger = logging.getLogger("dicomweb_server.dimse")
WAITS: Sequence[float] = (5, 15, 60, 300, 900, 3600)  # seconds between attempts, then it is given up


class Reports:
    """The requests that are not yet answered; lost with the process."""

    def __init__(self, services: Services, options: DimseOptions, user: ServiceUser) -> None:
        self._user = user
        self._services = services
        self._options = options
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, request: CommitmentRequest, exchange: Exchange, context: Context, calling_ae_title: str) -> None:
        """Verify and report, in the background."""
        task = asyncio.create_task(self._report(request, exchange, context, calling_ae_title))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Give up what is not delivered."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _report(
        self, request: CommitmentRequest, exchange: Exchange, context: Context, calling_ae_title: str
    ) -> None:
        names = {"transaction": request.transaction_uid, "peer": calling_ae_title}
        try:
            reasons = await refused(request.references, self._services)
        except ServerError as error:
            logger.error("storage commitment failed", extra=names | {"detail": error.detail})
            return
        report = CommitmentReport(request, reasons, self._options.ae_title)
        delivered = await self._deliver(report, exchange, context, calling_ae_title)
        failed = sum(reason is not None for reason in reasons)
        level = logging.INFO if delivered and not failed else logging.WARNING
        fields: dict[str, object] = {"instances": len(reasons), "failed": failed, "delivered": delivered}
        logger.log(level, "storage commitment", extra={**names, **fields})

    async def _deliver(
        self, report: CommitmentReport, exchange: Exchange, context: Context, calling_ae_title: str
    ) -> bool:
        if await self._told(report, exchange, context):
            return True
        modalities = self._options.modalities.values()
        modality = next((each for each in modalities if each.ae_title == calling_ae_title), None)
        if modality is None:
            return False
        for wait in (0.0, *WAITS):
            await asyncio.sleep(wait)
            if await self._told_anew(report, modality):
                return True
        return False

    async def _told(self, report: CommitmentReport, exchange: Exchange, context: Context) -> bool:
        command = Command(
            field=CommandField.N_EVENT_REPORT_RQ,
            has_dataset=True,
            affected_sop_class_uid=STORAGE_COMMITMENT,
            affected_sop_instance_uid=PUSH_MODEL_INSTANCE,
            message_id=exchange.next_message_id(),
            event_type_id=report.event_type_id,
        )
        pieces = [report.dataset(context.transfer_syntax)]
        try:
            async with exchange.slots:
                seconds = self._options.timeouts.response
                answer = await exchange.request(context.context_id, command, pieces, seconds)
        except AssociationLostError:
            return False
        return answer.command.status == 0

    async def _told_anew(self, report: CommitmentReport, modality: Modality) -> bool:
        """On an association of ours, in which we have the role of SCP (PS3.4 §J.3.3)."""
        role = RoleSelection(STORAGE_COMMITMENT, scu=False, scp=True)
        try:
            association = await self._user.associate(modality, [(STORAGE_COMMITMENT, IDENTIFIER_SYNTAXES)], (role,))
        except AssociationRefusedError as error:
            logger.warning("no association", extra={"peer": modality.ae_title, "detail": str(error)})
            return False
        try:
            told = bool(association.contexts) and await self._told(
                report, association.exchange, association.contexts[0]
            )
        except BaseException:
            await association.abort("the report was given up")
            raise
        await association.release()
        return told
