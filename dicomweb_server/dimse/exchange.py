"""Messages out, and the responses to our requests: what both roles of an association do alike. Knows no service."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing

from dicomweb_server.dimse.connection import Connection
from dicomweb_server.dimse.ending import AssociationLostError
from dicomweb_server.dimse.fragmenting import command_pdus, data_pdus, largest_fragment, message_pdus
from dicomweb_server.dimse.message import Command, encode, operation_name
from dicomweb_server.dimse.meter import SCU, Meter, NoMeter
from dicomweb_server.dimse.status import Status
from dicomweb_server.dimse.streaming import Message

Pieces = Sequence[bytes | memoryview] | AsyncIterable[bytes | memoryview]
_LAST_MESSAGE_ID = 65535


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
        self.slots = asyncio.Semaphore(most_operations)
        self._largest = largest_fragment(peer_maximum_length)
        self._message_id = 0
        self._waiting: dict[int, deque[Message]] = {}
        self._wakers: dict[int, asyncio.Future[None]] = {}
        self._gate = asyncio.Lock()  # held while a message goes out in several steps
        self._held_back: list[bytes] = []  # small messages that wait for the end of such a one

    def send(self, context_id: int, command: bytes, dataset: bytes | None = None) -> None:
        """Send a message with no data set or a small one."""
        if dataset is None:
            self._write(command_pdus(context_id, command, self._largest))
        else:
            self._write(message_pdus(context_id, command, dataset, self._largest))

    def send_all(self, context_id: int, command: bytes, datasets: Sequence[bytes]) -> None:
        """Send the same command with each of several small data sets, at once."""
        largest = self._largest
        self._write(b"".join([message_pdus(context_id, command, each, largest) for each in datasets]))

    async def send_pieces(self, context_id: int, command: bytes, pieces: Pieces) -> None:
        """Send a message whose data set comes in pieces; if they cannot be had, the association is aborted."""
        async with self._gate:
            try:
                if isinstance(pieces, AsyncIterable):
                    await self._send_stream(context_id, command, pieces)
                else:
                    self.connection.write(self._pdus(context_id, command, pieces))
                    await self.connection.drain()
            finally:
                held_back, self._held_back = self._held_back, []
                if held_back and self.connection.established:
                    self.connection.write(b"".join(held_back))

    async def request(self, context_id: int, command: Command, pieces: Pieces | None, seconds: float) -> Message:
        """Send a request that has one response, and wait for it. `command`: with its message ID."""
        async with aclosing(self.responses(context_id, command, pieces, seconds)) as responses:
            return await anext(responses)

    async def responses(
        self, context_id: int, command: Command, pieces: Pieces | None, seconds: float
    ) -> AsyncGenerator[Message, None]:
        """Send a request; its responses up to the final one, each within so many seconds of the one before."""
        message_id = command.message_id or 0
        self._waiting[message_id] = deque()
        self.connection.begin_operation()
        started, outcome = asyncio.get_running_loop().time(), "lost"
        try:
            if pieces is None:
                self.send(context_id, encode(command))
            else:
                await self.send_pieces(context_id, encode(command), pieces)
            while True:
                message = await self._next(message_id, seconds)
                outcome = Status(message.command.status or 0).outcome
                yield message
                if outcome != "pending":
                    return
        finally:
            took = asyncio.get_running_loop().time() - started
            self._meter.operation_ended(SCU, operation_name(command.field), outcome, took)
            self.connection.end_operation()
            self._waiting.pop(message_id, None)
            self._wakers.pop(message_id, None)

    def next_message_id(self) -> int:
        """A message ID that no outstanding request of ours has."""
        while True:
            self._message_id = self._message_id % _LAST_MESSAGE_ID + 1
            if self._message_id not in self._waiting:
                return self._message_id

    def deliver(self, message: Message) -> None:
        """Take a response; one that nobody waits for is dropped."""
        message_id = message.command.message_id_responded_to or 0
        waiting = self._waiting.get(message_id)
        if waiting is None:
            if message.data is not None:
                message.data.drop()
            return
        waiting.append(message)
        self._wake(message_id)

    def close(self) -> None:
        """No more responses will come."""
        for message_id in list(self._wakers):
            self._wake(message_id)

    async def _next(self, message_id: int, seconds: float) -> Message:
        waiting = self._waiting[message_id]
        if not waiting:
            self._wakers[message_id] = waker = asyncio.get_running_loop().create_future()
            if not self.connection.established:
                raise AssociationLostError(str(self.connection.ending or "the association has ended"))
            try:
                async with asyncio.timeout(seconds):
                    await waker
            except TimeoutError:
                raise AssociationLostError(f"no response within {seconds:g} s") from None
        if not waiting:
            raise AssociationLostError(str(self.connection.ending or "the association has ended"))
        return waiting.popleft()

    def _wake(self, message_id: int) -> None:
        waker = self._wakers.pop(message_id, None)
        if waker is not None and not waker.done():
            waker.set_result(None)

    def _write(self, pdus: bytes) -> None:
        if self._gate.locked():
            self._held_back.append(pdus)
        else:
            self.connection.write(pdus)

    def _pdus(self, context_id: int, command: bytes, pieces: Sequence[bytes | memoryview]) -> list[bytes | memoryview]:
        pdus: list[bytes | memoryview] = [command_pdus(context_id, command, self._largest)]
        for number, piece in enumerate(pieces, 1):
            pdus += data_pdus(context_id, piece, self._largest, last=number == len(pieces))
        return pdus

    async def _send_stream(self, context_id: int, command: bytes, pieces: AsyncIterable[bytes | memoryview]) -> None:
        self.connection.write(command_pdus(context_id, command, self._largest))
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
        await self.connection.drain()
