"""Implements `ports.peers.Peer` over DIMSE: echo, store, find, get and move, each on an association of its own."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import orjson

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dimse.answers import AnswerEncoder
from dicomweb_server.dimse.contexts import Service, query_class
from dicomweb_server.dimse.destinations import Destination
from dicomweb_server.dimse.ending import AssociationLostError
from dicomweb_server.dimse.found import read_match
from dicomweb_server.dimse.gettable import storage_proposals
from dicomweb_server.dimse.identifiers import LARGEST_IDENTIFIER, LEVEL_NAMES, QUERY_LEVEL, RequestKey
from dicomweb_server.dimse.items import RoleSelection
from dicomweb_server.dimse.message import Command, CommandField
from dicomweb_server.dimse.negotiation import Context
from dicomweb_server.dimse.options import Modality
from dicomweb_server.dimse.scu import IDENTIFIER_SYNTAXES, Proposals, RequestedAssociation, ServiceUser
from dicomweb_server.dimse.status import Status
from dicomweb_server.dimse.streaming import Message
from dicomweb_server.dimse.sub_operations import SubOperations
from dicomweb_server.errors import ServerError
from dicomweb_server.ports.peers import Attributes, PeerError, Transfer
from dicomweb_server.services.retrieve import StoredInstance

_LEVEL_NAMES = {level: name for name, level in LEVEL_NAMES.items()}
_FAILED_LIST, _SOP_CLASSES_IN_STUDY = "00080058", "00080062"
_STUDY_UID = "0020000D"
_COMMANDS = {
    Service.FIND: CommandField.C_FIND_RQ,
    Service.MOVE: CommandField.C_MOVE_RQ,
    Service.GET: CommandField.C_GET_RQ,
}


class DimsePeer:
    """One modality as a peer."""

    def __init__(self, modality: Modality, user: ServiceUser) -> None:
        self._modality = modality
        self._user = user

    async def echo(self) -> None:
        """C-ECHO; PeerError if the peer is not there, or not well."""
        try:
            status = await self._user.echo(self._modality)
        except AssociationLostError as error:
            raise PeerError(str(error)) from error
        if status.code:
            raise _refusal("C-ECHO", status)

    async def store(self, instances: Sequence[StoredInstance]) -> Transfer:
        """C-STORE of each instance, as it is stored wherever the peer takes that."""
        operations = SubOperations(instances, cancelled=lambda: False, told=lambda tally: None)
        await Destination(self._modality, None, self._user).send(operations)
        tally = operations.tally
        return Transfer(tally.completed, tally.warning, tally.failed, tuple(tally.failed_uids))

    async def find(self, level: Level, keys: Attributes) -> AsyncGenerator[dict[str, Any], None]:
        """C-FIND: the matches as they come. Whoever stops early ends the association."""
        async with self._asked(Service.FIND, level, keys) as responses:
            async for context, message in responses:
                if message.data is not None:
                    yield await _identifier(message, context)

    async def get(self, level: Level, keys: Attributes) -> Transfer:
        """C-GET: what comes is stored here."""
        proposals = storage_proposals(await self._sop_classes(keys))
        roles = tuple(RoleSelection(uid, scu=False, scp=True) for uid in dict.fromkeys(uid for uid, _ in proposals))
        async with self._asked(Service.GET, level, keys, proposals, roles) as responses:
            return await _transfer(responses)

    async def move(self, level: Level, keys: Attributes, destination: str) -> Transfer:
        """C-MOVE: the peer sends to the AE title `destination`."""
        async with self._asked(Service.MOVE, level, keys, move_destination=destination) as responses:
            return await _transfer(responses)

    async def _sop_classes(self, keys: Attributes) -> list[str]:
        """Those of the study, [] if the peer does not tell them."""
        if _STUDY_UID not in keys:
            return []
        asked = {_STUDY_UID: keys[_STUDY_UID], _SOP_CLASSES_IN_STUDY: {"vr": "UI"}}
        try:
            async with aclosing(self.find(Level.STUDY, asked)) as matches:
                return [uid async for match in matches for uid in match.get(_SOP_CLASSES_IN_STUDY, {}).get("Value", [])]
        except PeerError:
            return []

    @asynccontextmanager
    async def _asked(
        self,
        service: Service,
        level: Level,
        keys: Attributes,
        proposals: Proposals = (),
        roles: tuple[RoleSelection, ...] = (),
        move_destination: str | None = None,
    ) -> AsyncGenerator[AsyncGenerator[tuple[Context, Message], None], None]:
        """The responses to a query or retrieve request; PeerError for a failure of the peer."""
        sop_class_uid = query_class(service, level)
        try:
            proposed = [(sop_class_uid, IDENTIFIER_SYNTAXES), *proposals]
            association = await self._user.associate(self._modality, proposed, roles)
        except AssociationLostError as error:
            raise PeerError(str(error)) from error
        try:
            context = association.context(sop_class_uid)
            command = Command(
                field=_COMMANDS[service],
                has_dataset=True,
                affected_sop_class_uid=sop_class_uid,
                message_id=association.exchange.next_message_id(),
                priority=0,
                move_destination=move_destination,
            )
            identifier = encoded_identifier(level, keys, context.transfer_syntax)
            async with aclosing(self._responses(association, context, command, identifier)) as responses:
                yield responses
        except BaseException as error:
            await association.abort("the request was given up")
            if isinstance(error, AssociationLostError | ServerError):
                raise PeerError(str(error)) from error
            raise
        await association.release()

    async def _responses(
        self, association: RequestedAssociation, context: Context, command: Command, identifier: bytes
    ) -> AsyncGenerator[tuple[Context, Message], None]:
        seconds = self._user.options.timeouts.response
        exchange = association.exchange
        async with aclosing(exchange.responses(context.context_id, command, [identifier], seconds)) as responses:
            async for message in responses:
                status = Status(message.command.status or 0, message.command.error_comment or "")
                if status.outcome == "failure" and message.command.completed is None:
                    raise PeerError(str(_refusal(CommandField(command.field).name, status)))
                yield context, message


def encoded_identifier(level: Level, keys: Attributes, transfer_syntax_uid: str) -> bytes:
    """DICOM JSON as the identifier of a request: in Latin-1 if its text can be, else in UTF-8."""
    constants = {QUERY_LEVEL: ("CS", _LEVEL_NAMES[level])}
    return AnswerEncoder(_request_keys(keys), constants, transfer_syntax_uid, "ISO_IR 100").encode(orjson.dumps(keys))


def _request_keys(keys: Attributes) -> tuple[RequestKey, ...]:
    found = []
    for tag, attribute in keys.items():
        items = attribute.get("Value") or [{}] if attribute["vr"] == "SQ" else [{}]
        found.append(RequestKey(int(tag, 16), attribute["vr"], "", _request_keys(items[0])))
    return tuple(found)


async def _identifier(message: Message, context: Context) -> dict[str, Any]:
    assert message.data is not None
    data = await message.data.whole(LARGEST_IDENTIFIER)
    if data is None:
        raise PeerError(f"the peer sent an identifier of more than {LARGEST_IDENTIFIER} bytes")
    return read_match(data, context.transfer_syntax)


async def _transfer(responses: AsyncGenerator[tuple[Context, Message], None]) -> Transfer:
    """The counters of the last response that has them, and the failed UIDs."""
    transfer = Transfer(0, 0, 0)
    async for context, message in responses:
        command = message.command
        failed_uids: tuple[str, ...] = ()
        if message.data is not None:
            identifier = await _identifier(message, context)
            failed_uids = tuple(identifier.get(_FAILED_LIST, {}).get("Value", ()))
        transfer = Transfer(
            command.completed if command.completed is not None else transfer.completed,
            command.warning if command.warning is not None else transfer.warning,
            command.failed if command.failed is not None else transfer.failed,
            failed_uids,
        )
    return transfer


def _refusal(what: str, status: Status) -> PeerError:
    return PeerError(f"{what} was answered with status {status.code:04X}H {status.comment}".rstrip())
