"""Whole messages to a running server, after a good association request: each is answered with a status that is defined,
or the association is aborted, in bounded time; nothing fails inside, and the next association is served.

A message in the bytes: the place of its context (of the first, with 80H where several operations may be under way, 40H
where nobody waits for answers), whether its data set is finished, the two lengths, command, data set.
"""

import asyncio
import atexit
import contextlib
import logging
import shutil
import struct
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from conformance.patience import SOON
from dicomweb_server.dimse.fragmenting import command_pdus, data_pdus
from dicomweb_server.dimse.items import AsynchronousWindow, ProposedContext, RoleSelection, UserInformation
from dicomweb_server.dimse.message import (
    Command,
    CommandError,
    CommandField,
    decode,
    encode,
    encode_response,
)
from dicomweb_server.dimse.options import Modality, Timeouts
from dicomweb_server.dimse.pdu import COMMAND_FRAGMENT, LAST_FRAGMENT, RELEASE_REQUEST, PduType, fragments
from tests.app.dimse_harness import Node, Peer, open_node
from tests.builders import bare_dataset, make_instance
from tests.worklists import PERFORMED_STEP, ending, item, keys, report
from tests.worklists import encoded as data_set

IMPLICIT = "1.2.840.10008.1.2"
ECHO, CT, COMMITMENT = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.20.1"
FIND, MOVE, GET = (f"1.2.840.10008.5.1.4.1.2.2.{n}" for n in (1, 2, 3))
WORKLIST, STEP_RETRIEVE = "1.2.840.10008.5.1.4.31", "1.2.840.10008.3.1.2.3.4"
BARE_GET = "1.2.840.10008.5.1.4.1.2.5.3"  # without bulk data
CONTEXTS = (ECHO, CT, FIND, MOVE, GET, COMMITMENT, PERFORMED_STEP, STEP_RETRIEVE, WORKLIST, BARE_GET)
STUDY, INSTANCE = "1.2.3.10", "1.2.3.12"
SECONDS = SOON  # within which everything is answered, or over
_LAST_ECHO = 65535
_HEAD = struct.Struct("<BBHH")
# Of PS3.7 annex C and of the service classes in PS3.4.
_DEFINED = frozenset(
    {
        *(0x0000, 0x0001, *range(0x0105, 0x0108), *range(0x0110, 0x0125), *range(0x0210, 0x0214)),
        *(0xA700, 0xA701, 0xA702, 0xA801, 0xA900, 0xB000, 0xB006, 0xB007, 0xFE00, 0xFF00, 0xFF01),
    }
)


@dataclass(frozen=True, slots=True)
class Said:
    """One message. `context`: its place among CONTEXTS; `finished`: the data set comes to its end."""

    context: int
    command: bytes
    dataset: bytes = b""
    finished: bool = True

    def pdus(self) -> bytes:
        """As it goes out. A data set goes with a command that can be read and announces one, and with no other."""
        context_id = 2 * (self.context % len(CONTEXTS)) + 1
        sent = command_pdus(context_id, self.command, 16378)
        request = self.request()
        if request is not None and request.has_dataset:
            sent += b"".join(data_pdus(context_id, self.dataset, 16378, last=self.finished))
        return sent

    def request(self) -> Command | None:
        """The command as it is understood."""
        try:
            return decode(self.command)
        except CommandError:
            return None

    @property
    def wants_answer(self) -> int | None:
        """The message ID that has to be answered."""
        request = self.request()
        if request is None or request.is_response or request.field == CommandField.C_CANCEL_RQ:
            return None
        return request.message_id


