"""CommitmentRequestService: requests to answer for instances whose answer is fetched (PS3.18 chapter 13)."""

import asyncio
import logging
import time
from collections.abc import Sequence

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.commitment import CommitmentRequests, Judged, KeptRequest, Wanted
from dicomweb_server.ports.peers import Reference
from dicomweb_server.services.admission import without_message
from dicomweb_server.services.verification import VerificationService, failure_reason

__all__ = ["CommitmentRequestService", "Judged", "Reference", "Wanted"]

_logger = logging.getLogger("dicomweb_server.commitment")
_VERIFIED_AT_ONCE = 2  # each reads as fast as the disk can
_MOST_WAITING = 100


class CommitmentRequestService:
    """Takes requests, answers them, and remembers both over restarts."""

    def __init__(self, table: CommitmentRequests, verification: VerificationService, wait: float = 5.0) -> None:
        """`wait`: seconds for which who asks waits for the answer."""
        self._table = table
        self._verification = verification
        self._wait = wait
        self._turns = asyncio.Semaphore(_VERIFIED_AT_ONCE)
        self._tasks: set[asyncio.Task[Sequence[Judged]]] = set()

    async def take(self, transaction_uid: str, wanted: Sequence[Wanted]) -> Sequence[Judged] | None:
        """Take a request on; what we say, or None if that takes longer. ServerError: CONFLICT, BUSY."""
        if len(self._tasks) >= _MOST_WAITING:
            raise ServerError(Reason.BUSY, "too many requests for storage commitment are not answered yet")
        request = KeptRequest(transaction_uid, tuple(wanted), time.time())
        if not await self._table.add_request(request):
            raise ServerError(Reason.CONFLICT, "the transaction UID is in use")
        task = self._begin(request)
        done, _ = await asyncio.wait({task}, timeout=self._wait)
        return task.result() if done else None

    async def answer(self, transaction_uid: str) -> Sequence[Judged] | None:
        """What we said; None if we have not yet. ServerError: NOT_FOUND, GONE."""
        kept = await self._table.request(transaction_uid)
        if kept is None:
            raise ServerError(Reason.NOT_FOUND, "there is no transaction of storage commitment of this UID")
        if kept.is_forgotten:
            raise ServerError(Reason.GONE, "the answer was given too long ago to be remembered")
        return kept.judged

    async def note(self, transaction_uid: str, judged: Sequence[Judged]) -> None:
        """Remember what was said by DIMSE."""
        await self._table.note_answered(transaction_uid, judged)

    async def answer_forever(self) -> None:
        """Go on with what was not answered when the server stopped; leave the rest to the next start when cancelled."""
        try:
            for request in await self._table.unanswered():
                self._begin(request)
            await asyncio.Event().wait()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Leave what is not answered to the next start."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, request: KeptRequest) -> asyncio.Task[Sequence[Judged]]:
        task = asyncio.create_task(self._answered(request))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Sequence[Judged]]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:  # perhaps nobody waits for it any more
            _logger.error("a storage commitment was not answered: %s", without_message(error))

    async def _answered(self, request: KeptRequest) -> Sequence[Judged]:
        async with self._turns:
            try:
                judged: Sequence[Judged] = await self._verification.judged(request.wanted)
            except ServerError as error:
                judged = [Judged(each, failure_reason(error.reason)) for each in request.wanted]
        await self._table.answer_request(request.transaction_uid, judged)
        failed = sum(each.failure != 0 for each in judged)
        fields = {"transaction": request.transaction_uid, "instances": len(judged), "failed": failed}
        _logger.log(logging.WARNING if failed else logging.INFO, "storage commitment", extra=fields)
        return judged
