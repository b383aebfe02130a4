"""One association at work: receives requests, runs their operations, answers. Knows no single service."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from dicomweb_server.dicom.data_set_json import data_set_json
from dicomweb_server.dicom.origin import Origin
from dicomweb_server.dicom.uids import is_valid_uid
from dicomweb_server.dimse.advance import Advance
from dicomweb_server.dimse.association import Role
from dicomweb_server.dimse.commitment import CommitmentRequest
from dicomweb_server.dimse.connection import Connection
from dicomweb_server.dimse.contexts import may_name
from dicomweb_server.dimse.ending import AssociationLostError
from dicomweb_server.dimse.exchange import Exchange
from dicomweb_server.dimse.limits import DestinationLimits
from dicomweb_server.dimse.message import Command, CommandField, encode_response
from dicomweb_server.dimse.meter import SCP, Meter
from dicomweb_server.dimse.negotiation import Context
from dicomweb_server.dimse.options import DimseOptions, Modality
from dicomweb_server.dimse.status import PROCESSING_FAILURE, SOP_CLASS_NOT_SUPPORTED, UNRECOGNIZED_OPERATION, Status
from dicomweb_server.dimse.streaming import DataStream, Message
from dicomweb_server.dimse.sub_operations import Originator, SubOperations
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services import Services
from dicomweb_server.services.commitment import OwedReport

logger = logging.getLogger("dicomweb_server.dimse")


class ReportQueue(Protocol):
    """Verifies and reports storage commitment in the background."""

    async def take(self, request: CommitmentRequest, calling_ae_title: str, local_ae_title: str) -> OwedReport:
        """Keep a request, so that it will be answered whatever comes; `local_ae_title`: of an entity of ours, or ""."""

    def begin(self, owed: OwedReport, exchange: Exchange, context: Context) -> None:
        """Verify and report."""


class Outbound(Protocol):
    """Sends instances to modalities."""

    @property
    def limits(self) -> DestinationLimits:
        """What they can bear."""

    async def send(self, modality: Modality, operations: SubOperations, originator: Originator | None = None) -> None:
        """Run the sub-operations."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed on at the association's start, and what its operations work with."""

    origin: Origin
    contexts: tuple[Context, ...]
    extended: Mapping[str, bytes]  # SOP class → what its extended negotiation agreed on
    peer_maximum_length: int
    most_operations: int  # that the peer may have outstanding
    own_operations: int  # that we may have outstanding
    options: DimseOptions
    services: Services
    meter: Meter
    reports: ReportQueue | None = None
    destinations: Outbound | None = None
    is_reachable: Callable[[str], bool] = lambda ae_title: False  # whether a node could be told of events


class Operation:
    """One request that is being answered."""

    def __init__(self, session: "Session", message: Message) -> None:
        self.session = session
        self.terms = session.terms
        self.request = message.command
        self.context = message.context
        self.data = message.data
        self.cancelled = False
        self.final: Status | None = None
        self._advance: Advance | None = None
        self._put_off: Callable[[], None] | None = None

    @property
    def dataset(self) -> DataStream:
        """The data set of the request; the dispatcher has seen that there is one."""
        assert self.data is not None
        return self.data

    async def whole_dataset(self, limit: int, name: str) -> bytes:
        """All of it; ServerError(TOO_LARGE) if it has more bytes. `name`: what it is, for the message."""
        data = await self.dataset.whole(limit)
        if data is None:
            raise ServerError(Reason.TOO_LARGE, f"the {name} has more than {limit} bytes")
        return data

    async def document(self, limit: int, name: str) -> dict[str, Any]:
        """The same as DICOM JSON, made beside the event loop: a second is little for some hundred thousand items."""
        data = await self.whole_dataset(limit, name)
        return await asyncio.to_thread(data_set_json, data, self.context.transfer_syntax)

    def in_advance(self, status: Status) -> Callable[[], None] | None:
        """For any thread to call once: sends a final response of this status before `respond` does; None: wait for it.

        Where several operations are under way at a time, the responses of others could be in between.
        """
        if self.terms.most_operations > 1:
            return None
        comment: dict[str, Any] = {"error_comment": status.comment} if status.detail else {}
        command = encode_response(self.request, status.code, **comment)
        self._advance = self.session.exchange.in_advance(self.context.context_id, command)
        return None if self._advance is None else self._advance.send

    def respond(self, status: Status, dataset: bytes | None = None, /, **elements: object) -> None:
        """Send a response, unless that was done in advance; `elements` are further ones of its command set.

        A final one waits for the end of the request, as many peers listen to nobody before they have sent it.
        """
        if self.data is None or self.data.is_whole or status.outcome == "pending":
            self.respond_at_once(status, dataset, **elements)
        else:
            self._put_off = partial(self.respond_at_once, status, dataset, **elements)

    async def end(self) -> None:
        """Send what waits for the end of the request, of which no more is looked at."""
        if self._put_off is not None:
            await self.dataset.pass_by()
            self._put_off()

    def respond_at_once(self, status: Status, dataset: bytes | None = None, /, **elements: object) -> None:
        """The same to a request that may have no end."""
        if self._advance is not None:
            self.session.connection.settle()
            if self._advance.sent:
                self.final = status
                return
        if status.detail:
            elements["error_comment"] = status.comment
        command = encode_response(self.request, status.code, has_dataset=dataset is not None, **elements)
        self.session.exchange.send(self.context.context_id, command, dataset)
        if status.outcome != "pending":
            self.final = status


