"""Sends instances to a modality, for C-MOVE and for ourselves: on associations with the contexts that they need."""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence

from dicomweb_server.dimse.ending import AssociationLostError
from dicomweb_server.dimse.items import MOST_CONTEXTS
from dicomweb_server.dimse.limits import DestinationLimits, Limits
from dicomweb_server.dimse.options import Modality
from dicomweb_server.dimse.outgoing import proposals
from dicomweb_server.dimse.pool import AssociationPool, Proposal
from dicomweb_server.dimse.scu import RequestedAssociation, ServiceUser
from dicomweb_server.dimse.sub_operations import Originator, Sender, SubOperations
from dicomweb_server.services.sendable import Sendable


class Destinations:
    """The ways to all modalities."""

    def __init__(self, user: ServiceUser, pool: AssociationPool) -> None:
        self._user = user
        self._pool = pool
        self.limits = DestinationLimits()

    async def send(self, modality: Modality, operations: SubOperations, originator: Originator | None = None) -> None:
        """Run the sub-operations; those for which the destination is not there count as failed.

        `originator`: of a C-MOVE. Its receiver may wait for the release to know that it has all, so nothing is kept.
        """
        for proposed, instances in _batches(operations.instances, transcoding=modality.transcoding):
            if operations.cancelled():
                return
            queue = deque(instances)
            limits = self.limits.of(modality)
            run = _Batch(self._user, self._pool, modality, operations, originator, proposed, queue, limits)
            while await run.send():
                pass
            if not operations.cancelled():
                operations.fail(queue, run.why)


class _Batch:
    """Instances that go on associations with the same contexts."""

    def __init__(
        self,
        user: ServiceUser,
        pool: AssociationPool,
        modality: Modality,
        operations: SubOperations,
        originator: Originator | None,
        proposed: Sequence[Proposal],
        queue: deque[Sendable],
        limits: Limits,
    ) -> None:
        self._limits = limits
        self._user = user
        self._pool = pool
        self._modality = modality
        self._operations = operations
        self._originator = originator
        self._proposed = proposed
        self._queue = queue
        self._was_stale = False
        self.why = "the association was lost"  # where something is left in the queue

    async def send(self) -> bool:
        """Send what is in the queue; True if it is worth another try, for a kept association was there no more."""
        self._was_stale = False
        opening = {
            asyncio.create_task(self._taken()) for _ in range(min(self._modality.associations, len(self._queue)))
        }
        sending: set[asyncio.Task[None]] = set()
        try:
            while (opening and self._queue) or sending:
                await asyncio.wait(opening | sending, return_when=asyncio.FIRST_COMPLETED)
                for opened in [task for task in opening if task.done()]:
                    opening.discard(opened)
                    association = self._opened(opened)
                    if association is not None:
                        sent = asyncio.create_task(self._send_on(association))
                        sent.add_done_callback(self._let_go)
                        sending.add(sent)
                for ended in [task for task in sending if task.done()]:
                    sending.discard(ended)
                    ended.result()
        finally:
            for task in opening | sending:
                task.cancel()
            await asyncio.gather(*opening, *sending, return_exceptions=True)
        return self._was_stale and bool(self._queue) and not self._operations.cancelled()

    async def _taken(self) -> RequestedAssociation:
        if self._limits.slots is not None:
            await self._limits.slots.acquire()
        try:
            return await self._pool.take(self._modality, self._proposed)
        except BaseException:
            self._let_go()
            raise

    def _let_go(self, _: object = None) -> None:
        if self._limits.slots is not None:
            self._limits.slots.release()

    def _opened(self, task: asyncio.Task[RequestedAssociation]) -> RequestedAssociation | None:
        try:
            return task.result()
        except AssociationLostError as error:
            self.why = str(error)
            return None

    async def _send_on(self, association: RequestedAssociation) -> None:
        seconds = self._user.response_seconds(self._modality)
        sender = Sender(
            association.exchange,
            association.contexts,
            self._user.services,
            seconds,
            self._originator,
            transcoding=self._modality.transcoding,
            pace=self._limits.pace,
        )
        sender.may_be_stale = association.is_reused
        try:
            # One more than may be outstanding: it reads what comes next meanwhile.
            await self._operations.run(sender, self._queue, association.outstanding + 1)
        except BaseException:
            await association.abort("the sub-operations were given up")
            raise
        if association.is_reused and sender.may_be_stale and not association.is_open:
            self._was_stale = True
        if self._originator is None:
            await self._pool.give_back(association)
        else:
            await association.release()


def _batches(instances: Sequence[Sendable], *, transcoding: bool) -> Iterator[tuple[list[Proposal], list[Sendable]]]:
    """The instances in their order, cut where an association would need more contexts than it can have."""
    proposed: dict[Proposal, None] = {}  # in their order, each once
    batch: list[Sendable] = []
    for instance in instances:
        own = dict.fromkeys(proposals(instance, transcoding=transcoding))
        more = proposed | own
        if len(more) > MOST_CONTEXTS:
            yield list(proposed), batch
            more, batch = own, []
        proposed = more
        batch.append(instance)
    if batch:
        yield list(proposed), batch
