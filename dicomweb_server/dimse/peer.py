"""Implements `ports.peers.Peer` over DIMSE; each request but storing has an association of its own."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import orjson

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.data_set_json import data_set_json
from dicomweb_server.dimse.answers import AnswerEncoder
from dicomweb_server.dimse.contexts import MODALITY_WORKLIST, SERVICES, Service, query_class
from dicomweb_server.dimse.destinations import Destinations
from dicomweb_server.dimse.ending import AssociationLostError
from dicomweb_server.dimse.gettable import storage_proposals
from dicomweb_server.dimse.habits import adapted_keys
from dicomweb_server.dimse.identifiers import LARGEST_IDENTIFIER, LEVEL_NAMES, QUERY_LEVEL, RequestKey
from dicomweb_server.dimse.items import RoleSelection
from dicomweb_server.dimse.message import Command, CommandField, encode
from dicomweb_server.dimse.negotiation import Context
from dicomweb_server.dimse.options import Modality
from dicomweb_server.dimse.pool import AssociationPool
from dicomweb_server.dimse.requests import ask_commitment, change, create, lost, notify, refusal, store_file
from dicomweb_server.dimse.scu import IDENTIFIER_SYNTAXES, Proposals, RequestedAssociation, ServiceUser
from dicomweb_server.dimse.status import Status
from dicomweb_server.dimse.streaming import Message
from dicomweb_server.dimse.sub_operations import SubOperations
from dicomweb_server.errors import ServerError
from dicomweb_server.services.modalities import (
    UNWATCHED,
    Attributes,
    Originator,
    PeerError,
    Reference,
    Transfer,
    Watch,
)
from dicomweb_server.services.retrieve import StoredInstance

_LEVEL_NAMES = {level: name for name, level in LEVEL_NAMES.items()}
_FAILED_LIST, _SOP_CLASSES_IN_STUDY = "00080058", "00080062"
_STUDY_UID = "0020000D"
_COMMANDS: dict[Service | None, CommandField] = {
    Service.MOVE: CommandField.C_MOVE_RQ,
    Service.GET: CommandField.C_GET_RQ,
}


class DimsePeer:
    """One modality as a peer."""

    def __init__(
        self, modality: Modality, user: ServiceUser, destinations: Destinations, pool: AssociationPool
    ) -> None:
        self._modality = modality
        self._user = user
        self._destinations = destinations
        self._pool = pool

    async def echo(self) -> None:
        """C-ECHO; PeerError if the peer is not there, or not well."""
        try:
            status = await self._user.echo(self._modality)
        except AssociationLostError as error:
            raise lost(error) from error
        if status.code:
            raise refusal(CommandField.C_ECHO_RQ, status)

    async def store(
        self, instances: Sequence[StoredInstance], watch: Watch = UNWATCHED, originator: Originator | None = None
    ) -> Transfer:
        """C-STORE of each instance, as it is stored wherever the peer takes that."""
        operations = SubOperations(instances, watch.cancelled, lambda tally: watch.told(tally.transfer))
        await self._destinations.send(self._modality, operations, originator)
        return operations.tally.transfer

    async def store_file(self, part10: bytes) -> Reference:
        """C-STORE of a file that is not stored here, in its own transfer syntax."""
        return await store_file(part10, self._modality, self._user)

    async def create(self, sop_class_uid: str, instance_uid: str, attributes: Attributes) -> None:
        """N-CREATE."""
        await create(Reference(sop_class_uid, instance_uid), attributes, self._modality, self._user)

    async def change(self, sop_class_uid: str, instance_uid: str, attributes: Attributes) -> None:
        """N-SET."""
        await change(Reference(sop_class_uid, instance_uid), attributes, self._modality, self._user)

    async def notify(self, sop_class_uid: str, instance_uid: str, event_type_id: int) -> None:
        """N-EVENT-REPORT."""
        await notify(Reference(sop_class_uid, instance_uid), event_type_id, self._modality, self._user)

    async def commit(self, references: Sequence[Reference], transaction_uid: str) -> None:
        """N-ACTION of storage commitment; the report comes later."""
        self._pool.linger(await ask_commitment(references, transaction_uid, self._modality, self._user))

    async def find(self, level: Level, keys: Attributes) -> AsyncGenerator[dict[str, Any], None]:
        """C-FIND: the matches as they come. Whoever stops early ends the association."""
        constants = {QUERY_LEVEL: ("CS", _LEVEL_NAMES[level])}
        adapted = adapted_keys(keys, level, self._modality.manufacturer)
        async with self._asked(query_class(Service.FIND, level), adapted, constants) as responses:
            async for context, message in responses:
                if message.data is not None:
                    yield await _identifier(message, context)

    async def worklist(self, keys: Attributes) -> AsyncGenerator[dict[str, Any], None]:
        """C-FIND of the modality worklist (PS3.4 annex K)."""
        adapted = adapted_keys(keys, None, self._modality.manufacturer)
        async with self._asked(MODALITY_WORKLIST, adapted, {}) as responses:
            async for context, message in responses:
                if message.data is not None:
                    yield await _identifier(message, context)

    async def get(self, level: Level, keys: Attributes, watch: Watch = UNWATCHED) -> Transfer:
        """C-GET: what comes is stored here."""
        proposals = storage_proposals(await self._sop_classes(keys))
        roles = tuple(RoleSelection(uid, scu=False, scp=True) for uid in dict.fromkeys(uid for uid, _ in proposals))
        constants = {QUERY_LEVEL: ("CS", _LEVEL_NAMES[level])}
        sop_class_uid = query_class(Service.GET, level)
        async with self._asked(sop_class_uid, keys, constants, proposals, roles, watch=watch) as responses:
            return await _transfer(responses, watch)

    async def move(self, level: Level, keys: Attributes, destination: str, watch: Watch = UNWATCHED) -> Transfer:
        """C-MOVE: the peer sends to the AE title `destination`."""
        constants = {QUERY_LEVEL: ("CS", _LEVEL_NAMES[level])}
        sop_class_uid = query_class(Service.MOVE, level)
        async with self._asked(sop_class_uid, keys, constants, destination=destination, watch=watch) as responses:
            return await _transfer(responses, watch)

    async def _sop_classes(self, keys: Attributes) -> list[str]:
        """Those of the study, [] if the peer does not tell them."""
        if _STUDY_UID not in keys:
            return []
        asked = {_STUDY_UID: keys[_STUDY_UID], _SOP_CLASSES_IN_STUDY: {"vr": "UI"}}
        try:
            async with aclosing(self.find(Level.STUDY, asked)) as matches:
                return [uid async for match in matches for uid in _uids(match, _SOP_CLASSES_IN_STUDY)]
        except PeerError:
            return []

    @asynccontextmanager
    async def _asked(
        self,
        sop_class_uid: str,
        keys: Attributes,
        constants: dict[int, tuple[str, str]],
        proposals: Proposals = (),
        roles: tuple[RoleSelection, ...] = (),
        destination: str | None = None,
        watch: Watch = UNWATCHED,
    ) -> AsyncGenerator[AsyncGenerator[tuple[Context, Message], None], None]:
        """The responses to a query or retrieve request; PeerError for a failure of the peer."""
        try:
            proposed = [(sop_class_uid, IDENTIFIER_SYNTAXES), *proposals]
            association = await self._user.associate(self._modality, proposed, roles)
        except AssociationLostError as error:
            raise lost(error) from error
        try:
            context = association.context(sop_class_uid)
            command = Command(
                field=_COMMANDS.get(SERVICES.get(sop_class_uid), CommandField.C_FIND_RQ),
                has_dataset=True,
                affected_sop_class_uid=sop_class_uid,
                message_id=association.exchange.next_message_id(),
                priority=0,
                move_destination=destination,
            )
            identifier = encoded_identifier(keys, constants, context.transfer_syntax)
            async with aclosing(self._responses(association, context, command, identifier, watch)) as responses:
                yield responses
        except BaseException as error:
            await association.abort("the request was given up")
            if isinstance(error, AssociationLostError):
                raise lost(error) from error
            if isinstance(error, ServerError):
                raise PeerError(str(error)) from error
            raise
        await association.release()

    async def _responses(
        self,
        association: RequestedAssociation,
        context: Context,
        command: Command,
        identifier: bytes,
        watch: Watch,
    ) -> AsyncGenerator[tuple[Context, Message], None]:
        seconds = self._user.response_seconds(self._modality)
        exchange = association.exchange
        is_cancelled = False
        outgoing = exchange.outgoing(context.context_id, command, [identifier])
        async with aclosing(exchange.responses(outgoing, seconds)) as responses:
            async for message in responses:
                status = Status(message.command.status or 0, message.command.error_comment or "")
                if status.outcome == "failure" and not (message.command.completed or message.command.failed):
                    raise refusal(command.field, status)
                yield context, message
                if watch.cancelled() and not is_cancelled and status.outcome == "pending":
                    is_cancelled = True
                    cancel = Command(field=CommandField.C_CANCEL_RQ, message_id_responded_to=command.message_id)
                    exchange.send(context.context_id, encode(cancel))


def encoded_identifier(keys: Attributes, constants: dict[int, tuple[str, str]], transfer_syntax_uid: str) -> bytes:
    """DICOM JSON as the identifier of a request: in Latin-1 if its text can be, else in UTF-8."""
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
    return data_set_json(data, context.transfer_syntax)


def _uids(attributes: Attributes, tag: str) -> list[str]:
    """The values of an attribute, which a peer may have given another VR than that of UIDs."""
    return [value for value in attributes.get(tag, {}).get("Value", ()) if isinstance(value, str)]


async def _transfer(responses: AsyncGenerator[tuple[Context, Message], None], watch: Watch) -> Transfer:
    """The counters of the last response that has them, and the failed UIDs."""
    transfer = Transfer(0, 0, 0)
    async for context, message in responses:
        command = message.command
        failures: dict[str, str] = {}
        if message.data is not None:
            identifier = await _identifier(message, context)
            failures = dict.fromkeys(_uids(identifier, _FAILED_LIST), "")
        transfer = Transfer(
            command.completed if command.completed is not None else transfer.completed,
            command.warning if command.warning is not None else transfer.warning,
            command.failed if command.failed is not None else transfer.failed,
            failures,
            command.remaining or 0,
        )
        watch.told(transfer)
    return transfer
