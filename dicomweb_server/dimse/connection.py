"""The sockets: one association on asyncio, plain or TLS, in either role. Deadlines in every state; knows no service."""

import asyncio
from collections.abc import Callable
from typing import cast

from dicomweb_server.dimse.advance import Advance
from dicomweb_server.dimse.association import EVENT_OF_PDU, Artim, Association, Event, Role, Send, State, Step, Tell
from dicomweb_server.dimse.ending import AssociationLostError, End, Ending
from dicomweb_server.dimse.inflow import Inflow
from dicomweb_server.dimse.negotiation import Context
from dicomweb_server.dimse.options import Timeouts
from dicomweb_server.dimse.outflow import Outflow
from dicomweb_server.dimse.patience import Patience
from dicomweb_server.dimse.pdu import (
    RELEASE_REPLY,
    RELEASE_REQUEST,
    Abort,
    AbortReason,
    AbortSource,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    PduError,
    Rejection,
    decode,
    encode_abort,
    encode_accept,
    encode_reject,
    encode_request,
)
from dicomweb_server.dimse.streaming import Inbox, Message
from dicomweb_server.dimse.tcp import Tcp

_IN_DATA = frozenset({State.STA6, State.STA7})
_OVER = frozenset({State.STA1, State.STA13})


class Connection(asyncio.BufferedProtocol):
    """One TCP connection and the association on it."""

    def __init__(
        self,
        role: Role,
        timeouts: Timeouts,
        largest_data_pdu: int,
        requested: "Callable[[Connection, AssociateRequest], None] | None" = None,
        made: "Callable[[Connection], None] | None" = None,
        ended: "Callable[[Connection], None] | None" = None,
    ) -> None:
        self.timeouts = timeouts
        self.association = Association(role)
        self.ending: Ending | None = None
        self.address = ""
        self.bytes_received = 0
        self.bytes_sent = 0
        self._loop = asyncio.get_running_loop()  # which is a system call each time
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._requested = requested
        self._made = made
        self._ended = ended
        self._inbox = Inbox(self._waiting_changed)
        self._inflow = Inflow(largest_data_pdu, self._inbox.feed, self._on_pdu)
        self._outflow = Outflow()
        self._patience = Patience(timeouts, self._missed, self._inflow.shrink)
        self._transport: asyncio.Transport | None = None
        self._tcp = Tcp()
        self._busy = 0
        self._answer: asyncio.Future[AssociateAccept | AssociateReject] | None = None

    # --- what the local user asks -----------------------------------------------------------------

    def accept(self, accept: AssociateAccept, contexts: tuple[Context, ...]) -> None:
        """Accept the association that was requested."""
        if not self.association.allows(Event.ACCEPTED):
            raise AssociationLostError(self._why_lost())
        self.agree(contexts)
        self._local(Event.ACCEPTED, encode_accept(accept))

    def reject(self, rejection: Rejection, detail: str) -> None:
        """Reject the association that was requested."""
        if self.association.allows(Event.REJECTED):
            self._end(Ending(End.REJECTED, detail))
            self._local(Event.REJECTED, encode_reject(rejection))

    async def request(self, request: AssociateRequest) -> AssociateAccept | AssociateReject:
        """Ask for an association; AssociationLostError if there is no answer."""
        self._answer = self._loop.create_future()
        self._local(Event.CONNECTED, encode_request(request))
        self._patience.wait(self.timeouts.association, "an answer to the association request")
        return await self._answer

    def agree(self, contexts: tuple[Context, ...]) -> None:
        """The accepted contexts."""
        self._inbox.contexts = {context.context_id: context for context in contexts}

    def deliver_responses(self, answered: Callable[[Message], None]) -> None:
        """Responses go there as they come, without a turn of the loop; `receive` gives requests only."""
        self._inbox.answered = answered

    async def receive(self) -> Message | None:
        """The next message, None when there will be no more: then `ending` says why."""
        return await self._inbox.receive()

    def write(self, pdus: bytes | list[bytes | memoryview]) -> None:
        """Send whole P-DATA PDUs; AssociationLostError where no more can be sent."""
        if not self.association.allows(Event.DATA_REQUESTED) or self._transport is None:
            raise AssociationLostError(self._why_lost())
        self.settle()
        if isinstance(pdus, list):
            self.bytes_sent += sum(map(len, pdus))
            self._transport.writelines(pdus)
        else:
            self.bytes_sent += len(pdus)
            self._transport.write(pdus)

    def in_advance(self, pdus: bytes) -> Advance | None:
        """Whole P-DATA PDUs that another thread may send until something else is; None where that cannot be."""
        return self._tcp.in_advance(pdus) if self.association.allows(Event.DATA_REQUESTED) else None

    def settle(self) -> None:
        """What no other thread has begun to send in advance, none will."""
        self.bytes_sent += self._tcp.settle()

    async def drain(self) -> None:
        """Wait until the peer has taken most of what was written."""
        if self._outflow.is_blocked:
            await self._outflow.room()
        if self.association.state in _OVER:
            raise AssociationLostError(self._why_lost())

    async def release(self) -> None:
        """End the association in order, and the connection; returns when it is closed."""
        if self.association.allows(Event.RELEASE_REQUESTED):
            self._local(Event.RELEASE_REQUESTED, RELEASE_REQUEST)
            self._patience.wait(self.timeouts.association, "an answer to the release request")
        await asyncio.shield(self.closed)

    def answer_release(self) -> None:
        """Let the peer go that asked for release."""
        if self.association.allows(Event.RELEASE_ANSWERED):
            self._local(Event.RELEASE_ANSWERED, RELEASE_REPLY)

    def abort(self, detail: str) -> None:
        """End the association at once."""
        if self.association.allows(Event.ABORT_REQUESTED):
            self._end(Ending(End.ABORTED, detail))
            self._local(Event.ABORT_REQUESTED)

    def cut(self, detail: str) -> None:
        """Close the connection without a word."""
        self._end(Ending(End.ABORTED, detail))
        if self._transport is not None:
            self._transport.abort()

    def begin_operation(self) -> None:
        """We are working on a request: the peer may be silent meanwhile."""
        self._busy += 1

    def end_operation(self) -> None:
        """It is answered."""
        self._busy -= 1
        if not self._busy:
            self._watch()

    @property
    def transport(self) -> asyncio.Transport:
        """The transport, for what it knows about the peer."""
        if self._transport is None:
            raise AssociationLostError(self._why_lost())
        return self._transport

    @property
    def established(self) -> bool:
        """Whether data can be exchanged."""
        return self._is_established()

    def _is_established(self) -> bool:
        return self.association.state in _IN_DATA

    # --- asyncio.BufferedProtocol -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        self._transport = self._inflow.transport = cast(asyncio.Transport, transport)
        self.address = self._tcp.open(self._transport)
        if self._made is not None:
            self._made(self)
        is_ours = self.association.role is Role.REQUESTOR
        self._apply(self.association.on(Event.ASSOCIATE_REQUESTED if is_ours else Event.CONNECTION_INDICATED))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to receive into."""
        del sizehint
        return self._inflow.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come."""
        self.bytes_received += nbytes
        if self._inflow.is_deaf:
            return  # so that the peer gets to read why: closing now could make the network drop our A-ABORT
        self._inflow.received(nbytes)
        self._take_in()

    def eof_received(self) -> bool:
        """The peer will send no more: nothing can be answered to nothing."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed, by whomever."""
        if self.association.allows(Event.CLOSED):
            self._end(Ending(End.LOST, type(exc).__name__ if exc is not None else "closed by the peer"))
            self.association.on(Event.CLOSED)
        self._patience.stop()
        self._settle()
        self._transport = self._inflow.transport = None
        self._tcp.close()
        if not self.closed.done():
            self.closed.set_result(None)
        if self._ended is not None:
            self._ended(self)

    def pause_writing(self) -> None:
        """The peer takes less than we send."""
        self._outflow.block(self.transport.get_write_buffer_size())
        self._patience.wait(self.timeouts.silence, "room to send")

    def resume_writing(self) -> None:
        """The peer has taken it."""
        self._outflow.unblock()
        self._watch()

    # --- events -----------------------------------------------------------------------------------

    def _take_in(self) -> None:
        if self._transport is None or self._inflow.is_deaf:
            return
        before = self._inbox.progress
        try:
            if not self._inflow.take(self._loop.time(), self._is_established, self._patience.pdu_is_whole):
                self._loop.call_soon(self._take_in)
        except PduError as error:
            self._invalid(error)
        self._inbox.resume()
        self._inflow.listen()
        if self._inbox.progress == before:
            self._await_next()
        else:
            self._watch()

    def _on_pdu(self, kind: int, body: memoryview) -> None:
        self._patience.progress()
        event = EVENT_OF_PDU[kind]
        content = decode(kind, body)
        before = self.association.state
        step = self.association.on(event)
        if step.send in (Send.ABORT_BY_PROVIDER, Send.ABORT_BY_USER):
            self._end(Ending(End.INVALID, f"a PDU of type {kind} came in {before.name}"))
        self._apply(step, b"", content, AbortReason.UNEXPECTED_PDU)

    def _invalid(self, error: PduError) -> None:
        self._end(Ending(End.INVALID, error.detail))
        self._apply(self.association.on(Event.INVALID), reason=error.reason)
        self._inflow.ignore()

    def _local(self, event: Event, pdu: bytes = b"") -> None:
        self._apply(self.association.on(event), pdu)
        self._watch()

    def _apply(
        self,
        step: Step,
        pdu: bytes = b"",
        content: object = None,
        reason: AbortReason = AbortReason.NOT_SPECIFIED,
    ) -> None:
        if step.send is Send.ABORT_BY_PROVIDER:
            pdu = encode_abort(AbortSource.PROVIDER, reason)
        elif step.send is Send.ABORT_BY_USER:
            pdu = encode_abort(AbortSource.USER)
        if step.send is not None and self._transport is not None:
            self.settle()
            self.bytes_sent += len(pdu)
            self._transport.write(pdu)
        if step.tell is not None:
            self._tell(step.tell, content)
        if step.artim is Artim.START:
            seconds = self.timeouts.association if step.state is State.STA2 else self.timeouts.closing
            self._patience.wait(seconds, "an association request" if step.state is State.STA2 else "")
        elif step.artim is Artim.STOP:
            self._patience.clear()
        if step.state in _OVER:
            self._settle()
        if step.close:
            self._close()

    def _tell(self, tell: Tell, content: object) -> None:
        if tell is Tell.ASSOCIATION_REQUESTED and self._requested is not None:
            self._requested(self, cast(AssociateRequest, content))
        elif tell in (Tell.ASSOCIATION_ACCEPTED, Tell.ASSOCIATION_REJECTED):
            if tell is Tell.ASSOCIATION_REJECTED:
                self._end(Ending(End.REJECTED))
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(cast("AssociateAccept | AssociateReject", content))
        elif tell is Tell.RELEASE_REQUESTED:
            self._end(Ending(End.RELEASED))
            self._inbox.close(AssociationLostError("released in the middle of a message"))
        elif tell is Tell.RELEASED:
            self._end(Ending(End.RELEASED))
        elif tell is Tell.ABORTED:
            abort = cast(Abort, content)
            self._end(Ending(End.ABORTED_BY_PEER, f"source {abort.source}, reason {abort.reason}"))

    def _end(self, ending: Ending) -> None:
        if self.ending is None:
            self.ending = ending

    def _why_lost(self) -> str:
        return "the association has ended" if self.ending is None else str(self.ending)

    def _settle(self) -> None:
        """Whoever waits for the peer waits in vain."""
        error = AssociationLostError(self._why_lost())
        self._inbox.close(error)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self._outflow.unblock()

    def _close(self) -> None:
        self._inflow.ignore()
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size():
            self._transport.abort()  # whoever does not read would keep it open for ever
        else:
            self._transport.close()

    # --- deadlines and back-pressure --------------------------------------------------------------

    def _watch(self) -> None:
        """There was progress: say what must happen next, and by when."""
        self._patience.progress()
        self._await_next()

    def _await_next(self) -> None:
        if self.association.state not in _IN_DATA or self._inflow.is_deaf or self._outflow.is_blocked:
            return
        unfinished = self._inflow.in_pdu or self._inbox.in_message
        if self._inflow.is_paused:
            self._patience.clear()
        elif self._inflow.in_pdu:
            self._patience.await_pdu()
        elif unfinished:
            self._patience.await_rest()
        elif self._busy:
            self._patience.clear()
        else:
            self._patience.await_message()
        if unfinished:
            self._tcp.acknowledge_now()

    def _missed(self, awaited: str) -> None:
        if self._transport is not None and self._outflow.has_moved(self._transport.get_write_buffer_size()):
            self._patience.wait(self.timeouts.silence, awaited)  # slowly, but it moves
            return
        if awaited:
            self._end(Ending(End.TIMEOUT, f"waited for {awaited}"))
        if self.association.allows(Event.EXPIRED):
            self._apply(self.association.on(Event.EXPIRED))
        elif self.association.allows(Event.ABORT_REQUESTED):
            self._local(Event.ABORT_REQUESTED)

    def _waiting_changed(self, waiting: int) -> None:
        if self._inflow.waiting(waiting):
            self._watch()
