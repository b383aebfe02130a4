"""The messages of one association as they arrive: commands whole, data sets as streams. Knows no sockets."""

import asyncio
import sys
from collections import deque
from collections.abc import Callable

from dicomweb_server.dimse.ending import AssociationLostError
from dicomweb_server.dimse.message import LARGEST_COMMAND, Command, CommandError, decode
from dicomweb_server.dimse.negotiation import Context
from dicomweb_server.dimse.pdu import COMMAND_FRAGMENT, LAST_FRAGMENT, AbortReason, PduError
from dicomweb_server.pause import Pause

WAKE_AT = 512 * 1024  # bytes of a data set that are worth waking its reader for, if that is not all of it
_JOIN_BELOW = 4096  # smaller fragments are put together, so that each costs no object
_JOINED = 64 * 1024
MESSAGE_COST = 1024  # what a waiting message counts besides its data set


class DataStream:
    """The data set of one message. Its chunks are taken once, in order."""

    def __init__(self, taken: Callable[[int], None], over: list[Pause]) -> None:
        """`taken` is told how many bytes do not wait any more; `over` gets the pause of a reader who can go on."""
        self.size = 0  # of what has arrived, taken or not
        self.limit = sys.maxsize  # a reader who would take no more than that is told at once that there is more
        self._taken = taken
        self._chunks: list[bytes | bytearray] = []
        self._waiting = 0
        self._ended = False
        self._dropped = False
        self._error: AssociationLostError | None = None
        self._over = over
        self._pause: Pause | None = None

    @property
    def ready(self) -> bool:
        """Whether there is enough for a reader to do."""
        return self._ended or self._waiting >= WAKE_AT or self.size > self.limit or self._error is not None

    @property
    def is_whole(self) -> bool:
        """Whether all of it has arrived."""
        return self._ended

    async def read(self) -> list[bytes]:
        """The next chunks, [] at the end. AssociationLostError if the rest will never come."""
        if not self.ready:
            self._pause = Pause(asyncio.get_running_loop())
            await self._pause
        if self._error is not None:
            raise self._error
        chunks, self._chunks = self._chunks, []
        taken, self._waiting = self._waiting, 0
        self._taken(taken)
        return [bytes(chunk) for chunk in chunks]  # what is bytes already is not copied

    async def whole(self, limit: int) -> bytes | None:
        """All of it, None (and the rest dropped) if it is longer than `limit`."""
        parts: list[bytes] = []
        self.limit = limit
        while chunks := await self.read():
            parts += chunks
            if self.size > limit:
                self.drop()
                return None
        return b"".join(parts)

    async def pass_by(self) -> None:
        """Drop the rest, and return when all has come. AssociationLostError if it never will."""
        self.drop()
        self.limit = sys.maxsize
        await self.read()

    def drop(self) -> None:
        """Nobody will read the rest."""
        self._dropped = True
        self._chunks = []
        taken, self._waiting = self._waiting, 0
        self._taken(taken)

    def feed(self, fragment: memoryview, *, last: bool) -> int:
        """Take a fragment, which is copied; how many bytes now wait for a reader because of it."""
        length = len(fragment)
        self.size += length
        kept = 0
        if length and not self._dropped:
            kept = length
            self._waiting += length
            self._keep(fragment, length)
        if last:
            self._ended = True
        self._wake()
        return kept

    def fail(self, error: AssociationLostError) -> None:
        """The rest will never come."""
        if not self._ended:
            self._error = error
            self._wake()

    def _keep(self, fragment: memoryview, length: int) -> None:
        if length >= _JOIN_BELOW:
            self._chunks.append(bytes(fragment))
            return
        last = self._chunks[-1] if self._chunks else None
        if isinstance(last, bytearray) and len(last) < _JOINED:
            last += fragment
        else:
            self._chunks.append(bytearray(fragment))

    def _wake(self) -> None:
        if self._pause is not None and self.ready:
            self._over.append(self._pause)
            self._pause = None


class Message:
    """A command and its data set, if it has one."""

    __slots__ = ("command", "context", "data")

    def __init__(self, command: Command, context: Context, data: DataStream | None) -> None:
        self.command = command
        self.context = context
        self.data = data


