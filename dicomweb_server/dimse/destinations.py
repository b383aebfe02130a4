"""Sends instances to a modality, for C-MOVE and for ourselves: on associations with the contexts that they need."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dicomweb_server.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from dicomweb_server.dimse.ending import AssociationLostError
from dicomweb_server.dimse.items import MOST_CONTEXTS
from dicomweb_server.dimse.negotiation import NATIVE
from dicomweb_server.dimse.options import Modality
from dicomweb_server.dimse.scu import RequestedAssociation, ServiceUser
from dicomweb_server.dimse.sub_operations import Originator, Sender, SubOperations
from dicomweb_server.services.retrieve import StoredInstance

logger = logging.getLogger("dicomweb_server.dimse")
Proposals = dict[tuple[str, tuple[str, ...]], None]  # in their order, each once


@dataclass(frozen=True, slots=True)
class Destination:
    """Where instances go. `originator`: of a C-MOVE."""

    modality: Modality
    originator: Originator | None
    user: ServiceUser

    async def send(self, operations: SubOperations) -> None:
        """Run the sub-operations; those for which the destination is not there count as failed."""
        for proposals, instances in _batches(operations.instances):
            if operations.cancelled():
                return
            queue = deque(instances)
            await self._send_batch(operations, list(proposals), queue)
            if not operations.cancelled():
                operations.fail(queue)

    async def _send_batch(
        self, operations: SubOperations, proposals: Sequence[tuple[str, tuple[str, ...]]], queue: deque[StoredInstance]
    ) -> None:
        opening = {
            asyncio.create_task(self.user.associate(self.modality, proposals))
            for _ in range(self.modality.associations)
        }
        sending: set[asyncio.Task[None]] = set()
        try:
            while (opening and queue) or sending:
                await asyncio.wait(opening | sending, return_when=asyncio.FIRST_COMPLETED)
                for opened in [task for task in opening if task.done()]:
                    opening.discard(opened)
                    association = self._opened(opened)
                    if association is not None:
                        sending.add(asyncio.create_task(self._send_on(association, operations, queue)))
                for ended in [task for task in sending if task.done()]:
                    sending.discard(ended)
                    ended.result()
        finally:
            for task in opening | sending:
                task.cancel()
            await asyncio.gather(*opening, *sending, return_exceptions=True)

    def _opened(self, task: asyncio.Task[RequestedAssociation]) -> RequestedAssociation | None:
        try:
            return task.result()
        except AssociationLostError as error:
            logger.warning("no association", extra={"peer": self.modality.ae_title, "detail": str(error)})
            return None

    async def _send_on(
        self, association: RequestedAssociation, operations: SubOperations, queue: deque[StoredInstance]
    ) -> None:
        seconds = self.user.options.timeouts.response
        sender = Sender(association.exchange, association.contexts, self.user.services, seconds, self.originator)
        try:
            # One more than may be outstanding: it reads what comes next meanwhile.
            await operations.run(sender, queue, association.outstanding + 1)
        except BaseException:
            await association.abort("the sub-operations were given up")
            raise
        await association.release()


def _batches(instances: Sequence[StoredInstance]) -> Iterator[tuple[Proposals, list[StoredInstance]]]:
    """The instances in their order, cut where an association would need more contexts than it can have."""
    proposals: Proposals = {}
    batch: list[StoredInstance] = []
    for instance in instances:
        more = proposals | dict.fromkeys(_proposals(instance))
        if len(more) > MOST_CONTEXTS:
            yield proposals, batch
            more, batch = dict.fromkeys(_proposals(instance)), []
        proposals = more
        batch.append(instance)
    if batch:
        yield proposals, batch


def _proposals(instance: StoredInstance) -> Iterator[tuple[str, tuple[str, ...]]]:
    """As it is stored; and what a native encoding can be re-encoded to, in a context of its own: the peer chooses."""
    yield instance.sop_class_uid, (instance.transfer_syntax_uid,)
    if instance.transfer_syntax_uid in NATIVE:
        yield instance.sop_class_uid, (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
