"""Tells peers what became of their storage commitment requests: on their association, else on one of ours, again."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any

from dicomweb_server.dimse.admission import with_title
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
from dicomweb_server.services.commitment import OwedReport
from dicomweb_server.services.commitment_requests import Wanted

logger = logging.getLogger("dicomweb_server.dimse")
WAITS: Sequence[float] = (0, 5, 15, 60, 300, 900, *[3600] * 24)  # seconds before each attempt, then it is given up


class Reports:
    """The requests that are not yet answered; kept over restarts."""

    def __init__(self, services: Services, options: DimseOptions, user: ServiceUser) -> None:
        self._user = user
        self._services = services
        self._options = options
        self._tasks: set[asyncio.Task[None]] = set()

    async def resume(self) -> None:
        """Go on with what was not delivered when the server stopped."""
        for owed in await self._services.commitments.table.owed():
            self._begin(self._report(owed, None, None))

    async def take(self, request: CommitmentRequest, calling_ae_title: str, local_ae_title: str) -> OwedReport:
        """Keep a request, so that it will be answered whatever comes."""
        table = self._services.commitments.table
        return await table.add_owed(request.transaction_uid, calling_ae_title, request.references, local_ae_title)

    def begin(self, owed: OwedReport, exchange: Exchange, context: Context) -> None:
        """Verify and report, in the background."""
        self._begin(self._report(owed, exchange, context))

    async def stop(self) -> None:
        """Leave what is not delivered to the next start."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, reporting: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(reporting)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _report(self, owed: OwedReport, exchange: Exchange | None, context: Context | None) -> None:
        names = {"transaction": owed.transaction_uid, "peer": owed.ae_title}
        try:
            judged = await self._services.verification.judged([Wanted(each) for each in owed.references])
            await self._services.commitment_requests.note(owed.transaction_uid, judged)
            failures = [each.failure for each in judged]
            request = CommitmentRequest(owed.transaction_uid, owed.references)
            report = CommitmentReport(request, failures, owed.local_ae_title or self._options.ae_title)
            delivered = exchange is not None and context is not None and await self._told(report, exchange, context)
            delivered = delivered or await self._delivered(report, owed)
            await self._services.commitments.table.remove_owed(owed.number)
        except ServerError as error:
            logger.error("storage commitment failed", extra=names | {"detail": error.detail})
            return
        failed = sum(failure != 0 for failure in failures)
        level = logging.INFO if delivered and not failed else logging.WARNING
        fields: dict[str, object] = {"instances": len(failures), "failed": failed, "delivered": delivered}
        logger.log(level, "storage commitment", extra={**names, **fields})

    async def _delivered(self, report: CommitmentReport, owed: OwedReport) -> bool:
        """On associations of ours, later and later; False if the peer is not known, or it is given up."""
        for attempt in range(owed.attempts, len(WAITS)):
            await asyncio.sleep(WAITS[attempt] if attempt > owed.attempts else 0)
            modality = next(iter(with_title(owed.ae_title, self._options).values()), None)
            if modality is None:
                return False
            modality = replace(modality, local_ae_title=modality.local_ae_title or owed.local_ae_title)
            if await self._told_anew(report, modality):
                return True
            await self._services.commitments.table.note_attempts(owed.number, attempt + 1)
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
        pieces = [await asyncio.to_thread(report.dataset, context.transfer_syntax)]
        try:
            outgoing = exchange.outgoing(context.context_id, command, pieces)
            async with exchange.turn() as turn:
                answer = await exchange.request(outgoing, self._options.timeouts.response, turn)
        except AssociationLostError:
            return False
        return answer.command.status == 0

    async def _told_anew(self, report: CommitmentReport, modality: Modality) -> bool:
        """On an association of ours, in which we have the role of SCP (PS3.4 §J.3.3)."""
        role = RoleSelection(STORAGE_COMMITMENT, scu=False, scp=True)
        try:
            association = await self._user.associate(modality, [(STORAGE_COMMITMENT, IDENTIFIER_SYNTAXES)], (role,))
        except AssociationRefusedError:  # the line of the association in the log says why
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
