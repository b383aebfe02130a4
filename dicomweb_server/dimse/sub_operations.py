"""The C-STORE sub-operations of C-MOVE and C-GET: several under way, counted, stored bytes sent as they are."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from dicomweb_server.dicom.part10 import read_file_meta
from dicomweb_server.dimse.ending import AssociationLostError
from dicomweb_server.dimse.exchange import Exchange, Pieces
from dicomweb_server.dimse.limits import Pace
from dicomweb_server.dimse.message import Command, CommandField
from dicomweb_server.dimse.negotiation import Context
from dicomweb_server.dimse.outgoing import bare_context, chosen_context
from dicomweb_server.dimse.status import Status
from dicomweb_server.errors import ServerError
from dicomweb_server.services import Services
from dicomweb_server.services.contents import WHOLE_SIZE, Content
from dicomweb_server.services.modalities import Originator, Transfer
from dicomweb_server.services.sendable import ExtractedInstance, NonPatientReference, Sendable

__all__ = ["Originator", "Sender", "SubOperations", "Tally"]

logger = logging.getLogger("dicomweb_server.dimse")
_HEAD = 1 << 20  # file meta information is far smaller


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of one sub-operation. `outcome`: as `status.Status.outcome` has them; `why`: it failed."""

    instance_uid: str
    outcome: str
    why: str = ""


@dataclass(slots=True)
class Tally:
    """The counters of PS3.4 §C.4.2.1.6 and §C.4.3.1.4; their sum never changes."""

    remaining: int
    completed: int = 0
    failed: int = 0
    warning: int = 0
    failures: dict[str, str] = field(default_factory=dict)  # why, by SOP Instance UID

    def elements(self) -> dict[str, object]:
        """As elements of a command set."""
        return {
            "remaining": self.remaining,
            "completed": self.completed,
            "failed": self.failed,
            "warning": self.warning,
        }

    @property
    def transfer(self) -> Transfer:
        """As others are told."""
        return Transfer(self.completed, self.warning, self.failed, dict(self.failures), self.remaining)

    def count(self, ended: Ended) -> None:
        """One sub-operation has ended."""
        self.remaining -= 1
        if ended.outcome == "success":
            self.completed += 1
        elif ended.outcome == "warning":
            self.warning += 1
        else:
            self.failed += 1
            self.failures[ended.instance_uid] = ended.why


