"""Whatever bytes come over a connection: the association answers as PS3.8 has it, takes bounded memory, never fails.

The first byte says in what pieces the others arrive, and whether the association is established before.
"""

import asyncio
from functools import cache
from typing import Any

from conformance.cost import at_most
from dicomweb_server.dimse.association import Role, State
from dicomweb_server.dimse.connection import Connection
from dicomweb_server.dimse.contexts import Contexts, Service
from dicomweb_server.dimse.ending import AssociationLostError
from dicomweb_server.dimse.fragmenting import command_pdus, message_pdus
from dicomweb_server.dimse.items import (
    AsynchronousWindow,
    ExtendedNegotiation,
    ProposedContext,
    RoleSelection,
    UserIdentity,
    UserInformation,
)
from dicomweb_server.dimse.message import Command, CommandField, encode
from dicomweb_server.dimse.negotiation import answer
from dicomweb_server.dimse.options import Timeouts
from dicomweb_server.dimse.pdu import (
    RELEASE_REQUEST,
    AbortSource,
    AssociateAccept,
    AssociateRequest,
    encode_abort,
    encode_request,
)

CT, FIND, ECHO = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.1.1"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
SIZES = (1, 7, 100, 5000, 1 << 16)
REQUEST = encode_request(
    AssociateRequest(
        "US",
        "THEM",
        (
            ProposedContext(1, ECHO, (IMPLICIT,)),
            ProposedContext(3, CT, (EXPLICIT, IMPLICIT)),
            ProposedContext(5, FIND, (IMPLICIT,)),
        ),
        UserInformation(
            16384,
            "1.2.3",
            "VERSION",
            AsynchronousWindow(2, 2),
            (RoleSelection(CT, scu=True, scp=True),),
            (ExtendedNegotiation(FIND, b"\1\1\1"),),
            identity=UserIdentity(2, response_requested=True, primary=b"user", secondary=b"secret"),
        ),
    )
)
STORE = Command(
    field=CommandField.C_STORE_RQ,
    has_dataset=True,
    affected_sop_class_uid=CT,
    affected_sop_instance_uid="1.2.3",
    message_id=1,
)
_PDU_TYPES = {2, 3, 4, 5, 6, 7}


class Transport(asyncio.Transport):
    """Remembers what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        return

    def resume_reading(self) -> None:
        return


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def _accept(connection: Connection, request: AssociateRequest) -> None:
    answered = answer(request, Contexts(frozenset(Service)).support, 4)
    assert [each.context_id for each in answered.contexts] == [each.context_id for each in request.contexts]
    user = UserInformation(131072, roles=answered.roles, extended=answered.extended, window=answered.window)
    accept = AssociateAccept(request.called_ae_title, request.calling_ae_title, answered.contexts, user)
    connection.accept(accept, answered.accepted)


async def _receive_all(connection: Connection) -> None:
    while (message := await connection.receive()) is not None:
        assert message.command.field is not None
        if message.data is not None:
            try:
                await message.data.whole(1 << 20)
            except AssociationLostError:
                return


async def _run(data: bytes) -> None:
    choice = data[0] if data else 0
    transport = Transport()
    connection = Connection(Role.ACCEPTOR, Timeouts(), 16384, _accept)
    connection.connection_made(transport)
    stream = (REQUEST if choice & 0x80 else b"") + data[1:]
    size = SIZES[choice % len(SIZES)]
    receiving = asyncio.ensure_future(_receive_all(connection))
    for start in range(0, len(stream), size):
        piece = stream[start : start + size]
        while piece and not transport.closed:
            buffer = connection.get_buffer(-1)
            count = min(len(buffer), len(piece))
            assert count
            buffer[:count] = piece[:count]
            connection.buffer_updated(count)
            piece = piece[count:]
        await asyncio.sleep(0)
    connection.connection_lost(None)
    await receiving
    assert connection.association.state is State.STA1
    _check(bytes(transport.written))


def _check(written: bytes) -> None:
    """What was sent is whole PDUs, and nothing follows an abort."""
    position, last = 0, 0
    while position < len(written):
        last = written[position]
        assert last in _PDU_TYPES
        position += 6 + int.from_bytes(written[position + 2 : position + 6], "big")
    assert position == len(written)


def fuzz(data: bytes) -> None:
    """How the bytes arrive, and the bytes."""
    with at_most(2):
        _loop().run_until_complete(_run(data))


def seeds() -> list[bytes]:
    """Associations of every kind."""
    echo = command_pdus(1, encode(Command(field=CommandField.C_ECHO_RQ, affected_sop_class_uid=ECHO, message_id=9)), 20)
    cancel = command_pdus(5, encode(Command(field=CommandField.C_CANCEL_RQ, message_id_responded_to=1)), 16378)
    store = message_pdus(3, encode(STORE), bytes(3000), 1000)
    return [
        b"\4" + REQUEST,
        b"\1" + REQUEST[:200],
        b"\x84" + echo + RELEASE_REQUEST,
        b"\x83" + store + store + cancel,
        b"\x80" + store[:300],
        b"\x84" + encode_abort(AbortSource.USER),
        b"\2GET / HTTP/1.1\r\n\r\n",
    ]