class _Records(logging.Handler):
    """What is written to the log."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.found: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record)


class Target:
    """A server that is talked to, message by message."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def say(self, messages: Iterable[Said], window: int = 1, *, is_hasty: bool = False) -> None:
        """An association with these messages; AssertionError or TimeoutError where something happens that must not.

        `window`: how many operations may be under way; `is_hasty`: release is asked for before anything is answered.
        """
        messages = list(messages)
        peer = await self._node.peer()
        try:
            async with asyncio.timeout(SECONDS):
                assert (await self._associate(peer, window))[0] == PduType.ASSOCIATE_AC
                await self._exchange(peer, messages, is_hasty=is_hasty)
        finally:
            peer.vanish()

    @staticmethod
    async def _associate(peer: Peer, window: int) -> tuple[int, bytes]:
        proposed = [ProposedContext(2 * n + 1, uid, (IMPLICIT,)) for n, uid in enumerate(CONTEXTS)]
        roles = (RoleSelection(CT, scu=True, scp=True), RoleSelection(COMMITMENT, scu=True, scp=True))
        user = UserInformation(16384, "1.2.3", window=AsynchronousWindow(window, 1), roles=roles)
        return await peer.associate(*proposed, user=user)

    async def _exchange(self, peer: Peer, messages: list[Said], *, is_hasty: bool) -> None:
        """Up to an abort, or to the release; then everything must have been answered."""
        last = Said(
            0, encode(Command(field=CommandField.C_ECHO_RQ, affected_sop_class_uid=ECHO, message_id=_LAST_ECHO))
        )
        everything = [*messages, last]
        missing = {number for each in everything if (number := each.wants_answer) is not None}
        await _send(peer, b"".join(each.pdus() for each in everything) + (RELEASE_REQUEST if is_hasty else b""))
        while True:
            kind, body = await peer.pdu(SECONDS)
            if kind in (0, PduType.ABORT):
                return
            if kind == PduType.RELEASE_RP:
                assert not missing, f"not answered: {missing}"
                return
            assert kind == PduType.P_DATA, f"PDU of type {kind}"
            for context_id, control, fragment in fragments(memoryview(body)):
                if control == COMMAND_FRAGMENT | LAST_FRAGMENT:
                    await self._take(peer, context_id, decode(fragment), missing)
            if not missing and not is_hasty:
                is_hasty = True
                await _send(peer, RELEASE_REQUEST)

    @staticmethod
    async def _take(peer: Peer, context_id: int, command: Command, missing: set[int]) -> None:
        if not command.is_response:  # what is got, and reports
            await _send(peer, command_pdus(context_id, encode_response(command, 0), 16378))
            return
        assert command.status in _DEFINED or 0xC000 <= (command.status or 0) < 0xD000, command
        if command.status not in (0xFF00, 0xFF01):
            missing.discard(command.message_id_responded_to or 0)


async def _send(peer: Peer, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):  # what was said before it was closed can still be read
        await peer.send(data)


@contextlib.contextmanager
def nothing_fails() -> Iterator[None]:
    """No exception that nobody expected is written to the log meanwhile, and nothing of the patient."""
    records = _Records()
    root = logging.getLogger()
    root.addHandler(records)
    try:
        yield
    finally:
        root.removeHandler(records)
    for record in records.found:
        assert record.exc_info is None, record.exc_text or record.getMessage()
        assert record.levelno < logging.ERROR, record.getMessage()
        assert "Sarah" not in str(vars(record)), record.getMessage()


@contextlib.asynccontextmanager
async def opened(folder: Path) -> Any:
    """A server with one instance, and a destination that is not there."""
    timeouts = Timeouts(silence=1.0, idle=2 * SECONDS, closing=0.1, connect=0.5, response=0.5)
    modalities = {"gone": Modality("GONE", "127.0.0.1", 9)}
    async with open_node(folder, timeouts=timeouts, modalities=modalities) as node:
        target = Target(node)
        await target.say([stored()])
        assert await node.instances() == 1
        yield target


@cache
def _running() -> tuple[asyncio.AbstractEventLoop, Target]:
    """For a fuzzer, which ends when it likes."""
    folder = Path(tempfile.mkdtemp())
    loop = asyncio.new_event_loop()
    context = opened(folder)
    target = loop.run_until_complete(context.__aenter__())

    def close() -> None:
        loop.run_until_complete(context.__aexit__(None, None, None))
        loop.close()
        shutil.rmtree(folder)

    atexit.register(close)
    return loop, target


def messages_of(data: bytes) -> Iterator[Said]:
    """At most four."""
    position = 0
    for _ in range(4):
        if position + _HEAD.size > len(data):
            return
        context, finished, command_length, length = _HEAD.unpack_from(data, position)
        position += _HEAD.size
        command = data[position : position + command_length]
        position += command_length
        yield Said(context & 0x3F, command, data[position : position + length], bool(finished))
        position += length


def fuzz(data: bytes) -> None:
    """An association with these messages, and one after it."""
    loop, target = _running()
    with nothing_fails():
        choice = data[0] if data else 0
        loop.run_until_complete(target.say(messages_of(data), 4 if choice & 0x80 else 1, is_hasty=choice & 0x40 != 0))
        loop.run_until_complete(target.say(()))