@dataclass(frozen=True, slots=True)
class Handler:
    """How one kind of request is answered.

    `long`: it takes its time, and can be cancelled meanwhile; `from_scp`: it is the SCP who sends it, not the SCU.
    """

    name: str
    answer: Callable[[Operation], Awaitable[None]]
    serves: Callable[[str], bool]  # abstract syntax → whether requests about it may be of this kind
    needs_dataset: bool = False
    long: bool = False
    from_scp: bool = False


class Session:
    """The receiving end of one association."""

    def __init__(self, connection: Connection, terms: Terms, handlers: Mapping[int, Handler]) -> None:
        self.connection = connection
        self.terms = terms
        self.exchange = Exchange(connection, terms.peer_maximum_length, terms.own_operations, terms.meter)
        connection.deliver_responses(self.exchange.deliver)
        self.outcomes: Counter[str] = Counter()  # operations by name and outcome, for the log
        self.lost: dict[str, str] = {}  # UIDs of the last operation that had no end, likewise
        self._handlers = handlers
        self._operations: dict[int, Operation] = {}  # by message ID
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(max(terms.most_operations, 1))
        self._stopping = False
        self._clock = asyncio.get_running_loop().time

    async def run(self) -> None:
        """Serve until the peer has released the association, or it was lost."""
        try:
            while (message := await self.connection.receive()) is not None:
                if message.command.field == CommandField.C_CANCEL_RQ:
                    self._cancel(message.command)
                else:
                    await self._begin(message)
            self.exchange.close()
            for operation in self._operations.values():
                operation.cancelled = True
            if self._tasks:
                await asyncio.wait(self._tasks)
            self.connection.answer_release()
        finally:
            for task in self._tasks:
                task.cancel()

    def stop(self) -> None:
        """Finish what is being answered, then abort: an acceptor cannot ask for anything better."""
        self._stopping = True
        if not self._operations:
            self.connection.abort("the server stops")

    async def _begin(self, message: Message) -> None:
        handler = self._handlers.get(message.command.field)
        operation = Operation(self, message)
        await self._slots.acquire()
        self._operations[message.command.message_id or 0] = operation  # a C-CANCEL may be right behind
        # Without an agreed window there is one operation at a time: only those that can be cancelled need a task.
        if self.terms.most_operations > 1 or (handler is not None and handler.long):
            task = asyncio.create_task(self._perform(operation, handler))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            await self._perform(operation, handler)

    async def _perform(self, operation: Operation, handler: Handler | None) -> None:
        message_id = operation.request.message_id or 0
        self.connection.begin_operation()
        started = self._clock()
        try:
            await self._answer(operation, handler)
            await operation.end()
            await self.connection.drain()  # a peer that takes no answers gets no more of them
        except AssociationLostError:
            pass  # the association's own line in the log says why
        except Exception:  # the edge: whatever went wrong costs this operation, not the association
            logger.exception("operation failed", extra=self._names(operation))
            self._respond_if_possible(operation)
        finally:
            if operation.data is not None:
                operation.data.drop()
            self._operations.pop(message_id, None)
            self._slots.release()
            self.connection.end_operation()
            self._count(operation, handler, self._clock() - started)
            if self._stopping and not self._operations:
                self.connection.abort("the server stops")

    async def _answer(self, operation: Operation, handler: Handler | None) -> None:
        request, context = operation.request, operation.context
        if handler is None or not handler.serves(context.abstract_syntax):
            operation.respond(UNRECOGNIZED_OPERATION)
        elif not may_name(context.abstract_syntax, request.sop_class_uid) or not self._peer_may(context, handler):
            operation.respond(SOP_CLASS_NOT_SUPPORTED)
        elif handler.needs_dataset and operation.data is None:
            self.connection.abort(f"{handler.name} without a data set")
        else:
            await handler.answer(operation)

    def _peer_may(self, context: Context, handler: Handler) -> bool:
        peer_is_requestor = self.connection.association.role is Role.ACCEPTOR
        # The acceptor is SCP where the requestor is SCU, and the other way round (PS3.7 §D.3.3.4).
        return context.requestor_is_scu if peer_is_requestor is not handler.from_scp else context.requestor_is_scp

    def _respond_if_possible(self, operation: Operation) -> None:
        try:
            operation.respond_at_once(PROCESSING_FAILURE)
        except AssociationLostError:
            return

    def _cancel(self, command: Command) -> None:
        operation = self._operations.get(command.message_id_responded_to or 0)
        if operation is not None:  # otherwise it crossed our final response
            operation.cancelled = True

    def _count(self, operation: Operation, handler: Handler | None, seconds: float) -> None:
        name = handler.name if handler is not None else f"{operation.request.field:04X}H"
        outcome = operation.final.outcome if operation.final is not None else "lost"
        self.outcomes[f"{name} {outcome}"] += 1
        self.terms.meter.operation_ended(SCP, name, outcome, seconds)
        if outcome == "lost":
            self.lost = _uids(operation.request)
        if operation.final is not None and outcome in ("failure", "warning"):
            logger.warning(
                "operation refused",
                extra=self._names(operation)
                | {"operation": name, "status": f"{operation.final.code:04X}H", "detail": operation.final.sentence},
            )

    def _names(self, operation: Operation) -> dict[str, str]:
        origin = self.terms.origin
        return {
            "calling": origin.calling_ae_title,
            "called": origin.called_ae_title,
            "address": origin.address,
        } | _uids(operation.request)


def _uids(request: Command) -> dict[str, str]:
    uids = {"sop_class": request.sop_class_uid, "sop_instance": request.sop_instance_uid}
    return {name: uid if is_valid_uid(uid) or not uid else "ill-formed" for name, uid in uids.items()}