class Sender:
    """Sends instances on one association."""

    def __init__(
        self,
        exchange: Exchange,
        contexts: Sequence[Context],
        services: Services,
        seconds: float,
        originator: Originator | None = None,
        *,
        transcoding: bool = True,
        bulk_data: bool = True,
        pace: Pace | None = None,
    ) -> None:
        """`contexts`: those in which we may send; `seconds`: to wait for each response.

        `bulk_data`: False leaves out pixels and the like (PS3.4 annex Z).
        """
        self._pace = pace
        self._transcoding = transcoding
        self._bulk_data = bulk_data
        self._exchange = exchange
        self._services = services
        self._seconds = seconds
        self._originator = originator
        self.may_be_stale = False  # the association was kept, and nothing has been answered on it since
        self._contexts: dict[str, list[Context]] = {}
        for context in contexts:
            self._contexts.setdefault(context.abstract_syntax, []).append(context)

    async def send(self, instance: Sendable, cancelled: Callable[[], bool]) -> Ended | None:
        """Send one instance; None if cancelled before."""
        contexts = self._contexts.get(instance.sop_class_uid, ())
        if self._bulk_data:
            context = chosen_context(instance, contexts, transcoding=self._transcoding)
        else:
            context = bare_context(instance, contexts)
        if context is None:
            return self._failed(instance, "no context was accepted that it can be sent in")
        try:
            # Before it is this one's turn: the next is read while the one before it is being answered.
            pieces = await self._pieces(instance, context.transfer_syntax)
            outgoing = self._exchange.outgoing(context.context_id, self._command(instance), pieces)
            async with self._exchange.turn() as turn:
                if cancelled():
                    return None
                if self._pace is not None and isinstance(pieces, Sequence):
                    await self._pace.take(sum(map(len, pieces)))
                message = await self._exchange.request(outgoing, self._seconds, turn)
                self.may_be_stale = False
        except ServerError as error:  # its blob is damaged, or it cannot be re-encoded
            return self._failed(instance, error.detail)
        status = Status(message.command.status or 0, message.command.error_comment or "")
        if status.outcome == "failure":  # the comment is the peer's, and may name a patient: not for the log
            return self._failed(instance, f"status {status.code:04X}H", status.detail)
        return Ended(instance.instance_uid, status.outcome)

    def _failed(self, instance: Sendable, detail: str, comment: str = "") -> Ended:
        names = {"address": self._exchange.connection.address, "sop_instance": instance.instance_uid}
        logger.warning("instance not sent", extra=names | {"detail": detail[:200]})
        return Ended(instance.instance_uid, "failure", f"{detail} {comment}".rstrip())

    def _command(self, instance: Sendable) -> Command:
        originator = self._originator
        return Command(
            field=CommandField.C_STORE_RQ,
            has_dataset=True,
            affected_sop_class_uid=instance.sop_class_uid,
            affected_sop_instance_uid=instance.instance_uid,
            message_id=self._exchange.next_message_id(),
            priority=0,
            move_originator_ae_title=originator.ae_title if originator is not None else None,
            move_originator_message_id=originator.message_id if originator is not None else None,
        )

    async def _pieces(self, instance: Sendable, transfer_syntax_uid: str) -> Pieces:
        retrieve = self._services.retrieve
        if isinstance(instance, NonPatientReference):
            file = await self._services.non_patient.sent_file(instance, transfer_syntax_uid)
            return [memoryview(file)[read_file_meta(file)[1] :]]
        if isinstance(instance, ExtractedInstance):
            return await self._read(await self._services.extraction.data_set(instance, transfer_syntax_uid))
        if not self._bulk_data:
            return await retrieve.without_bulk_data(instance)
        content = self._services.transcoding.file(instance, transfer_syntax_uid)
        content = await retrieve.contents.settled(content)
        if content.size <= WHOLE_SIZE:
            data = await retrieve.contents.read(content)
            return [memoryview(data)[read_file_meta(data)[1] :]]
        head = await retrieve.contents.read(content.part(0, _HEAD))
        start = read_file_meta(head)[1]
        return await self._read(content.part(start, content.size - start))

    async def _read(self, content: Content) -> Pieces:
        if content.size <= WHOLE_SIZE:
            return [await self._services.retrieve.contents.read(content)]
        stream = self._stream(content)
        return stream if self._pace is None else self._pace.paced(stream)

    def _stream(self, content: Content) -> AsyncIterator[bytes | memoryview]:
        return self._services.retrieve.contents.stream(content)


class SubOperations:
    """The sub-operations of one request. `cancelled`: asked before each; `told`: after each."""

    def __init__(
        self, instances: Sequence[Sendable], cancelled: Callable[[], bool], told: Callable[[Tally], None]
    ) -> None:
        self.instances = instances
        self.tally = Tally(len(instances))
        self.cancelled = cancelled
        self._told = told

    async def run(self, sender: Sender, queue: deque[Sendable], at_once: int) -> None:
        """Send what is in the queue, until it is empty, the request is cancelled, or the association is lost."""
        workers = [asyncio.create_task(self._work(sender, queue)) for _ in range(at_once)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()

    def fail(self, queue: deque[Sendable], why: str) -> None:
        """What is in the queue cannot be sent."""
        while queue:
            self.tally.count(Ended(queue.popleft().instance_uid, "failure", why))

    async def _work(self, sender: Sender, queue: deque[Sendable]) -> None:
        while queue and not self.cancelled():
            instance = queue.popleft()
            try:
                ended = await sender.send(instance, self.cancelled)
            except AssociationLostError as error:
                if sender.may_be_stale:  # the peer had ended it before: storing twice does no harm
                    queue.appendleft(instance)
                    return
                self.tally.count(Ended(instance.instance_uid, "failure", str(error)))
                return
            if ended is None:
                return
            self.tally.count(ended)
            self._told(self.tally)