def _asked(context: str, request: CommandField, dataset: bytes = b"", **elements: Any) -> Said:
    has_dataset = bool(dataset)
    if request in (CommandField.N_SET_RQ, CommandField.N_GET_RQ, CommandField.N_ACTION_RQ):
        elements["requested_sop_class_uid"] = elements.get("requested_sop_class_uid", context)
    else:
        elements["affected_sop_class_uid"] = context
    command = Command(field=request, message_id=7, has_dataset=has_dataset, **elements)
    return Said(CONTEXTS.index(context), encode(command), dataset)


def stored() -> Said:
    """C-STORE of the one instance."""
    attributes: dict[str, Any] = {
        "StudyInstanceUID": STUDY, "SeriesInstanceUID": "1.2.3.11", "SOPInstanceUID": INSTANCE,
        "PatientName": "Secret^Sarah", "PatientID": "P1",
    }  # fmt: skip
    data = bare_dataset(make_instance(transfer_syntax_uid=IMPLICIT, **attributes))
    return _asked(CT, CommandField.C_STORE_RQ, data, affected_sop_instance_uid=INSTANCE, priority=0)


def _identifier(level: str, **attributes: Any) -> bytes:
    dataset = Dataset()
    dataset.QueryRetrieveLevel = level
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return data_set(dataset, implicit=True)


def _committed(event: str = "") -> bytes:
    dataset, reference = Dataset(), Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CT, INSTANCE
    dataset.TransactionUID, dataset.ReferencedSOPSequence = f"1.2.3.20{event}", [reference]
    return data_set(dataset, implicit=True)


def valid() -> list[Said]:
    """One message of each kind that is right."""
    study = _identifier("STUDY", StudyInstanceUID=STUDY)
    find = _identifier("STUDY", StudyInstanceUID="", PatientName="Secret*", StudyDate="19000101-", ModalitiesInStudy="")
    worklist = data_set(keys(PatientName="Doe*"), implicit=True)
    begun, over = data_set(report(item()), implicit=True), data_set(ending(), implicit=True)
    step: dict[str, Any] = {"requested_sop_instance_uid": "1.2.3.30"}
    push = "1.2.840.10008.1.20.1.1"
    asked: dict[str, Any] = {"requested_sop_instance_uid": push, "action_type_id": 1}
    told: dict[str, Any] = {"affected_sop_instance_uid": push, "event_type_id": 1}
    return [
        stored(),
        _asked(FIND, CommandField.C_FIND_RQ, find, priority=0),
        _asked(WORKLIST, CommandField.C_FIND_RQ, worklist, priority=1),
        _asked(MOVE, CommandField.C_MOVE_RQ, study, move_destination="GONE", priority=2),
        _asked(MOVE, CommandField.C_MOVE_RQ, study, move_destination="NOBODY"),
        _asked(GET, CommandField.C_GET_RQ, study, priority=0),
        _asked(BARE_GET, CommandField.C_GET_RQ, _identifier("IMAGE", SOPInstanceUID=INSTANCE)),
        _asked(COMMITMENT, CommandField.N_ACTION_RQ, _committed(), requested_sop_instance_uid=push, action_type_id=1),
        _asked(COMMITMENT, CommandField.N_ACTION_RQ, _committed(), **asked),
        _asked(COMMITMENT, CommandField.N_EVENT_REPORT_RQ, _committed(".1"), **told),
        _asked(PERFORMED_STEP, CommandField.N_CREATE_RQ, begun, affected_sop_instance_uid="1.2.3.30"),
        _asked(PERFORMED_STEP, CommandField.N_SET_RQ, over, **step),
        _asked(STEP_RETRIEVE, CommandField.N_GET_RQ, requested_sop_class_uid=PERFORMED_STEP, **step),
        _asked(ECHO, CommandField.C_ECHO_RQ),
        Said(2, encode(Command(field=CommandField.C_CANCEL_RQ, message_id_responded_to=7))),
    ]


def as_bytes(messages: Iterable[Said]) -> bytes:
    """What `messages_of` reads."""
    return b"".join(
        _HEAD.pack(each.context, each.finished, len(each.command), len(each.dataset)) + each.command + each.dataset
        for each in messages
    )


def seeds() -> list[bytes]:
    """Each right message by itself, and some together."""
    right = valid()
    return [as_bytes([each]) for each in right] + [as_bytes(right[n : n + 4]) for n in range(0, len(right), 4)]
