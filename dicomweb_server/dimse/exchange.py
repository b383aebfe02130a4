"""Messages out, and the responses to our requests: what both roles of an association do alike. Knows no service."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Self

from dicomweb_server.dimse.advance import Advance
from dicomweb_server.dimse.connection import Connection
from dicomweb_server.dimse.ending import AssociationLostError
from dicomweb_server.dimse.fragmenting import command_pdus, data_pdus, largest_fragment, message_pdus
from dicomweb_server.dimse.message import Command, encode, operation_name
from dicomweb_server.dimse.meter import SCU, Meter, NoMeter
from dicomweb_server.dimse.status import Status
from dicomweb_server.dimse.streaming import Message

Pieces = Sequence[bytes | memoryview] | AsyncIterable[bytes | memoryview]
_LAST_MESSAGE_ID = 65535


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request that is ready to go out. `pdus`: all of it, or what goes before `rest`, which is a long data set."""

    context_id: int
    command: Command
    pdus: list[bytes | memoryview]
    rest: AsyncIterable[bytes | memoryview] | None = None


class Turn:
    """The right to have one request outstanding. It ends with the response, not when somebody has looked at that."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots = slots
        self._taken = False

    async def __aenter__(self) -> Self:
        await self._slots.acquire()
        self._taken = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Let the next one have its turn."""
        if self._taken:
            self._taken = False
            self._slots.release()


class _Asked:
    """A request of ours that waits for its responses."""

    __slots__ = ("messages", "turn", "waker")

    def __init__(self, turn: Turn | None) -> None:
        self.messages: deque[Message] = deque()
        self.waker: asyncio.Future[None] | None = None
        self.turn = turn

    def wake(self) -> None:
        if self.waker is not None and not self.waker.done():
            self.waker.set_result(None)


class Exchange:
    """Sends messages whole, one after the other, and hands responses to whoever waits for them.

    `most_operations`: how many of our requests may be outstanding, as was negotiated.
    """

    def __init__(
        self,
        connection: Connection,
        peer_maximum_length: int,
        most_operations: int = 1,
        meter: Meter | None = None,
    ) -> None:
        self.connection = connection
        self._meter = meter or NoMeter()
        self._slots = asyncio.Semaphore(most_operations)
        self._largest = largest_fragment(peer_maximum_length)
        self._message_id = 0
        self._asked: dict[int, _Asked] = {}  # by message ID
        self._gate = asyncio.Lock()  # held while a message goes out in several steps
        self._held_back: list[bytes] = []  # small messages that wait for the end of such a one

    def send(self, context_id: int, command: bytes, dataset: bytes | None = None) -> None:
        """Send a message with no data set or a small one."""
        if dataset is None:
            self._write(command_pdus(context_id, command, self._largest))
        else:
            self._write(message_pdus(context_id, command, dataset, self._largest))

    def in_advance(self, context_id: int, command: bytes) -> Advance | None:
        """A message with no data set that another thread may send; None where the loop has to."""
        if self._gate.locked():
            return None
        return self.connection.in_advance(command_pdus(context_id, command, self._largest))

    def send_all(self, context_id: int, command: bytes, datasets: Sequence[bytes]) -> None:
        """Send the same command with each of several small data sets, at once."""
        largest = self._largest
        self._write(b"".join([message_pdus(context_id, command, each, largest) for each in datasets]))

    def outgoing(self, context_id: int, command: Command, pieces: Pieces = ()) -> Outgoing:
        """Make a request ready. `command`: with its message ID; `pieces`: of its data set, if it has one."""
        pdus: list[bytes | memoryview] = [command_pdus(context_id, encode(command), self._largest)]
        if isinstance(pieces, AsyncIterable):
            return Outgoing(context_id, command, pdus, pieces)
        for number, piece in enumerate(pieces, 1):
            pdus += data_pdus(context_id, piece, self._largest, last=number == len(pieces))
        return Outgoing(context_id, command, pdus)

    def turn(self) -> Turn:
        """To be had before a request may go out, where several could be outstanding."""
        return Turn(self._slots)

    async def request(self, outgoing: Outgoing, seconds: float, turn: Turn | None = None) -> Message:
        """Send a request that has one response, and wait for it."""
        async with aclosing(self.responses(outgoing, seconds, turn)) as responses:
            return await anext(responses)

    async def responses(
        self, outgoing: Outgoing, seconds: float, turn: Turn | None = None
    ) -> AsyncGenerator[Message, None]:
        """Send a request; its responses up to the final one, each within so many seconds of the one before."""
        command = outgoing.command
        message_id = command.message_id or 0
        self._asked[message_id] = asked = _Asked(turn)
        self.connection.begin_operation()
        started, outcome = asyncio.get_running_loop().time(), "lost"
        try:
            await self._send_outgoing(outgoing)
            while True:
                message = await self._next(asked, seconds)
                outcome = Status(message.command.status or 0).outcome
                yield message
                if outcome != "pending":
                    return
        finally:
            took = asyncio.get_running_loop().time() - started
            self._meter.operation_ended(SCU, operation_name(command.field), outcome, took)
            self.connection.end_operation()
            self._asked.pop(message_id, None)

    def next_message_id(self) -> int:
        """A message ID that no outstanding request of ours has."""
        while True:
            self._message_id = self._message_id % _LAST_MESSAGE_ID + 1
            if self._message_id not in self._asked:
                return self._message_id

    def deliver(self, message: Message) -> None:
        """Take a response; one that nobody waits for is dropped."""
        asked = self._asked.get(message.command.message_id_responded_to or 0)
        if asked is None:
            if message.data is not None:
                message.data.drop()
            return
        asked.messages.append(message)
        if asked.turn is not None:  # before the sender is woken: what is ready goes out before anything else is done
            asked.turn.end()
        asked.wake()

    def close(self) -> None:
        """No more responses will come."""
        for asked in self._asked.values():
            asked.wake()

    async def _next(self, asked: _Asked, seconds: float) -> Message:
        if not asked.messages:
            asked.waker = asyncio.get_running_loop().create_future()
            if not self.connection.established:
                raise AssociationLostError(str(self.connection.ending or "the association has ended"))
            try:
                async with asyncio.timeout(seconds):
                    await asked.waker
            except TimeoutError:
                raise AssociationLostError(f"no response within {seconds:g} s") from None
        if not asked.messages:
            raise AssociationLostError(str(self.connection.ending or "the association has ended"))
        return asked.messages.popleft()

    def _write(self, pdus: bytes) -> None:
        if self._gate.locked():
            self._held_back.append(pdus)
        else:
            self.connection.write(pdus)

    async def _send_outgoing(self, outgoing: Outgoing) -> None:
        """Whole, before anything else; if a data set cannot be had to its end, the association is aborted."""
        async with self._gate:
            try:
                self.connection.write(outgoing.pdus)
                if outgoing.rest is not None:
                    await self._send_rest(outgoing.context_id, outgoing.rest)
                await self.connection.drain()
            finally:
                held_back, self._held_back = self._held_back, []
                if held_back and self.connection.established:
                    self.connection.write(b"".join(held_back))

    async def _send_rest(self, context_id: int, pieces: AsyncIterable[bytes | memoryview]) -> None:
        piece: bytes | memoryview = b""
        try:
            async for following in pieces:
                if piece:
                    self.connection.write(data_pdus(context_id, piece, self._largest, last=False))
                    await self.connection.drain()
                piece = following
        except BaseException:
            self.connection.abort("a data set could not be sent to its end")
            raise
        self.connection.write(data_pdus(context_id, piece, self._largest, last=True))
