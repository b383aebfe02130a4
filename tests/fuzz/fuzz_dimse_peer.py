"""Whatever a peer answers that we have called: the request ends, with an answer or a PeerError, and nothing is left.

The first byte says what is asked, in what pieces the answer arrives, and whether the association is accepted before.
"""

import asyncio
import struct
from functools import cache
from typing import Any, cast

from conformance.cost import at_most
from conformance.patience import SOON
from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dimse.association import Role, State
from dicomweb_server.dimse.connection import Connection
from dicomweb_server.dimse.destinations import Destinations
from dicomweb_server.dimse.fragmenting import command_pdus, message_pdus
from dicomweb_server.dimse.items import (
    AnsweredContext,
    AsynchronousWindow,
    ContextResult,
    ExtendedNegotiation,
    RoleSelection,
    UserInformation,
)
from dicomweb_server.dimse.message import Command, CommandField, encode
from dicomweb_server.dimse.options import DimseOptions, Modality, Timeouts
from dicomweb_server.dimse.pdu import (
    RELEASE_REPLY,
    RELEASE_REQUEST,
    AbortSource,
    AssociateAccept,
    Rejection,
    encode_abort,
    encode_accept,
    encode_reject,
)
from dicomweb_server.dimse.peer import DimsePeer
from dicomweb_server.dimse.pool import AssociationPool
from dicomweb_server.dimse.scu import ServiceUser
from dicomweb_server.services import Services
from dicomweb_server.services.modalities import PeerError, Reference
from tests.fuzz.fuzz_dimse import ECHO, FIND, IMPLICIT, Transport

KEYS = {"0020000D": {"vr": "UI", "Value": ["1.2.3"]}, "00100010": {"vr": "PN"}}
COMMITMENT = "1.2.840.10008.1.20.1"
SIZES = (3, 100, 1 << 16)
ACCEPT = encode_accept(
    AssociateAccept(
        "THEM",
        "US",
        tuple(AnsweredContext(number, ContextResult.ACCEPTED, IMPLICIT) for number in (1, 3, 5)),
        UserInformation(
            16384,
            "1.2.3",
            "VERSION",
            AsynchronousWindow(8, 1),
            (RoleSelection("1.2.840.10008.5.1.4.1.1.2", scu=False, scp=True),),
            (ExtendedNegotiation(FIND, b"\1\1\1"),),
        ),
    )
)


class _Calling(ServiceUser):
    """Calls nobody: the connections are what the fuzzer feeds."""

    connections: list[Connection]

    async def _connected(self, modality: Modality) -> Connection:
        connection = Connection(Role.REQUESTOR, Timeouts(), 16384)
        connection.connection_made(Transport())
        self.connections.append(connection)
        return connection


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


async def _asked(peer: DimsePeer, choice: int) -> None:
    if choice == 0:
        await peer.echo()
    elif choice == 1:
        async for match in peer.find(Level.STUDY, KEYS):
            assert isinstance(match, dict)
    elif choice == 2:
        transfer = await peer.move(Level.STUDY, KEYS, "US")
        assert all(isinstance(uid, str) for uid in transfer.failures)
    elif choice == 3:
        await peer.commit([Reference("1.2", "1.3")], "1.4")
    else:
        await peer.get(Level.STUDY, KEYS)


async def _run(data: bytes) -> None:
    choice = data[0] if data else 0
    user = _Calling(cast(Services, None), DimseOptions(keep_associations=0))
    connections: list[Connection] = []
    object.__setattr__(user, "connections", connections)
    pool = AssociationPool(user)
    peer = DimsePeer(Modality("THEM", "host", 104), user, Destinations(user, pool), pool)
    asking = asyncio.ensure_future(_asked(peer, choice % 5))
    for _ in range(3):  # C-GET asks what there is, on an association of its own
        await asyncio.sleep(0)
        if asking.done() or not connections:
            break
        await _feed(connections.pop(), (ACCEPT if choice & 0x80 else b"") + data[1:], SIZES[choice // 5 % len(SIZES)])
        for _ in range(20):
            await asyncio.sleep(0)
    for connection in connections:
        connection.connection_lost(None)
    try:
        async with asyncio.timeout(SOON):
            await asking
    except PeerError:
        return
    finally:
        await pool.close()


async def _feed(connection: Connection, stream: bytes, size: int) -> None:
    for number, start in enumerate(range(0, len(stream), size)):
        piece = stream[start : start + size]
        while piece and not cast(Any, connection)._transport.closed:
            buffer = connection.get_buffer(-1)
            count = min(len(buffer), len(piece))
            buffer[:count] = piece[:count]
            connection.buffer_updated(count)
            piece = piece[count:]
        if number % 16 == 0:
            await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    connection.connection_lost(None)
    assert connection.association.state is State.STA1


def fuzz(data: bytes) -> None:
    """What is asked and how the answer arrives, and the answer."""
    with at_most(2):
        _loop().run_until_complete(_run(data))


def _response(field: CommandField, status: int, **more: Any) -> Command:
    return Command(field=field, message_id_responded_to=1, status=status, affected_sop_class_uid=FIND, **more)


def _identifier(*elements: tuple[int, int, bytes]) -> bytes:
    """Implicit VR little endian."""
    return b"".join(struct.pack("<HHL", group, number, len(value)) + value for group, number, value in elements)


def seeds() -> list[bytes]:
    """Answers of every kind."""
    found = encode(_response(CommandField.C_FIND_RSP, 0xFF00, has_dataset=True))
    match = message_pdus(1, found, _identifier((0x0010, 0x0010, b"Doe^Jane"), (0x0020, 0x000D, b"1.2.3\0")), 100)
    classes = message_pdus(1, found, _identifier((0x0008, 0x0062, b"1.2.840.10008.5.1.4.1.1.2\0")), 16378)
    done = command_pdus(1, encode(_response(CommandField.C_FIND_RSP, 0)), 16378)
    progress = _response(CommandField.C_MOVE_RSP, 0xFF00, remaining=1, completed=1, failed=0, warning=0)
    failed = _response(CommandField.C_MOVE_RSP, 0xB000, has_dataset=True, completed=1, failed=1, warning=0)
    moved = command_pdus(1, encode(progress), 16378) + message_pdus(
        1, encode(failed), _identifier((0x0008, 0x0058, b"1.2.3\\1.2.4\0")), 16378
    )
    echoed = Command(field=CommandField.C_ECHO_RSP, message_id_responded_to=1, status=0, affected_sop_class_uid=ECHO)
    report = Command(
        field=CommandField.N_EVENT_REPORT_RQ,
        has_dataset=True,
        affected_sop_class_uid=COMMITMENT,
        affected_sop_instance_uid="1.2.840.10008.1.20.1.1",
        message_id=1,
        event_type_id=1,
    )
    action = Command(field=CommandField.N_ACTION_RSP, message_id_responded_to=1, status=0)
    return [
        b"\x80" + command_pdus(1, encode(echoed), 16378) + RELEASE_REPLY,
        b"\x86" + match + match + done + RELEASE_REPLY,
        b"\x87" + moved + RELEASE_REPLY,
        b"\x88" + command_pdus(1, encode(action), 16378) + message_pdus(1, encode(report), b"", 16378),
        b"\x89" + classes + done + RELEASE_REPLY,
        b"\x01" + ACCEPT,
        b"\x05" + encode_reject(Rejection.CALLED_AE_TITLE_NOT_RECOGNIZED),
        b"\x81" + RELEASE_REQUEST + encode_abort(AbortSource.PROVIDER),
        b"\x00HTTP/1.1 400 Bad Request\r\n\r\n",
    ]
