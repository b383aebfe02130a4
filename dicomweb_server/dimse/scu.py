"""Associations that we request: opened with the contexts they need, used by echo, store and C-MOVE, released."""

import asyncio
import ssl
from collections.abc import Sequence

from dicomweb_server.dicom.uids import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomweb_server.dimse.association import Role
from dicomweb_server.dimse.connection import Connection
from dicomweb_server.dimse.contexts import VERIFICATION
from dicomweb_server.dimse.ending import AssociationLostError, AssociationRefusedError
from dicomweb_server.dimse.exchange import Exchange
from dicomweb_server.dimse.items import AsynchronousWindow, ProposedContext, RoleSelection, UserInformation
from dicomweb_server.dimse.message import Command, CommandField, encode, response
from dicomweb_server.dimse.negotiation import Context, agreed_contexts
from dicomweb_server.dimse.options import DimseOptions, Modality
from dicomweb_server.dimse.pdu import AssociateAccept, AssociateReject, AssociateRequest
from dicomweb_server.dimse.status import UNRECOGNIZED_OPERATION, Status
from dicomweb_server.dimse.tls import client_context


class RequestedAssociation:
    """An association with a peer that we called. Close it with `release` or `abort`."""

    def __init__(self, connection: Connection, request: AssociateRequest, accept: AssociateAccept) -> None:
        self.contexts: tuple[Context, ...] = agreed_contexts(request, accept)
        connection.agree(self.contexts)
        window = accept.user.window
        outstanding = 1 if window is None else min(window.invoked or _MOST_OUTSTANDING, _MOST_OUTSTANDING)
        self.outstanding = outstanding
        self.exchange = Exchange(connection, accept.user.maximum_length, outstanding)
        self._connection = connection
        self._receiving = asyncio.create_task(self._receive())

    async def echo(self, seconds: float) -> Status:
        """C-ECHO; AssociationRefusedError if the peer does not take it."""
        context = next((each for each in self.contexts if each.abstract_syntax == VERIFICATION), None)
        if context is None:
            raise AssociationRefusedError("the peer accepts no C-ECHO")
        command = Command(
            field=CommandField.C_ECHO_RQ,
            affected_sop_class_uid=VERIFICATION,
            message_id=self.exchange.next_message_id(),
        )
        message = await self.exchange.request(context.context_id, command, None, seconds)
        return Status(message.command.status or 0, message.command.error_comment or "")

    async def release(self) -> None:
        """End in order."""
        await self._connection.release()
        await self._receiving

    async def abort(self, detail: str) -> None:
        """End at once."""
        self._connection.abort(detail)
        self._connection.cut(detail)
        await self._receiving

    async def _receive(self) -> None:
        while (message := await self._connection.receive()) is not None:
            if message.command.is_response:
                self.exchange.deliver(message)
                continue
            if message.data is not None:
                message.data.drop()
            refusal = response(message.command, UNRECOGNIZED_OPERATION.code)
            self.exchange.send(message.context.context_id, encode(refusal))
        self.exchange.close()
        self._connection.answer_release()


_MOST_OUTSTANDING = 8


async def associate(
    modality: Modality,
    contexts: Sequence[tuple[str, tuple[str, ...]]],
    options: DimseOptions,
    roles: tuple[RoleSelection, ...] = (),
) -> RequestedAssociation:
    """An association that offers (SOP class, transfer syntaxes) pairs, 128 of them at most; AssociationRefusedError."""
    request = AssociateRequest(
        modality.ae_title,
        options.ae_title,
        tuple(ProposedContext(2 * n + 1, uid, syntaxes) for n, (uid, syntaxes) in enumerate(contexts)),
        UserInformation(
            maximum_length=options.largest_pdu,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version_name=IMPLEMENTATION_VERSION_NAME,
            window=AsynchronousWindow(invoked=_MOST_OUTSTANDING, performed=1),
            roles=roles,
        ),
    )
    connection = await _connected(modality, options)
    try:
        answer = await connection.request(request)
    except AssociationLostError as error:
        raise AssociationRefusedError(f"{modality.ae_title}: {error}") from error
    except BaseException:
        connection.cut("given up")
        raise
    if isinstance(answer, AssociateReject):
        codes = f"result {answer.result}, source {answer.source}, reason {answer.reason}"
        raise AssociationRefusedError(f"{modality.ae_title} rejected the association: {codes}")
    return RequestedAssociation(connection, request, answer)


async def echo(modality: Modality, options: DimseOptions) -> Status:
    """C-ECHO on an association of its own."""
    association = await associate(
        modality, [(VERIFICATION, (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN))], options
    )
    try:
        status = await association.echo(options.timeouts.response)
    except BaseException:
        await association.abort("no answer")
        raise
    await association.release()
    return status


async def _connected(modality: Modality, options: DimseOptions) -> Connection:
    loop = asyncio.get_running_loop()
    context = client_context(options.tls_client) if modality.tls else None
    try:
        async with asyncio.timeout(options.timeouts.connect):
            _, connection = await loop.create_connection(
                lambda: Connection(Role.REQUESTOR, options.timeouts, options.largest_pdu),
                modality.host,
                modality.port,
                ssl=context,
            )
    except TimeoutError:
        raise AssociationRefusedError(f"{modality.host} port {modality.port}: no connection in time") from None
    except (OSError, ssl.SSLError) as error:
        raise AssociationRefusedError(f"{modality.host} port {modality.port}: {_words(error)}") from error
    return connection


def _words(error: OSError) -> str:
    return error.strerror or type(error).__name__