class Inbox:
    """Puts fragments together into messages (PS3.7 §6.3, PS3.8 annex E) and keeps them until they are received.

    Whoever waits goes on within `resume`, or after `close`.
    """

    def __init__(self, waiting_changed: Callable[[int], None]) -> None:
        self.contexts: dict[int, Context] = {}
        self.progress = 0  # grows with everything that comes and is of use
        self.answered: Callable[[Message], None] | None = None  # takes responses at once, so that none is received
        self._waiting_changed = waiting_changed
        self._loop = asyncio.get_running_loop()  # which is a system call each time
        self._messages: deque[Message] = deque()
        self._pause: Pause | None = None  # of who waits for a message
        self._over: list[Pause] = []  # of all who need not wait any more
        self._closed = False
        self._waiting = 0
        self._command = bytearray()
        self._context_id = 0  # of the message that is being put together
        self._partial: Message | None = None  # its command is whole, its data set is not
        self._queued = False  # the partial message can be received already

    @property
    def in_message(self) -> bool:
        """Whether a message has begun and is not whole."""
        return self._partial is not None or bool(self._command)

    def feed(self, context_id: int, control: int, fragment: memoryview) -> None:
        """Take a presentation data value; PduError if it cannot come here."""
        if control > COMMAND_FRAGMENT | LAST_FRAGMENT:
            raise PduError(AbortReason.INVALID_PARAMETER, f"message control header {control:02X}H")
        if context_id not in self.contexts:
            raise PduError(AbortReason.INVALID_PARAMETER, f"presentation context {context_id} is not accepted")
        if self.in_message and context_id != self._context_id:
            raise PduError(AbortReason.UNEXPECTED_PARAMETER, "fragments of two messages are mixed")
        self._context_id = context_id
        self.progress += len(fragment) + (control & LAST_FRAGMENT)
        if control & COMMAND_FRAGMENT:
            self._feed_command(fragment, last=control & LAST_FRAGMENT != 0)
        else:
            self._feed_data(fragment, last=control & LAST_FRAGMENT != 0)

    async def receive(self) -> Message | None:
        """The next message, None when there will be no more."""
        while not self._messages:
            if self._closed:
                return None
            self._pause = Pause(self._loop)
            await self._pause
        self._account(-MESSAGE_COST)
        return self._messages.popleft()

    def resume(self) -> None:
        """All that has come so far was fed: let those go on who waited for it."""
        while self._over:
            self._over.pop().end()

    def close(self, error: AssociationLostError) -> None:
        """No more bytes will come. What is whole can still be received."""
        self._closed = True
        if self._partial is not None and self._partial.data is not None:
            self._partial.data.fail(error)
        self._wake()
        while self._over:
            self._over.pop().end_soon()

    def _feed_command(self, fragment: memoryview, *, last: bool) -> None:
        if self._partial is not None:
            raise PduError(AbortReason.UNEXPECTED_PARAMETER, "a command came before the end of the data set before it")
        if len(self._command) + len(fragment) > LARGEST_COMMAND:
            raise PduError(AbortReason.INVALID_PARAMETER, f"a command set of more than {LARGEST_COMMAND} bytes")
        if not last:
            self._command += fragment
            return
        if self._command:
            self._command += fragment
            whole: bytes | memoryview = bytes(self._command)
            self._command = bytearray()
        else:
            whole = fragment
        try:
            command = decode(whole)
        except CommandError as error:
            raise PduError(AbortReason.INVALID_PARAMETER, str(error)) from error
        self._begin(command)

    def _begin(self, command: Command) -> None:
        data = DataStream(self._data_taken, self._over) if command.has_dataset else None
        message = Message(command, self.contexts[self._context_id], data)
        if data is None:
            self._queue(message)
            return
        self._partial = message
        # What has to be done before the data set is, is done while that arrives. Who gets a response looks at it first.
        self._queued = not command.is_response
        if self._queued:
            self._queue(message)

    def _feed_data(self, fragment: memoryview, *, last: bool) -> None:
        message = self._partial
        if message is None or message.data is None:
            raise PduError(AbortReason.UNEXPECTED_PARAMETER, "a data set came without a command that announces it")
        self._account(message.data.feed(fragment, last=last))
        if not self._queued and message.data.ready:
            self._queued = True
            self._queue(message)
        if last:
            self._partial = None

    def _queue(self, message: Message) -> None:
        if self.answered is not None and message.command.is_response:
            self.answered(message)
            return
        self._messages.append(message)
        self._account(MESSAGE_COST)
        self._wake()

    def _wake(self) -> None:
        if self._pause is not None:
            self._over.append(self._pause)
            self._pause = None

    def _data_taken(self, count: int) -> None:
        self._account(-count)

    def _account(self, change: int) -> None:
        if change:
            self._waiting += change
            self._waiting_changed(self._waiting)
